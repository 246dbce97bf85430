package respond

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/firebreak-io/firebreak/internal/conf"
	"github.com/firebreak-io/firebreak/internal/event"
	"github.com/firebreak-io/firebreak/respond/runlog"
)

// generator writes playbooks of all that the language can say.
type generator struct {
	t     *rapid.T
	names []string
	text  strings.Builder
	group bool
}

func (g *generator) pick(label string, from ...string) string {
	return rapid.SampledFrom(from).Draw(g.t, label)
}

func (g *generator) chance(label string, in int) bool {
	return rapid.IntRange(1, in).Draw(g.t, label) == 1
}

func (g *generator) playbook() string {
	g.text.WriteString("apiVersion: firebreak.io/v1alpha1\nkind: Playbook\nmetadata: {name: generated}\nspec:\n  when: 'true'\n")
	fmt.Fprintf(&g.text, "  mode: %s\n  approve: {need: %d, within: 15m}\n  steps:\n", g.pick("mode", "act", "act", "act", "act", "ask", "observe"), rapid.IntRange(1, 2).Draw(g.t, "need"))
	for range rapid.IntRange(1, 5).Draw(g.t, "items") {
		switch {
		case g.chance("parallel", 3):
			before := slices.Clone(g.names)
			var added []string
			g.text.WriteString("    - parallel:\n")
			for range rapid.IntRange(2, 3).Draw(g.t, "members") {
				g.names = slices.Clone(before)
				added = append(added, g.step("        "))
			}
			g.names = append(before, added...)
		case !g.group && g.chance("use", 6):
			g.group = true
			g.text.WriteString("    - {name: use, use: shared, with: {what: \"${finding.rule}\"}}\n")
			g.names = append(g.names, "use.first", "use.second")
		default:
			g.step("    ")
		}
	}
	return g.text.String()
}

const sharedGroup = `apiVersion: firebreak.io/v1alpha1
kind: StepGroup
metadata: {name: shared}
spec:
  params: {what: {}}
  steps:
    - {name: first, action: pod.label, with: {labels: {what: "${params.what}"}}, on_failure: continue}
    - {name: second, action: notify.event, when: steps.first.state == "done", with: {note: "${params.what}"}}
`

// step writes one step, which may ask about those before it.
func (g *generator) step(indent string) string {
	name := fmt.Sprintf("s%d", strings.Count(g.text.String(), "action:"))
	action := g.pick("action", "pod.quarantine", "pod.label", "node.cordon", "notify.event")
	fmt.Fprintf(&g.text, "%s- name: %s\n%s  action: %s\n", indent, name, indent, action)
	say := func(format string, args ...any) { fmt.Fprintf(&g.text, indent+"  "+format+"\n", args...) }
	switch action {
	case "pod.label":
		say("with: {labels: {a: b}}")
	case "node.cordon":
		say("target: node(target.node)")
	}
	if action != "node.cordon" && g.chance("each", 4) {
		say("for_each: incident.subjects")
		say("at_most: %d", rapid.IntRange(1, 3).Draw(g.t, "most"))
	}
	if len(g.names) > 0 && g.chance("condition", 3) {
		of := g.pick("of", g.names...)
		say("when: %s", fmt.Sprintf(g.pick("of what", `steps[%q].state in ["done", "failed"]`, `steps[%q].result != "partial"`, `steps[%q].attempts < 3`), of))
	} else if g.chance("early", 5) {
		say("when: incident.count > %d", rapid.IntRange(0, 1).Draw(g.t, "count"))
	}
	say("on_failure: %s", g.pick("on", "stop", "continue", "undo"))
	say("retry: {attempts: %d, backoff: 1s}", rapid.IntRange(1, 3).Draw(g.t, "attempts"))
	if action != "notify.event" {
		say("undo_after: %dm", rapid.IntRange(1, 90).Draw(g.t, "hold"))
		say("at_end: %s", g.pick("end", "restore", "restore", "ask"))
		if g.chance("apart", 5) {
			say("approve: {by: [group/%s], within: 5m}", g.pick("group", "a", "b"))
		}
	}
	g.names = append(g.names, name)
	return name
}

// api is the world that effects change: objects with versions, and who holds
// them. It counts the writes.
type api struct {
	version map[string]int
	holders map[string]map[string]bool
	adds    map[string]int
	removes map[string]int
}

