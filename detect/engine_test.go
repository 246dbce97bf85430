package detect

import (
	"fmt"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/firebreak-io/firebreak/detect/pack"
	"github.com/firebreak-io/firebreak/internal/event"
)

const ruleStart = ruleHead + "  title: T\n  severity: high\n"

// story is events told to an engine, seconds after the beginning.
type story struct {
	t      testing.TB
	engine *Engine
	n      uint64
	found  []event.Finding
	counts map[string]uint64
}

var dawn = time.Date(2026, 3, 4, 5, 0, 0, 0, time.UTC)

func tell(t testing.TB, rules string, o EngineOptions) *story {
	t.Helper()
	set, err := ruleSet(t, rules)
	if err != nil {
		t.Fatal(err)
	}
	return &story{t: t, engine: NewEngine(set, o), counts: map[string]uint64{}}
}

// at is an event that happens at a second and is received at another.
func (s *story) at(happened, received float64, e event.Event) []event.Finding {
	s.t.Helper()
	s.n++
	e.ID = fmt.Sprint("e", s.n)
	e.Time = dawn.Add(time.Duration(happened * float64(time.Second)))
	e.Received = dawn.Add(time.Duration(received * float64(time.Second)))
	found, fresh, err := s.engine.Fold(&e, event.Address{Sequence: s.n, ID: e.ID})
	if err != nil || !fresh {
		s.t.Fatalf("event %d: fresh %v, %v", s.n, fresh, err)
	}
	for _, c := range s.engine.Counts() {
		s.counts[c.Finding] = c.Count
	}
	s.found = append(s.found, found...)
	return found
}

func (s *story) tick(second float64) []event.Finding {
	s.t.Helper()
	return s.at(second, second, event.Control(event.VerbTick, time.Time{}, "", nil))
}

// again reads the state into another engine, as after a crash.
func (s *story) again() {
	s.t.Helper()
	var out, second pack.Writer
	s.engine.Save(&out)
	next := NewEngine(s.engine.set, s.engine.o)
	if fresh, err := next.Load(pack.NewReader(out.Data)); err != nil || len(fresh) > 0 {
		s.t.Fatal(fresh, err)
	}
	if next.Save(&second); !reflect.DeepEqual(out.Data, second.Data) {
		s.t.Fatal("the state that was read is not the one that was saved")
	}
	s.engine = next
}

func secrets(user, namespace string) event.Event {
	return event.Event{
		Source: event.SourceAudit, Class: event.ClassAPI, Verb: "get", Actor: event.Actor{User: user}, Outcome: event.OutcomeAllowed,
		Object: event.Ref{Resource: "secrets", Namespace: namespace, Name: "s"},
	}
}

const swept = ruleStart + `  source: audit
  when: verb in ["get", "list"] and object.resource == "secrets"
  window: {by: [actor.user], over: 5m, having: "distinct(object.namespace) >= 3 or count() > 10"}
  message: "${actor.user} read ${count()} secrets of ${distinct(object.namespace)} namespaces"
`

func TestWindow(t *testing.T) {
	s := tell(t, swept, EngineOptions{})
	s.at(0, 0, secrets("ann", "a"))
	s.at(1, 1, secrets("bob", "a"))
	s.at(2, 2, secrets("ann", "b"))
	s.again()
	if len(s.found) != 0 {
		t.Fatalf("found %v too early", s.found)
	}
	f := s.at(100, 100, secrets("ann", "c"))
	if len(f) != 1 || f[0].Explanation != "ann read 3 secrets of 3 namespaces" || f[0].ID == "" {
		t.Fatalf("found %+v", f)
	}
	id := f[0].ID
	for i := range 20 {
		s.at(101+float64(i), 101+float64(i), secrets("ann", "c"))
	}
	if len(s.found) != 1 || s.counts[id] != 16 {
		t.Errorf("%d findings, counted %d", len(s.found), s.counts[id])
	}
	s.at(130, 130, secrets("bob", "b"))
	if f := s.at(131, 131, secrets("bob", "c")); len(f) != 1 {
		t.Error("ann's finding hides bob's")
	}
	s.tick(1000)
	if s.counts[id] != 21 {
		t.Errorf("at the end counted %d", s.counts[id])
	}
	for i := range 3 {
		s.at(1001+float64(i), 1001, secrets("ann", fmt.Sprint(i)))
	}
	if len(s.found) != 3 {
		t.Errorf("%d findings, ann comes again", len(s.found))
	}
}

func TestWindowsForgetAndTakeLateEvents(t *testing.T) {
	s := tell(t, swept, EngineOptions{})
	s.at(0, 0, secrets("ann", "a"))
	s.at(1, 1, secrets("ann", "b"))
	if f := s.at(400, 400, secrets("ann", "c")); len(f) != 0 {
		t.Error("what is older than the window counts")
	}
	s.at(430, 430, secrets("ann", "d"))
	if f := s.at(395, 431, secrets("ann", "e")); len(f) != 1 {
		t.Error("an event that comes late does not count")
	}
	s = tell(t, swept, EngineOptions{})
	s.at(4e9, 0, secrets("ann", "a")) // dated 2152
	s.at(1, 1, secrets("ann", "b"))
	if f := s.at(2, 2, secrets("ann", "c")); len(f) != 1 {
		t.Error("a time in the future closed a window")
	}
}

