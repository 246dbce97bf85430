package respond

import (
	"strings"
	"testing"
	"time"

	"github.com/firebreak-io/firebreak/internal/conf"
	"github.com/firebreak-io/firebreak/internal/event"
)

// mistakes are what check has to find in the sense of a playbook; the spec
// begins in line 5.
func TestSense(t *testing.T) {
	const act = "  when: 'true'\n  mode: act\n"
	for name, tt := range map[string]struct{ spec, want string }{
		"never applies":           {"  when: 'finding.rule == \"a\" and finding.rule == \"b\"'\n" + step, "5:10: is never true: the playbook would never run"},
		"against the playbook":    {"  when: target.resource == \"pods\"\n" + step + "      when: target.resource == \"nodes\"\n", "9:13: is never true where the playbook applies"},
		"of the wrong object":     {"  when: target.resource == \"pods\"\n  steps:\n    - {name: a, action: node.cordon}\n", "node.cordon is for nodes, and what the playbook is about are pods; for the pod's node give the step target: node(target.node)"},
		"a step that is none":     {"  when: 'true'\n" + step + "      when: steps.oen.state == \"done\"\n", `9:13: there is no step "oen"`},
		"a step that comes later": {"  when: 'true'\n" + step + "      when: steps.two.state == \"done\"\n    - {name: two, action: notify.event}\n", "9:13: step two does not come before this one"},
		"a step beside it":        {"  when: 'true'\n  steps:\n    - parallel:\n        - {name: a, action: notify.event}\n        - {name: b, action: notify.event, when: steps.a.state == \"done\"}\n", "step a does not come before this one"},
		"no such state":           {"  when: 'true'\n" + step + "    - {name: two, action: notify.event, when: steps.one.state == \"finished\"}\n", `step one is never "finished"`},
		"after a stop":            {"  when: 'true'\n" + step + "    - {name: two, action: node.cordon, target: node(target.node), when: steps.one.state == \"failed\"}\n", "give that one on_failure: continue"},
		"steps in the condition":  {"  when: steps.one.state == \"done\"\n" + step, "5:9: no step has moved when this is decided"},
		"deletes without asking":  {act + step + "      at_end: delete\n", "in mode act the step needs approve"},
		"deletes the evidence":    {act + step + "      at_end: delete\n", "before there is evidence"},
		"one alone":               {"  when: 'true'\n  steps:\n    - parallel:\n        - {name: a, action: notify.event}\n", "1 steps can't go side by side"},
		"a name for several":      {"  when: 'true'\n  steps:\n    - name: x\n      parallel:\n        - {name: a, action: notify.event}\n        - {name: b, action: notify.event}\n", "name stands beside parallel"},
		"both":                    {"  when: 'true'\n" + step + "      target: target\n      for_each: incident.subjects\n", "a step has target or for_each, not both"},
		"most of one":             {"  when: 'true'\n" + step + "      at_most: 3\n", "at_most is for a step with for_each"},
		"too many":                {"  when: 'true'\n" + step + "      for_each: incident.subjects\n      at_most: 51\n", "51: between 1 and 50"},
		"approval of a message":   {"  when: 'true'\n  steps:\n    - {name: a, action: notify.event, approve: {need: 1}}\n", "nobody needs to approve"},
		"an order":                {"  when: 'true'\n  order: 1001\n" + step, "6:10: 1001: between 0 and 1000"},
		"params of nothing":       {"  when: 'true'\n" + step + "      when: params.x == \"y\"\n", "params are those of a step group"},
		"no group":                {"  when: 'true'\n  steps:\n    - {name: a, use: tel}\n", `there is no step group "tel", did you mean "tell"?`},
		"a key of the group":      {"  when: 'true'\n  steps:\n    - {name: a, use: tell, timeout: 5s}\n", "timeout is for a step with an action"},
		"a parameter too many":    {"  when: 'true'\n  steps:\n    - {name: a, use: tell, with: {what: x, wat: y}}\n", `step group "tell" has no parameter "wat", did you mean "what"?`},
		"a parameter missing":     {"  when: 'true'\n  steps:\n    - {name: a, use: tell}\n", `step group "tell" needs the parameter "what"`},
		"a group in a group":      {"  when: 'true'\n  steps:\n    - {name: a, use: nested}\n", "a step group can't use another one"},
		"a time of no group":      {"  when: 'true'\n" + step + "      undo_after: ${params.hold}\n", "params are those of a step group"},
		"a time of a run":         {"  when: 'true'\n  steps:\n    - {name: a, use: hold, with: {hold: \"${finding.title}\"}}\n", "has to be known before a run"},
		"a time that is none":     {"  when: 'true'\n  steps:\n    - {name: a, use: hold, with: {hold: long}}\n", `parameter hold: duration "long"`},
		"a time too long":         {"  when: 'true'\n  steps:\n    - {name: a, use: hold, with: {hold: 2d}}\n", "48h0m0s is more than 24h0m0s"},
		"no time at all":          {"  when: 'true'\n  steps:\n    - {name: a, use: hold, with: {hold: 0s}}\n", "it is no time at all"},
		"empty labels":            {"  when: 'true'\n  steps:\n    - {name: a, action: pod.label, with: {labels: {}}}\n", "pod.label: no labels"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := withGroups(t, tt.spec)
			if err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Fatalf("says\n%v\nwant %q in it", err, tt.want)
			}
			for _, p := range conf.Problems(err) {
				if p.Line < 4 || p.Snippet == "" {
					t.Errorf("the problem has no place: %+v", p)
				}
			}
		})
	}
}