// lab plays a run against an api, with several effects under way at a time.
type lab struct {
	*rapid.T
	book *Playbook
	run  event.Run
	now  time.Time
	seq  uint64
	// log is the present responder's, rec the record that it goes by; stale are
	// responders that were paused and don't know yet.
	store   *drawer
	log     *runlog.Log
	rec     runlog.Record
	stale   []paused
	api     api
	flight  map[int]func() Input // effects that are under way, by step: what each ends in
	trouble bool
}

func newLab(t *rapid.T) *lab {
	g := &generator{t: t}
	text := g.playbook()
	docs, err := conf.Documents("p.yaml", []byte(text+"---\n"+sharedGroup))
	if err != nil {
		t.Fatalf("%v\n%s", err, text)
	}
	book, err := ParsePlaybook(docs[0], docs[1:]...)
	if err != nil {
		t.Fatalf("%v\n%s", err, text)
	}
	incident := event.Incident{ID: "i1", Count: 1}
	for n := range rapid.IntRange(0, 4).Draw(t, "subjects") {
		ref := event.PodRef("shop", fmt.Sprintf("p%d", n))
		ref.UID = fmt.Sprintf("u%d", n)
		incident.Subjects = append(incident.Subjects, ref)
	}
	target := event.PodRef("shop", "p0")
	target.UID, target.Node = "u0", "n1"
	f := event.Finding{ID: "f1", Rule: "r", Trust: event.TrustRuntime}
	l := &lab{
		T: t, book: book, run: Begin(book, incident, f, target, event.ModeAct, start), now: start, flight: map[int]func() Input{},
		api: api{version: map[string]int{}, holders: map[string]map[string]bool{}, adds: map[string]int{}, removes: map[string]int{}},
	}
	l.store = &drawer{T: t}
	l.log = runlog.Over(l.store, 1)
	if l.rec, err = l.log.Create(t.Context(), l.run); err != nil {
		t.Fatal(err)
	}
	l.run = l.rec.Run
	if again, err := ParseRun(l.run); err != nil || again.Version != book.Version {
		t.Fatalf("the record's playbook: %v\n%s", err, l.run.Spec)
	}
	return l
}

// moved holds what must be true of every move.
func (l *lab) moved(before event.Run, in Input) {
	if before.State.Terminal() && before.State != l.run.State {
		l.Fatalf("a run that is over moved from %s to %s", before.State, l.run.State)
	}
	order := l.book.before()
	for i, s := range l.run.Steps {
		var old event.Step
		if i < len(before.Steps) {
			old = before.Steps[i]
		}
		step, place, found := l.book.Of(s)
		switch {
		case !found || old.Name != "" && old.Name != s.Name:
			l.Fatalf("step %q has changed its place", s.Name)
		case old.State == event.StepIntent && s.State == event.StepIntent && s.Attempts != old.Attempts && (in.Done == nil || in.Done.Step != i):
			l.Fatalf("step %s has a second intent without a report of the first", s.Name)
		case over(old.State) && old.State != event.StepReverting && (s.State == event.StepIntent || s.State == event.StepPlanned):
			l.Fatalf("step %s is %s again after it was %s", s.Name, s.State, old.State)
		}
		if s.State != event.StepIntent || old.State == event.StepIntent {
			continue
		}
		if s.Plan == nil || !s.Begun {
			l.Fatalf("step %s has an intent without a plan", s.Name)
		}
		if l.run.Stopped && step.Effect() {
			l.Fatalf("step %s begins although the run was stopped", s.Name)
		}
		if step.Effect() && (l.run.Mode != event.ModeAct || step.Approve != nil || s.Asks != "") && (s.Approved == "" || s.Approved != s.Digest) {
			l.Fatalf("step %s goes ahead without approval of its plan", s.Name)
		}
		for j, other := range l.run.Steps {
			of, at, _ := l.book.Of(other)
			if order[place].has(at) && step.Effect() && of.Effect() && !over(other.State) && other.State != event.StepExpanded {
				l.Fatalf("step %s begins before %s is over (%s, %d)", s.Name, other.Name, other.State, j)
			}
		}
	}
}

