package detect

import (
	"fmt"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/firebreak-io/firebreak/detect/pack"
	"github.com/firebreak-io/firebreak/internal/conf"
	"github.com/firebreak-io/firebreak/internal/event"
)

// explain is an event that is explained, with the look of the only rule.
func (s *story) explain(second float64, e event.Event) Look {
	s.t.Helper()
	s.n++
	e.ID = fmt.Sprint("e", s.n)
	e.Time = dawn.Add(time.Duration(second * float64(time.Second)))
	e.Received = e.Time
	x := s.engine.Explain(&e, event.Address{Sequence: s.n, ID: e.ID}, Extent{Every: func(string) bool { return true }})
	if len(x.Looks) != 1 || x.Err != nil || !x.Fresh {
		s.t.Fatalf("%d looks, fresh %v, %v", len(x.Looks), x.Fresh, x.Err)
	}
	return x.Looks[0]
}

func (l Look) want(t *testing.T, stage Stage, reason string) {
	t.Helper()
	if l.Stage != stage || !strings.Contains(l.Reason, reason) {
		t.Errorf("it came to %s (%s), want %s (%s)", l.Stage, l.Reason, stage, reason)
	}
}

const explained = ruleStart + `  source: audit
  class: k8s.api
  when: verb in ["get", "list"] and object.resource == "secrets"
  unless: actor.user == "root"
---
apiVersion: firebreak.io/v1alpha1
kind: Exception
metadata: {name: backups}
spec: {rule: mine, when: 'actor.user == "velero"', reason: it saves them}
`

func TestExplainStages(t *testing.T) {
	s := tell(t, explained, EngineOptions{Own: []string{"firebreak"}})
	pods := secrets("ann", "a")
	pods.Object.Resource = "pods"
	s.explain(0, pods).want(t, StageIndex, `object.resource is "pods"`)
	exec := secrets("ann", "a")
	exec.Class = event.ClassAPIExec
	s.explain(1, exec).want(t, StageIndex, `class is "k8s.exec"`)
	s.explain(2, secrets("root", "a")).want(t, StageUnless, "unless is true")
	l := s.explain(3, secrets("velero", "a"))
	l.want(t, StageException, "exception backups: it saves them")
	if x := l.Steps[0].Exceptions; len(x) != 1 || !x[0].Holds || x[0].When.Truth != conf.True {
		t.Errorf("exceptions %+v", x)
	}
	l = s.explain(4, secrets("ann", "a"))
	l.want(t, StageFound, "")
	when := l.Steps[0].When[0]
	if l.Finding == nil || when.Truth != conf.True || len(when.Parts) != 2 || when.Parts[1].Values[0].Value != "secrets" {
		t.Errorf("found %+v, when %+v", l.Finding, when)
	}
	quiet := event.Silence{ID: "s1", When: `actor.user == "bob"`, Until: dawn.Add(time.Hour)}.Event(dawn)
	s.at(5, 5, quiet)
	s.explain(6, secrets("bob", "a")).want(t, StageSilenced, "silence s1")
	s.at(7, 7, event.Control(event.VerbSwitchOff, dawn, "", event.Fields{"rule": "mine", "version": l.Version, "why": "slow"}))
	s.explain(8, secrets("ann", "a")).want(t, StageOff, "slow")
}

func TestExplainWhen(t *testing.T) {
	s := tell(t, ruleStart+"  source: audit\n  when: len(verb) == 4 and first_seen(\"14d/0s\", actor.user, object.namespace)\n", EngineOptions{})
	l := s.explain(0, secrets("ann", "a"))
	l.want(t, StageWhen, "when is not true")
	if p := l.Steps[0].When[0].Parts; p[0].Truth != conf.False || p[1].Truth != conf.Unknown {
		t.Errorf("parts %v, %v: what was not asked is not known", p[0].Truth, p[1].Truth)
	}
	e := secrets("ann", "a")
	e.Verb = "list"
	s.explain(1, e).want(t, StageFound, "")
	s.explain(2, e).want(t, StageWhen, "")
}

func TestExplainWindow(t *testing.T) {
	s := tell(t, swept, EngineOptions{})
	s.explain(0, secrets("ann", "a"))
	l := s.explain(1, secrets("ann", "b"))
	l.want(t, StageWindow, "having is not true yet")
	w := l.Window
	if w == nil || !reflect.DeepEqual(w.Group, []GroupValue{{"actor.user", "ann"}}) || len(w.Numbers) != 2 || w.Numbers[0] != (Number{"distinct(object.namespace)", 2}) ||
		w.Having.Truth != conf.False || w.Having.Parts[0].Truth != conf.False {
		t.Fatalf("window %+v", w)
	}
	l = s.explain(2, secrets("ann", "c"))
	l.want(t, StageFound, "")
	if l.Window.Having.Truth != conf.True {
		t.Errorf("having is %v", l.Window.Having.Truth)
	}
	id := l.Finding.ID
	l = s.explain(3, secrets("ann", "c"))
	l.want(t, StageSuppressed, "counted to finding "+id)
	if l.Suppressed.Count != 2 || !l.Suppressed.Until.Equal(dawn.Add(5*time.Minute+2*time.Second)) {
		t.Errorf("suppressed %+v", l.Suppressed)
	}
}