func TestTumblingWindow(t *testing.T) {
	s := tell(t, ruleStart+"  source: audit\n  when: \"true\"\n  window: {over: 1m, type: tumbling, having: count() >= 3}\n", EngineOptions{})
	for _, second := range []float64{50, 55, 61, 70} {
		if f := s.at(second, second, secrets("ann", "")); len(f) != 0 {
			t.Fatalf("found at %v", second)
		}
	}
	if f := s.at(59, 71, secrets("ann", "")); len(f) != 1 {
		t.Error("the third of the first minute came late and does not count")
	}
}

func alert(rule, pod string) event.Event {
	return event.Event{Source: event.SourceFalco, Class: event.ClassProcessExec, Rule: rule, Object: event.Ref{Resource: "pods", UID: pod, Namespace: "shop"}, Trust: event.Trust(2)}
}

func ofPod(pod string) event.Event {
	e := secrets("sa", "shop")
	e.Object.UID, e.Trust = pod, event.Trust(3)
	return e
}

const chain = ruleStart + `  sequence:
    by: [object.uid]
    within: 10m
    steps:
      - {name: shell, source: falco, when: rule == "shell"}
      - {name: secrets, source: audit, when: object.resource == "secrets"}
`

func TestSequence(t *testing.T) {
	s := tell(t, chain, EngineOptions{})
	s.at(0, 0, alert("shell", "p1"))
	s.at(1, 1, ofPod("p2"))
	s.again()
	f := s.at(2, 2, ofPod("p1"))
	if len(f) != 1 || len(f[0].Events) != 2 || f[0].Events[0].ID != "e1" || f[0].Events[1].ID != "e3" || f[0].Trust != 2 || !f[0].Time.Equal(dawn) {
		t.Fatalf("found %+v", f)
	}
	if f := s.at(3, 3, alert("shell", "p2")); len(f) != 0 {
		t.Error("found in the wrong order")
	}
	if f := s.at(2.5, 4, alert("shell", "p3")); len(f) != 0 {
		t.Error("found half")
	}
	if f := s.at(700, 700, ofPod("p3")); len(f) != 0 {
		t.Error("found after the time was over")
	}
	s = tell(t, chain, EngineOptions{})
	s.at(10, 10, ofPod("p1"))
	if f := s.at(9, 11, alert("shell", "p1")); len(f) != 1 || f[0].Events[0].ID != "e2" {
		t.Errorf("the first step came late: %+v", f)
	}
	s = tell(t, strings.Replace(chain, "within: 10m", "within: 10m\n    order: any", 1), EngineOptions{})
	s.at(10, 10, ofPod("p1"))
	if f := s.at(11, 11, alert("shell", "p1")); len(f) != 1 {
		t.Errorf("in any order: %+v", f)
	}
}

func TestNotFollowed(t *testing.T) {
	s := tell(t, strings.Replace(chain, "secrets\"}", "secrets\", not: true}", 1), EngineOptions{})
	s.at(0, 0, alert("shell", "p1"))
	s.at(5, 5, alert("shell", "p2"))
	s.at(6, 6, ofPod("p2"))
	s.tick(599)
	s.again()
	if s.tick(719); len(s.found) != 0 {
		t.Fatalf("found %+v before the last late event could come", s.found)
	}
	f := s.tick(721)
	if len(f) != 1 || f[0].Subject.UID != "p1" || f[0].Events[0].ID != "e1" {
		t.Fatalf("found %+v", f)
	}
	if s.tick(2000); len(s.found) != 1 {
		t.Errorf("%d findings", len(s.found))
	}
}

func TestSuppress(t *testing.T) {
	s := tell(t, ruleStart+"  source: falco\n  when: rule == \"shell\"\n  suppress: {by: [object.uid], for: 1h}\n", EngineOptions{})
	for i := range 1000 {
		s.at(float64(i), float64(i), alert("shell", "p1"))
		if i == 500 {
			s.again()
		}
	}
	if len(s.found) != 1 || s.counts[s.found[0].ID] != 512 {
		t.Fatalf("%d findings, counts %v", len(s.found), s.counts)
	}
	if f := s.at(1001, 1001, alert("shell", "p2")); len(f) != 1 {
		t.Error("a storm of one hides another")
	}
	if f := s.at(3601, 3601, alert("shell", "p1")); len(f) != 1 || s.counts[s.found[0].ID] != 1000 {
		t.Errorf("after an hour found %v, counts %v", f, s.counts)
	}
}