const groups = `apiVersion: firebreak.io/v1alpha1
kind: StepGroup
metadata: {name: tell}
spec:
  params: {what: {}, reason: {default: Contained}}
  steps:
    - {name: pod, action: notify.event, with: {reason: "${params.reason}", note: "${params.what} of ${target.name}"}}
    - {name: again, action: notify.event, when: steps.pod.state == "done" and params.what != "", with: {note: "${steps.pod.result}"}}
---
apiVersion: firebreak.io/v1alpha1
kind: StepGroup
metadata: {name: nested}
spec:
  steps: [{name: a, use: tell, with: {what: x}}]
---
apiVersion: firebreak.io/v1alpha1
kind: StepGroup
metadata: {name: hold}
spec:
  params: {hold: {default: 2h}, try-for: {default: 10s}}
  steps: [{name: pod, action: pod.quarantine, undo_after: "${params.hold}", timeout: '${params["try-for"]}'}]
`

func withGroups(t testing.TB, spec string) (*Playbook, error) {
	t.Helper()
	shared, err := conf.Documents("groups.yaml", []byte(groups))
	if err != nil {
		t.Fatal(err)
	}
	docs, err := conf.Documents("p.yaml", []byte("apiVersion: firebreak.io/v1alpha1\nkind: Playbook\nmetadata: {name: p}\nspec:\n"+spec))
	if err != nil {
		return nil, err
	}
	return ParsePlaybook(docs[0], shared...)
}

func playText(t *testing.T, spec string) *world {
	t.Helper()
	b, err := withGroups(t, spec)
	if err != nil {
		t.Fatal(err)
	}
	return play(t, b)
}

func TestGroupsOfSteps(t *testing.T) {
	w := playText(t, "  when: 'true'\n  mode: act\n  steps:\n    - {name: one, action: pod.quarantine}\n    - {name: tell, use: tell, with: {what: \"${steps.one.result} ${finding.rule}\"}}\n")
	again, err := ParseRun(w.run)
	if err != nil || len(again.Steps) != 3 || again.Version != w.book.Version || w.run.Version != w.book.Version {
		t.Fatalf("the record's playbook: %+v, %v\n%s", again, err, w.run.Spec)
	}
	w.turn().want(event.RunHolding, "plan one, plan tell.pod, plan tell.again, plan one, do one, plan tell.pod, do tell.pod, plan tell.again, do tell.again")
	for i, want := range []string{"", `{"reason":"Contained","type":"Warning","note":"applied r of web"}`, `{"reason":"SecurityIncident","type":"Warning","note":"applied"}`} {
		if i == 0 {
			continue
		}
		if _, with, err := parameters(w.book, w.run, i); err != nil || string(with) != want {
			t.Errorf("step %d is given %s, %v; want %s", i, with, err, want)
		}
	}
}

// TestTimesOfGroups: how long a group's step holds is up to who uses it.
func TestTimesOfGroups(t *testing.T) {
	b, err := withGroups(t, "  when: 'true'\n  steps:\n    - {name: a, use: hold}\n    - {name: b, use: hold, with: {hold: 30m, try-for: 1m}}\n")
	if err != nil {
		t.Fatal(err)
	}
	for i, want := range []struct{ hold, timeout time.Duration }{{2 * time.Hour, 10 * time.Second}, {30 * time.Minute, time.Minute}} {
		if s := b.Steps[i]; s.UndoAfter != want.hold || s.Timeout != want.timeout {
			t.Errorf("%s holds for %s, is tried for %s", s.Name, s.UndoAfter, s.Timeout)
		}
	}
	for text, want := range map[string]string{
		"{hold: {}}": "", "{hold: {default: 3d}}": "72h0m0s is more than 24h0m0s", "{holt: {}}": `no parameter "hold", did you mean "holt"?`,
	} {
		docs, err := conf.Documents("g.yaml", []byte("apiVersion: firebreak.io/v1alpha1\nkind: StepGroup\nmetadata: {name: g}\nspec:\n  params: "+text+
			"\n  steps: [{name: a, action: pod.quarantine, undo_after: \"${params.hold}\"}]\n"))
		if err != nil {
			t.Fatal(err)
		}
		if err := ParseGroup(docs[0]); want == "" && err != nil || want != "" && (err == nil || !strings.Contains(err.Error(), want)) {
			t.Errorf("%s: %v", text, err)
		}
	}
}