func TestExplainSequence(t *testing.T) {
	s := tell(t, chain, EngineOptions{})
	l := s.explain(0, alert("shell", "p1"))
	l.want(t, StageSequence, "other steps")
	if q := l.Sequence; q == nil || !reflect.DeepEqual(q.Waiting, []int{1, 0}) || q.Complete || q.Group[0].Value != "p1" {
		t.Fatalf("sequence %+v", l.Sequence)
	}
	l = s.explain(1, ofPod("p1"))
	l.want(t, StageFound, "")
	if !l.Sequence.Complete || l.Steps[0].Matched || !l.Steps[1].Matched {
		t.Errorf("sequence %+v, steps %+v", l.Sequence, l.Steps)
	}
	s = tell(t, strings.Replace(chain, "secrets\"}", "secrets\", not: true}", 1), EngineOptions{})
	l = s.explain(0, alert("shell", "p1"))
	l.want(t, StageSequence, "unless the last step follows")
	if l.Sequence.Awaited != 1 {
		t.Errorf("sequence %+v", l.Sequence)
	}
}

// To be explained changes nothing for what follows.
func TestExplainChangesNothing(t *testing.T) {
	rules := strings.ReplaceAll(swept, "name: mine", "name: swept") + "---\n" + chain + "---\n" + strings.ReplaceAll(explained, "mine", "plain") + "---\n" +
		strings.ReplaceAll(ruleStart, "mine", "novel") + "  source: audit\n  when: first_seen(\"14d/0s\", actor.user, object.namespace)\n  suppress: {by: [actor.user], for: 10s}\n"
	set, err := ruleSet(t, rules)
	if err != nil {
		t.Fatal(err)
	}
	rapid.Check(t, func(t *rapid.T) {
		plain, told, matched := NewEngine(set, EngineOptions{}), NewEngine(set, EngineOptions{}), NewEngine(set, EngineOptions{})
		now := dawn
		for i := range rapid.IntRange(1, 60).Draw(t, "events") {
			e := rapid.SampledFrom([]event.Event{secrets("ann", "a"), secrets("ann", "b"), secrets("bob", "c"), alert("shell", "p1"), ofPod("p1"), secrets("root", "a")}).Draw(t, "event")
			now = now.Add(time.Duration(rapid.IntRange(0, 100).Draw(t, "seconds")) * time.Second)
			e.ID, e.Time, e.Received = fmt.Sprint(i), now, now
			at := event.Address{Sequence: uint64(i + 1), ID: e.ID}
			found, _, err := plain.Fold(&e, at)
			x := told.Explain(&e, at, Extent{Every: func(string) bool { return rapid.Bool().Draw(t, "every") }})
			if err != nil || x.Err != nil || !reflect.DeepEqual(found, x.Findings) {
				t.Fatalf("found %+v, explained %+v (%v, %v)", found, x.Findings, err, x.Err)
			}
			agree(t, &e, x)
			short := matched.Explain(&e, at, Extent{Matched: true})
			less := slices.DeleteFunc(slices.Clone(x.Looks), func(l Look) bool {
				return !slices.ContainsFunc(l.Steps, func(st StepLook) bool { return st.Selected && holds(st.When) })
			})
			if fmt.Sprint(rulesOf(short.Looks)) != fmt.Sprint(rulesOf(less)) || !reflect.DeepEqual(short.Findings, found) {
				t.Fatalf("those that match are %v, want %v", rulesOf(short.Looks), rulesOf(less))
			}
		}
		var a, b pack.Writer
		plain.Save(&a)
		told.Save(&b)
		if !reflect.DeepEqual(a.Data, b.Data) {
			t.Fatal("they remember different things")
		}
	})
}

func rulesOf(looks []Look) (all []string) {
	for _, l := range looks {
		all = append(all, l.Rule+" "+string(l.Stage))
	}
	return all
}

// agree says that every finding of the event has a look, and the other way.
func agree(t *rapid.T, e *event.Event, x Explanation) {
	looks := 0
	for _, l := range x.Looks {
		if l.Finding != nil {
			looks++
		}
		if l.Stage == StageAsked {
			t.Fatalf("nothing is said of how %s looked at %s", l.Rule, e.ID)
		}
	}
	if looks != len(x.Findings) {
		t.Fatalf("%d findings, %d looks found one", len(x.Findings), looks)
	}
}