func TestFirstSeen(t *testing.T) {
	s := tell(t, ruleStart+"  source: audit\n  when: verb == \"get\" and first_seen(\"14d/1d\", actor.user, object.namespace)\n", EngineOptions{})
	const day = 24 * 3600
	s.at(0, 0, secrets("ann", "a"))
	s.at(100, 100, secrets("ann", "b"))
	if len(s.found) != 0 {
		t.Fatal("found while it learns")
	}
	s.again()
	for _, c := range []struct {
		day             float64
		user, namespace string
		want            bool
	}{
		{2, "ann", "a", false}, {2.1, "ann", "c", true}, {2.2, "ann", "c", false}, {3, "bob", "a", true},
		{13, "ann", "b", false}, {18, "ann", "a", true},
	} {
		if f := s.at(c.day*day, c.day*day, secrets(c.user, c.namespace)); (len(f) == 1) != c.want {
			t.Errorf("%+v: found %v", c, f)
		}
	}
	s = tell(t, ruleStart+"  source: audit\n  when: rarity(\"14d/0s\", actor.user, object.namespace) > 0.95\n", EngineOptions{})
	for i := range 50 {
		s.at(float64(i), float64(i), secrets("ann", "a"))
	}
	if f := s.at(60, 60, secrets("ann", "b")); len(f) != 1 || len(s.found) != 2 {
		t.Errorf("what is rare: %v, all %d", f, len(s.found))
	}
}

func TestSilence(t *testing.T) {
	s := tell(t, ruleStart+"  source: falco\n  when: rule == \"shell\"\n", EngineOptions{})
	quiet := event.Silence{ID: "s1", When: `rule == "mine" and subject.uid == "p1"`, Who: "ann", Why: "known", Until: dawn.Add(100 * time.Second)}
	s.at(0, 0, quiet.Event(dawn))
	s.again()
	if f := s.at(1, 1, alert("shell", "p1")); len(f) != 1 || f[0].Silence != "s1" {
		t.Errorf("a silence is for it: %+v", f)
	}
	if f := s.at(2, 2, alert("shell", "p2")); len(f) != 1 || f[0].Silence != "" {
		t.Errorf("another's silence: %+v", f)
	}
	s.again()
	if all := s.engine.Silences(); len(all) != 1 || all[0].Matched != 1 || all[0].Who != "ann" || all[0].Why != "known" {
		t.Errorf("silences %+v", all)
	}
	if f := s.at(101, 101, alert("shell", "p1")); f[0].Silence != "" || len(s.engine.Silences()) != 0 {
		t.Error("the silence is over")
	}
	bad := event.Silence{ID: "s2", When: "nothing == 1", Until: dawn.Add(time.Hour)}.Event(dawn)
	bad.ID = "bad"
	if _, _, err := s.engine.Fold(&bad, event.Address{}); err == nil {
		t.Error("a silence of nothing was taken")
	}
}

func TestSwitchOff(t *testing.T) {
	s := tell(t, ruleStart+"  source: falco\n  when: rule == \"shell\"\n", EngineOptions{})
	off := func(version string) event.Event {
		return event.Control(event.VerbSwitchOff, dawn, "", event.Fields{"rule": "mine", "version": version, "why": "slow"})
	}
	if f := s.at(0, 0, off("another")); len(f) != 0 {
		t.Error("another version was switched off")
	}
	f := s.at(1, 1, off(s.engine.set.Lookup("mine").Version()))
	if len(f) != 1 || f[0].Rule != "rule-switched-off" || !strings.Contains(f[0].Explanation, "mine") {
		t.Errorf("alarm %+v", f)
	}
	s.again()
	if f := s.at(2, 2, alert("shell", "p1")); len(f) != 0 || !slices.Equal(s.engine.Off(), []string{"mine"}) {
		t.Errorf("found %v, off %v", f, s.engine.Off())
	}
}

// A window's finding says which events it was made of: the first ones and the
// newest, those of its own group and time, the last one whole.
func TestAWindowsFindingNamesItsEvents(t *testing.T) {
	s := tell(t, ruleStart+"  sources: [falco, audit]\n  when: \"true\"\n  window: {by: [object.uid], over: 1m, having: count() >= 40}\n", EngineOptions{})
	s.at(0, 0, alert("old", "p1")) // event 1
	for i := range 39 {
		if i == 20 {
			s.at(100, 100, alert("other", "p2"))
			s.again()
		}
		e := alert("shell", "p1")
		if e.Trust = event.TrustRuntime; i == 3 {
			e.Trust = event.TrustName
		}
		s.at(100+float64(i)/10, 104, e)
	}
	e := ofPod("p1")
	e.Trust = event.TrustAudit
	f := s.at(105, 105, e)
	if len(f) != 1 {
		t.Fatal("nothing was found")
	}
	var got []uint64
	for _, at := range f[0].Events {
		got = append(got, at.Sequence)
	}
	// Event 1 has its place until no late event can come to its windows.
	want := []uint64{2, 3, 4, 5, 6, 7, 8, 35, 36, 37, 38, 39, 40, 41, 42}
	if !slices.Equal(got, want) || f[0].Events[14].ID != "e42" {
		t.Errorf("events %v, want %v", f[0].Events, want)
	}
	if f[0].Trust != event.TrustName {
		t.Errorf("trust is %v, one of its events has less", f[0].Trust)
	}
}