func TestParallelStepsGoSideBySide(t *testing.T) {
	w := playText(t, `  when: 'true'
  mode: act
  steps:
    - parallel:
        - {name: a, action: pod.quarantine}
        - {name: b, action: node.cordon, target: node("n1")}
        - {name: c, action: pod.label, with: {labels: {x: y}}}
        - {name: d, action: notify.event}
    - {name: last, action: notify.event, when: steps.a.state == "done"}
`)
	for w.run.State == event.RunGuarding {
		e, _ := Due(w.book, w.run, w.now)
		w.carry(*e)
	}
	// c is about what a is about: one of the two goes at a time.
	if got := w.due(); got != "plan a, plan b, plan d" {
		t.Errorf("due are %s", got)
	}
	w.carry(Effect{EffectPlan, 1})
	if got := w.due(); got != "do b, plan a, plan d" {
		t.Errorf("due are %s", got)
	}
	w.did = nil
	w.turn().want(event.RunHolding, "")
	if last := w.did[len(w.did)-1]; last != "do last" {
		t.Errorf("did %v", w.did)
	}
}

func (w *world) due() string {
	effects, _ := DueAll(w.book, w.run, w.now)
	var out []string
	for _, e := range effects {
		out = append(out, string(e.Kind)+" "+w.run.Steps[e.Step].Name)
	}
	return strings.Join(out, ", ")
}

const eachPod = `  when: 'true'
  mode: act
  steps:
    - {name: hold, action: pod.quarantine, for_each: 'filter(incident.subjects, .resource == "pods")', at_most: 2, when: target.name != "p1"}
    - {name: tell, action: notify.event, when: steps.hold.done == 2 and steps.hold.total == 3}
`

func TestForEach(t *testing.T) {
	for most, state := range map[string]event.RunState{"at_most: 3": event.RunHolding, "at_most: 2": event.RunAwaiting} {
		w := playText(t, strings.Replace(eachPod, "at_most: 2", most, 1))
		for _, name := range []string{"p0", "p1", "p2"} {
			ref := event.PodRef("shop", name)
			ref.UID = "uid-" + name
			w.run.Incident.Subjects = append(w.run.Incident.Subjects, ref, event.NodeRef("n"))
		}
		w.turn().want(state, "")
		var names []string
		for _, s := range w.run.Steps {
			names = append(names, s.Name+" "+string(s.State))
		}
		if state == event.RunAwaiting {
			if a := w.run.Approval; len(a.Reasons) != 2 || !strings.Contains(a.Reasons[0], "3 objects, more than at_most 2") {
				t.Errorf("asked is %+v", w.run.Approval)
			}
			w.vote("ann", true).want(event.RunHolding, "")
			continue
		}
		if got, want := strings.Join(names, ", "), "hold expanded, tell done, hold.1 done, hold.2 skipped, hold.3 done"; got != want {
			t.Errorf("steps are %s, want %s", got, want)
		}
		if _, err := ParseRun(w.run); err != nil {
			t.Error(err)
		}
		w.did = nil
		w.undo("").want(event.RunClosed, "undo hold.3, undo hold.1")
	}
}

func TestForEachOfNothingIsLeftOut(t *testing.T) {
	w := playText(t, eachPod).turn()
	w.want(event.RunClosed, "")
	if s := w.run.Steps[0]; s.State != event.StepSkipped || !strings.Contains(s.Error, "nothing that it would be about") {
		t.Errorf("step is %+v", s)
	}
}