// rest holds what must be true of a run when nothing is under way.
func (l *lab) rest() {
	if l.run.State.Terminal() {
		for _, s := range l.run.Steps {
			if Held(s) || s.State == event.StepReverting || s.State == event.StepIntent {
				l.Fatalf("run is %s and step %s is %s", l.run.State, s.Name, s.State)
			}
		}
		return
	}
	effects, wake := DueAll(l.book, l.run, l.now)
	if len(effects) > 0 || wake.After(l.now) {
		return
	}
	if !wake.IsZero() {
		before := l.run
		if l.input(Input{Tick: true}); before.State == l.run.State && before.Updated.Equal(l.run.Updated) && !before.Updated.Equal(l.now) {
			l.Fatalf("it wants to be looked at at %s, and then nothing moves", wake)
		}
		return
	}
	for _, s := range l.run.Steps {
		if Held(s) && (s.EndAsked || s.Kept) {
			return // people were asked what becomes of the hold
		}
	}
	l.Fatalf("run is %s, and nothing moves it any more: %+v", l.run.State, l.run.Steps)
}

// begin carries an effect out. Its report comes later, or never.
func (l *lab) begin(e Effect) {
	s := l.run.Steps[e.Step]
	target := object(l.run.StepTarget(e.Step))
	key := s.Name
	d := &Done{Step: e.Step, Receipt: event.Receipt{Key: key, Result: event.ResultApplied}}
	if likely := e.Kind == EffectDo; l.trouble && rapid.IntRange(0, map[bool]int{true: 2, false: 9}[likely]).Draw(l.T, "trouble") == 0 {
		d.Failure = rapid.SampledFrom([]Failure{FailedGone, FailedFinal, FailedRetry, FailedHeld, FailedUnseen, FailedRetry}).Draw(l.T, "failure")
	}
	effect := l.book.StepOf(l.run, e.Step).Effect()
	switch e.Kind {
	case EffectTargets:
		x := Executor{}
		x.Deps.Offline = true
		t := x.Targets(l.T.Context(), l.book, l.run, e.Step)
		if d.Failure == FailedRetry {
			t = Targets{Step: e.Step, Failure: d.Failure, Error: "away"}
		}
		l.flight[e.Step] = func() Input { return Input{Targets: &t} }
	case EffectPlan:
		p := &Planned{Step: e.Step, Digest: "d", Failure: d.Failure, Error: string(d.Failure)}
		p.Plan.Writes = []event.Write{{Verb: "patch", ResourceVersion: fmt.Sprint(l.api.version[target])}}
		if l.trouble {
			p.Digest = rapid.SampledFrom([]string{"d", "d", "d", "d", "d", "d", "e"}).Draw(l.T, "digest")
			decisions := rapid.SampledFrom([]event.Decision{event.Pass, event.Pass, event.Pass, event.Pass, event.Pass, event.Pass, event.Pass, event.Pass, event.Ask, event.Wait, event.Deny})
			p.Verdicts = []event.Verdict{{Guard: "g", Decision: decisions.Draw(l.T, "decision"), Reason: "so"}}
		}
		l.flight[e.Step] = func() Input { return Input{Planned: p} }
	case EffectDo:
		version := s.Plan.Writes[0].ResourceVersion
		send := func() Input {
			if failure := d.Failure; effect && failure == "" {
				d.Failure = l.write(target, key, version)
			} else if effect && failure == FailedRetry {
				l.write(target, key, version) // the answer is lost
			}
			return Input{Done: d}
		}
		if rapid.Bool().Draw(l.T, "sent at once") {
			in := send()
			send = func() Input { return in }
		}
		l.flight[e.Step] = send
	case EffectUndo:
		if d.Failure == "" || d.Failure == FailedRetry {
			if l.api.holders[target][key] {
				delete(l.api.holders[target], key)
				l.api.removes[key]++
				l.api.version[target]++
			} else if s.Receipt == nil {
				l.api.version[target]++ // the fence
			}
		} else {
			d.Failure = FailedRetry // what may not be undone stays; it is tried again
		}
		l.flight[e.Step] = func() Input { return Input{Undone: d} }
	}
}

// write is conditional, and finds what it wrote before.
func (l *lab) write(target, key, version string) Failure {
	switch {
	case l.api.holders[target][key]:
		return ""
	case fmt.Sprint(l.api.version[target]) != version:
		return FailedConflict
	}
	if l.api.holders[target] == nil {
		l.api.holders[target] = map[string]bool{}
	}
	l.api.holders[target][key] = true
	l.api.adds[key]++
	l.api.version[target]++
	return ""
}

// start begins what is due and not under way yet.
func (l *lab) start() {
	effects, _ := DueAll(l.book, l.run, l.now)
	for _, e := range effects {
		if _, under := l.flight[e.Step]; !under {
			l.begin(e)
		}
	}
}

// under are the steps of which an effect is under way.
func (l *lab) under() []int { return slices.Sorted(maps.Keys(l.flight)) }

