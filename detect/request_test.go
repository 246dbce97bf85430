package detect

import (
	"fmt"
	"math"
	"math/rand/v2"
	"testing"

	"pgregory.net/rapid"

	"github.com/firebreak-io/firebreak/internal/event"
)

// stageOf is a request as one of its stages tells it: later ones know more.
func stageOf(n, stage int, user, namespace string, denied bool) event.Event {
	e := secrets(user, namespace)
	e.Outcome = ""
	e.Fields = event.Fields{"audit_id": fmt.Sprint("a", n/2), "uri": fmt.Sprint("/", n), "stage": []string{"RequestReceived", "ResponseStarted", "ResponseComplete"}[stage]}
	if stage > 0 {
		e.Fields["code"] = int64(200)
		if denied {
			e.Fields["code"] = int64(403)
		}
	}
	if stage > 1 {
		if e.Outcome = event.OutcomeAllowed; denied {
			e.Outcome = event.OutcomeDenied
		}
	}
	return e
}

const counting = ruleStart + `  source: audit
  when: verb == "get"
  window:
    by: [actor.user]
    over: 10m
    having: >-
      count() > 1000 or count(outcome == "denied") > 1000 or distinct(object.namespace) > 1000 or sum(fields.code) > 1000000
      or avg(fields.code) > 1000 or ratio(outcome == "denied") > 2 or rate() > 1000 or max(fields.code) > 1000 or quantile(fields.code, 0.5) > 1000
`

// Whatever stages of its requests come, in whatever order, a window has the
// numbers that it would have of one event for each, which knows all that any of
// them knew.
func TestARequestCountsOnce(t *testing.T) {
	staged, whole, round := tell(t, counting, EngineOptions{}), tell(t, counting, EngineOptions{}), 0
	rapid.Check(t, func(rt *rapid.T) {
		round++ // of users of its own: to compile the rule takes most of the time
		random := rand.New(rand.NewPCG(rapid.Uint64().Draw(rt, "seed"), 0))
		type arrival struct {
			at    float64
			event event.Event
		}
		var stages []arrival
		for n := range rapid.IntRange(1, 12).Draw(rt, "requests") {
			at, user, denied := float64(random.IntN(60)), fmt.Sprint("u", round, "-", random.IntN(2)), random.IntN(2) == 0
			most := -1
			for _, stage := range random.Perm(3)[:1+random.IntN(3)] {
				most = max(most, stage)
				stages = append(stages, arrival{at, stageOf(100*round+n, stage, user, fmt.Sprint("n", n%3), denied)})
			}
			whole.at(at, 60, stageOf(100*round+n, most, user, fmt.Sprint("n", n%3), denied))
		}
		random.Shuffle(len(stages), func(i, j int) { stages[i], stages[j] = stages[j], stages[i] })
		for _, s := range stages {
			staged.at(s.at, 60, s.event)
			if random.IntN(100) == 0 {
				staged.again()
			}
		}
		a, b := staged.engine.running[0].run.(*running), whole.engine.running[0].run.(*running)
		for _, user := range []string{fmt.Sprint("u", round, "-0"), fmt.Sprint("u", round, "-1")} {
			e := secrets(user, "")
			key, err := groupKey(&e, a.window.by)
			if err != nil {
				rt.Fatal(err)
			}
			for i, call := range a.window.calls {
				got := a.window.groups.Value(key, i, a.window.groups.Newest(key))
				want := b.window.groups.Value(key, i, b.window.groups.Newest(key))
				if got != want && !(math.IsNaN(got) && math.IsNaN(want)) {
					rt.Fatalf("%s of %s is %v, want %v", call.Text, user, got, want)
				}
			}
			if n, requests := len(a.window.groups.Sample(key, a.window.groups.Newest(key))), b.window.groups.Value(key, 0, b.window.groups.Newest(key)); float64(n) != requests {
				rt.Fatalf("the sample has %d events of %v requests", n, requests)
			}
		}
	})
}

// A rule that says which stages it means gets those.
func TestARuleMayAskForStages(t *testing.T) {
	for when, want := range map[string]int{`verb == "get"`: 0, `verb == "get" and fields.stage != ""`: 1} {
		s := tell(t, ruleStart+"  source: audit\n  when: >-\n    "+when+"\n  window: {by: [actor.user], over: 1m, having: count() >= 3}\n", EngineOptions{})
		for stage := range 3 {
			s.at(1, 1+float64(stage), stageOf(1, stage, "ann", "a", false))
		}
		if len(s.found) != want {
			t.Errorf("%s: found %d", when, len(s.found))
		}
	}
}

// Suppression counts requests, and a request is one step of a sequence.
func TestStagesElsewhere(t *testing.T) {
	s := tell(t, ruleStart+"  source: audit\n  when: verb == \"get\"\n  suppress: {by: [actor.user], for: 1m}\n", EngineOptions{})
	for n := range 4 {
		for stage := range 3 {
			s.at(float64(n), float64(n), stageOf(2*n, stage, "ann", "a", false))
		}
		s.again()
	}
	s.tick(100)
	if len(s.found) != 1 || s.counts[s.found[0].ID] != 4 {
		t.Errorf("found %d, counted %v", len(s.found), s.counts)
	}
	for _, order := range []string{"strict", "any"} {
		s = tell(t, ruleStart+"  source: audit\n  sequence:\n    by: [actor.user]\n    within: 10m\n    order: "+order+
			"\n    steps: [{when: verb == \"get\"}, {when: outcome == \"denied\"}]\n", EngineOptions{})
		for stage := range 3 {
			s.at(1, 1+200*float64(stage), stageOf(1, stage, "ann", "a", true))
			s.again()
		}
		if len(s.found) != 0 {
			t.Errorf("%s: one request is two steps", order)
		}
		s.at(402, 402, stageOf(2, 2, "ann", "a", true))
		if len(s.found) != 1 || len(s.found[0].Events) != 2 {
			t.Errorf("%s: two requests are no sequence: %v", order, s.found)
		}
	}
}

// What a rule remembers of requests is bounded, and an event that is none is
// always counted.
func TestRequestsAreBounded(t *testing.T) {
	s := tell(t, counting, EngineOptions{})
	for n := range 3 * maxRequests {
		s.at(1, 1, stageOf(n, 2, "ann", "a", false))
	}
	r := s.engine.running[0].run.(*running)
	if len(r.requests.ring) != maxRequests || len(r.requests.at) != maxRequests {
		t.Errorf("%d requests, %d in the index", len(r.requests.ring), len(r.requests.at))
	}
	s.again()
	for range 5 {
		s.at(2, 2, secrets("bob", "a"))
	}
	e := secrets("bob", "a")
	r = s.engine.running[0].run.(*running)
	key, err := groupKey(&e, r.window.by)
	if err != nil || r.window.groups.Value(key, 0, r.window.groups.Newest(key)) != 5 {
		t.Errorf("events without an audit id count as one: %v", err)
	}
}