// TestApprovalOfSingleSteps: each is asked of its own people, in every mode, and
// the no to one that may fail is for it alone.
func TestApprovalOfSingleSteps(t *testing.T) {
	spec := `  when: 'true'
  mode: act
  steps:
    - {name: hold, action: pod.quarantine}
    - {name: mark, action: pod.label, with: {labels: {x: y}}, approve: {by: [group/a], need: 1, within: 5m}, on_failure: continue}
    - {name: cordon, action: node.cordon, target: node("n1"), approve: {by: [group/b], need: 1, within: 10m}}
`
	member := func(group string) func(*event.Vote) { return func(v *event.Vote) { v.Groups = []string{group} } }
	w := playText(t, spec).turn()
	w.want(event.RunAwaiting, "plan hold, plan mark, targets cordon, plan cordon, plan hold, do hold")
	if a := w.run.Approval; strings.Join(a.Steps, " ") != "mark" || a.By[0] != "group/a" {
		t.Fatalf("asked is %+v", a)
	}
	w.vote("ann", true, member("b")).want(event.RunAwaiting, "")
	w.vote("ann", false, member("a")).want(event.RunAwaiting, "")
	if s := w.run.Steps[1]; s.State != event.StepDenied || w.run.Stopped {
		t.Errorf("step mark is %s, stopped %v", s.State, w.run.Stopped)
	}
	if a := w.run.Approval; strings.Join(a.Steps, " ") != "cordon" || a.By[0] != "group/b" {
		t.Fatalf("asked is %+v", a)
	}
	w.vote("bob", true, member("b")).want(event.RunHolding, "")

	w = playText(t, spec).turn().later(5 * time.Minute)
	w.want(event.RunAwaiting, "")
	w.later(10*time.Minute).want(event.RunHolding, "")
	if w.run.End != event.RunExpired {
		t.Errorf("it ends as %s", w.run.End)
	}
}

// TestAMessageHoldsNothingUp: a receiver that is away keeps no pod from being
// isolated, unless the step asks about it.
func TestAMessageHoldsNothingUp(t *testing.T) {
	for condition, want := range map[string]string{"": "do hold", `, when: steps.tell.attempts < 99`: ""} {
		w := playText(t, "  when: 'true'\n  mode: act\n  steps:\n    - {name: tell, action: notify.event}\n    - {name: hold, action: pod.quarantine"+condition+"}\n")
		w.fail = func(k EffectKind, i int) Failure {
			if k == EffectDo && i == 0 {
				return FailedRetry
			}
			return ""
		}
		w.turn()
		if got := strings.Contains(strings.Join(w.did, ", "), "do hold"); got != (want != "") {
			t.Errorf("%q: did %v", condition, w.did)
		}
	}
}

// TestConditionsAreDecidedEarly: nobody is asked about a step that its condition
// leaves out anyway, and no guard's no to it stops the others.
func TestConditionsAreDecidedEarly(t *testing.T) {
	w := playText(t, "  when: 'true'\n  mode: ask\n  steps:\n    - {name: hold, action: pod.quarantine}\n    - {name: mark, action: pod.label, with: {labels: {x: y}}, when: incident.risk > 80}\n")
	w.verdict = func(i int) []event.Verdict {
		if i == 1 {
			return []event.Verdict{{Guard: "g", Decision: event.Deny}}
		}
		return nil
	}
	w.turn().want(event.RunAwaiting, "plan hold")
	if a := w.run.Approval; strings.Join(a.Steps, " ") != "hold" {
		t.Errorf("asked is %+v", a)
	}
}

// TestStopReachesWhatIsUnderWay: what is beside a step that fails, and has to
// be tried again, is given up.
func TestStopReachesWhatIsUnderWay(t *testing.T) {
	for _, again := range []Failure{FailedConflict, FailedHeld, FailedRetry} {
		w := playText(t, "  when: 'true'\n  mode: act\n  steps:\n    - parallel:\n        - {name: a, action: pod.quarantine}\n        - {name: b, action: node.cordon, target: node(\"n1\")}\n")
		for range 3 {
			e, _ := Due(w.book, w.run, w.now)
			w.carry(*e)
		}
		for i := range 2 {
			if w.run.Steps[i].State == event.StepPlanned {
				w.carry(Effect{EffectPlan, i})
			}
		}
		w.input(Input{Done: &Done{Step: 0, Failure: FailedFinal, Error: "no"}})
		w.input(Input{Done: &Done{Step: 1, Failure: again, Error: "later"}})
		w.turn().want(event.RunFailed, "")
		if s := w.run.Steps[1]; s.State != event.StepSkipped || s.Undo == nil {
			t.Errorf("after %s step b is %s, undone %v", again, s.State, s.Undo)
		}
	}
}

// TestWhatAnObservingRunWouldAsk is on its record.
func TestWhatAnObservingRunWouldAsk(t *testing.T) {
	w := playText(t, "  when: 'true'\n  approve: {by: [group/oncall], need: 2}\n  steps:\n    - {name: hold, action: pod.quarantine}\n    - {name: mark, action: pod.label, with: {labels: {x: y}}, approve: {by: [user/ann]}}\n").turn()
	w.want(event.RunObserved, "plan hold, plan mark")
	if a := w.run.Would; len(a) != 2 || a[0].By[0] != "group/oncall" || a[0].Need != 2 || a[1].By[0] != "user/ann" || a[1].Steps[0] != "mark" {
		t.Errorf("would ask %+v", a)
	}
}