// land lets one report arrive.
func (l *lab) land() {
	steps := l.under()
	if len(steps) == 0 {
		return
	}
	i := rapid.SampledFrom(steps).Draw(l.T, "landing")
	end := l.flight[i]
	delete(l.flight, i)
	l.input(end())
}

func (l *lab) random() {
	switch rapid.IntRange(0, 12).Draw(l.T, "move") {
	case 0, 1:
		l.start()
	case 2, 3:
		l.land()
	case 4, 5, 6:
		l.start()
		for range len(l.flight) {
			l.land()
		}
	case 7:
		l.crash()
	case 8:
		jump := rapid.SampledFrom([]time.Duration{time.Second, 10 * time.Second, 6 * time.Minute, 20 * time.Minute, 2 * time.Hour, -time.Hour}).Draw(l.T, "jump")
		l.now = l.now.Add(jump)
		l.input(Input{Tick: true})
	case 9, 10:
		l.vote(rapid.SampledFrom([]string{"ann", "bob", "cid"}).Draw(l.T, "user"), rapid.IntRange(0, 5).Draw(l.T, "yes") > 0)
	case 11:
		if rapid.IntRange(0, 4).Draw(l.T, "undo") == 0 {
			l.input(Input{Person: &event.Input{Kind: event.InputUndo, User: "ann"}})
		}
	case 12:
		l.wake()
	}
}

func (l *lab) vote(user string, yes bool) {
	v := &event.Vote{User: user, Approve: yes, Groups: []string{"a", "b"}, Time: l.now}
	if l.run.Approval != nil {
		v.Digest = l.run.Approval.Digest
	}
	l.input(Input{Person: &event.Input{Kind: event.InputVote, Vote: v}})
}

// settle lets all that is under way arrive, and all that is due be done.
func (l *lab) settle() {
	for n := 0; ; n++ {
		if n > 2000 {
			l.Fatalf("no rest: run is %s, %+v", l.run.State, l.run.Steps)
		}
		l.start()
		if len(l.flight) == 0 {
			return
		}
		before := l.run
		for len(l.flight) > 0 {
			l.land()
		}
		if before.Updated.Equal(l.run.Updated) && before.State == l.run.State && n > 100 {
			return // it waits for the same thing still
		}
	}
}

// TestGeneratedPlaybooks: whatever a playbook says, whatever fails, is lost,
// jumps or is decided, a run writes each effect once for each intent that
// needed it, keeps its order, always has something that moves it, ends, and
// leaves nothing behind.
func TestGeneratedPlaybooks(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		l := newLab(t)
		l.trouble = true
		for range rapid.IntRange(0, 60).Draw(t, "moves") {
			l.random()
			if len(l.flight) == 0 {
				l.rest()
			}
		}
		l.trouble = false
		if rapid.Bool().Draw(t, "undo after this prefix") {
			l.start()
			l.input(Input{Person: &event.Input{Kind: event.InputUndo, User: "ann"}})
			for range 5 { // waits of what failed before
				l.settle()
				l.now = l.now.Add(maxBackoff)
				l.input(Input{Tick: true})
			}
			if l.settle(); !l.run.State.Terminal() {
				t.Fatalf("run is %s after it was undone\n%s", l.run.State, l.run.Spec)
			}
		}
		for range 12 {
			l.settle()
			l.rest()
			l.now = l.now.Add(2 * time.Hour)
			l.input(Input{Tick: true})
		}
		l.input(Input{Person: &event.Input{Kind: event.InputUndo, User: "ann"}}) // of holds that people are asked about
		l.settle()
		if !l.run.State.Terminal() {
			t.Fatalf("run rests in %s: %s", l.run.State, l.run.Spec)
		}
		for len(l.stale) > 0 {
			l.wake()
		}
		l.linear()
		for target, holders := range l.api.holders {
			for key := range holders {
				if !l.told(key) {
					t.Fatalf("%s is held by %s after the run was %s\n%s", target, key, l.run.State, l.run.Spec)
				}
			}
		}
		for key, adds := range l.api.adds {
			if adds > l.api.removes[key]+1 {
				t.Fatalf("%s was written %d times and taken back %d times", key, adds, l.api.removes[key])
			}
		}
	})
}

// told says that a step only tells people, which nothing takes back.
func (l *lab) told(name string) bool {
	for i, s := range l.run.Steps {
		if s.Name == name {
			return !l.book.StepOf(l.run, i).Effect()
		}
	}
	return false
}
