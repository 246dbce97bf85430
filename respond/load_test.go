package respond

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/firebreak-io/firebreak/internal/conf"
	"github.com/firebreak-io/firebreak/internal/event"
	"github.com/firebreak-io/firebreak/respond/action"
)

// document is a playbook with the given spec, which begins in line 5.
func document(t testing.TB, spec string) (*Playbook, error) {
	t.Helper()
	text := "apiVersion: firebreak.io/v1alpha1\nkind: Playbook\nmetadata: {name: p}\nspec:\n" + spec
	docs, err := conf.Documents("p.yaml", []byte(text))
	if err != nil {
		return nil, err
	}
	return ParsePlaybook(docs[0])
}

const step = `  steps:
    - name: one
      action: pod.quarantine
`

func TestPlaybookMistakes(t *testing.T) {
	tests := map[string]struct {
		spec string
		want []string
	}{
		"unknown key":       {"  whem: 'true'\n" + step, []string{`5:3: unknown key "whem", did you mean "when"?`}},
		"no steps":          {"  when: 'true'\n", []string{`5:3: required key "steps" is missing`}},
		"empty steps":       {"  when: 'true'\n  steps: []\n", []string{`6:10: 0 steps: a playbook has 1 to 64`}},
		"too many steps":    {"  when: 'true'\n  steps:\n" + strings.Repeat("    - {name: a, action: pod.quarantine}\n", 65), []string{`65 steps: a playbook has 1 to 64`}},
		"unknown name":      {"  when: findings.rule == \"x\"\n" + step, []string{`5:9: `, `findings`, `did you mean "finding"?`}},
		"unknown field":     {"  when: finding.ruel == \"x\"\n" + step, []string{`5:`, `ruel`, `did you mean "rule"?`}},
		"no condition":      {"  when: finding.rule\n" + step, []string{`5:9: expected true or false, but got text`}},
		"unknown mode":      {"  when: 'true'\n  mode: akt\n" + step, []string{`6:9: "akt" is none of observe, ask, act, did you mean "act"?`}},
		"unknown action":    {"  when: 'true'\n  steps:\n    - name: one\n      action: pod.quarentine\n", []string{`8:15: unknown action "pod.quarentine", did you mean "pod.quarantine"?`}},
		"no name":           {"  when: 'true'\n  steps:\n    - name: One Two\n      action: pod.quarantine\n", []string{`7:13: "One Two" is no name`}},
		"a name twice":      {"  when: 'true'\n" + step + "    - {name: one, action: pod.quarantine}\n", []string{`9:14: a step of the name "one" is there already`}},
		"unknown step key":  {"  when: 'true'\n" + step + "      undo_afer: 1h\n", []string{`9:7: unknown key "undo_afer", did you mean "undo_after"?`}},
		"with left out":     {"  when: 'true'\n  steps:\n    - name: one\n      action: pod.processes\n", []string{`p.yaml:7:7: pod.processes: image "" is none`}},
		"with of nothing":   {"  when: 'true'\n  steps:\n    - name: one\n      action: pod.processes\n      with:\n", []string{`p.yaml:9:13: pod.processes: image "" is none`}},
		"with that lacks":   {"  when: 'true'\n  steps:\n    - name: one\n      action: pod.processes\n      with: {container: a}\n", []string{`p.yaml:9:13: pod.processes: image "" is none`}},
		"no duration":       {"  when: 'true'\n" + step + "      undo_after: soon\n", []string{`9:19: `, "soon"}},
		"too long a hold":   {"  when: 'true'\n" + step + "      undo_after: 25h\n", []string{`9:19: 25h0m0s is more than 24h0m0s`}},
		"too long a try":    {"  when: 'true'\n" + step + "      timeout: 11m\n", []string{`9:16: 11m0s is more than 10m0s`}},
		"unknown end":       {"  when: 'true'\n" + step + "      at_end: restor\n", []string{`9:15: "restor" is none of ask, restore, delete, did you mean "restore"?`}},
		"an end of no hold": {"  when: 'true'\n  steps:\n    - name: one\n      action: notify.event\n      undo_after: 1h\n      at_end: ask\n", []string{`9:19: notify.event holds nothing that could be undone`, `10:15: notify.event holds nothing that could end`}},
		"a node is not deleted": {
			"  when: 'true'\n  steps:\n    - name: one\n      action: node.cordon\n      at_end: delete\n", []string{`9:15: "delete" is none of restore, ask`},
		},
		"unknown failure": {"  when: 'true'\n" + step + "      on_failure: ignore\n", []string{`9:19: "ignore" is none of stop, continue, undo`}},
		"no tries":        {"  when: 'true'\n" + step + "      retry: {attempts: 0}\n", []string{`9:25: 0: between 1 and 100`}},
		"too many tries":  {"  when: 'true'\n" + step + "      retry: {attempts: 101, backoff: 31s}\n", []string{`9:25: 101: between 1 and 100`, `31s is more than 30s`}},
		"unknown with":    {"  when: 'true'\n" + step + "      with: {keep: true}\n", []string{`9:14: unknown key "keep"`}},
		"with of a type":  {"  when: 'true'\n  steps:\n    - name: one\n      action: pod.label\n      with: {labels: [a]}\n", []string{`9:22: expected a mapping`}},
		"with out of reach": {
			"  when: 'true'\n  steps:\n    - name: one\n      action: pod.label\n      with: {labels: {a: \"${target.nam}\"}}\n",
			[]string{`9:`, `nam`, `did you mean "name"?`},
		},
		"with left open":     {"  when: 'true'\n  steps:\n    - name: one\n      action: pod.label\n      with: {labels: {a: \"${target.name\"}}\n", []string{"9:", "${ is not closed by }"}},
		"nobody needed":      {"  when: 'true'\n  approve: {need: 0}\n" + step, []string{`6:19: 0: between 1 and 10 people can be needed`}},
		"a crowd needed":     {"  when: 'true'\n  approve: {need: 11}\n" + step, []string{`6:19: 11: between 1 and 10`}},
		"nobody named":       {"  when: 'true'\n  approve: {by: [group/, oncall]}\n" + step, []string{`6:18: "group/" is neither user/NAME nor group/NAME`, `6:26: "oncall" is neither`}},
		"too long to decide": {"  when: 'true'\n  approve: {within: 25h}\n" + step, []string{`6:21: 25h0m0s is more than 24h0m0s`}},
		"allowed by silence": {"  when: 'true'\n  approve: {otherwise: allow}\n" + step, []string{`6:24: "allow" is none of deny, page`}},
		"an unbounded loop":  {"  when: all(1..900, {all(1..900, {all(1..900, {true})})})\n" + step, []string{"5:"}},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			_, err := document(t, tt.spec)
			if err == nil {
				t.Fatal("was loaded")
			}
			for _, want := range tt.want {
				if !strings.Contains(err.Error(), want) {
					t.Errorf("says\n%v\nwant %q in it", err, want)
				}
			}
			for _, p := range conf.Problems(err) {
				if p.File != "p.yaml" || p.Line < 4 || p.Snippet == "" {
					t.Errorf("the problem has no place: %+v", p)
				}
			}
		})
	}
}

// TestAllProblemsAtOnce: one run of check tells everything.
func TestAllProblemsAtOnce(t *testing.T) {
	_, err := document(t, "  when: nonsense\n  mode: never\n  steps:\n    - {name: A, action: nothing}\n    - {name: b, action: pod.quarantine, undo_after: 48h}\n")
	if n := len(conf.Problems(err)); n < 5 {
		t.Errorf("%d problems:\n%v", n, err)
	}
	var one *conf.Error
	if !errors.As(err, &one) {
		t.Errorf("%T is no problem with a place", err)
	}
}

func TestPlaybookDefaults(t *testing.T) {
	b, err := document(t, "  when: 'true'\n  steps:\n    - {name: a, action: pod.quarantine}\n    - {name: b, action: node.cordon}\n    - {name: c, action: notify.event}\n")
	if err != nil {
		t.Fatal(err)
	}
	if b.Name != "p" || b.Mode != event.ModeObserve || b.Version == "" || b.Text == "" {
		t.Errorf("playbook is %+v", b)
	}
	if a := b.Approve; a.Need != 1 || a.Within != 15*time.Minute || len(a.By) != 0 {
		t.Errorf("approval is %+v", a)
	}
	for i, end := range []event.AtEnd{event.AtEndAsk, event.AtEndRestore, ""} {
		s := b.Steps[i]
		if s.AtEnd != end || s.UndoAfter != time.Hour || s.Timeout != 30*time.Second || s.OnFailure != OnFailureStop || s.Retry != (Retry{10, time.Second}) {
			t.Errorf("step %s is %+v", s.Name, s)
		}
		if s.Effect() != (i < 2) || s.Holds() != (i < 2) {
			t.Errorf("step %s: effect %v, holds %v", s.Name, s.Effect(), s.Holds())
		}
	}
}

func TestPlaybookSaysAll(t *testing.T) {
	for _, mode := range []string{"observe", "ask", "act"} {
		for _, end := range []string{"ask", "restore", "delete"} {
			for _, failure := range []string{"stop", "continue", "undo"} {
				if mode == "act" && end == "delete" {
					continue // asks nobody, see TestSense
				}
				b, err := document(t, "  when: 'true'\n  mode: "+mode+"\n  approve: {by: [user/ann, group/a/b], need: 2, within: 5m, otherwise: deny}\n"+step+
					"      at_end: "+end+"\n      on_failure: "+failure+"\n      undo_after: 2h\n      timeout: 5s\n      retry: {attempts: 2, backoff: 3s}\n")
				if err != nil {
					t.Fatal(err)
				}
				s := b.Steps[0]
				if string(b.Mode) != mode || string(s.AtEnd) != end || string(s.OnFailure) != failure || s.UndoAfter != 2*time.Hour ||
					s.Timeout != 5*time.Second || s.Retry != (Retry{2, 3 * time.Second}) || b.Approve.Need != 2 || b.Approve.Within != 5*time.Minute {
					t.Errorf("playbook is %+v", b)
				}
			}
		}
	}
}

func TestExpressionsOfAStep(t *testing.T) {
	b, err := document(t, `  when: finding.rule == "shell" and target.namespace != "dev"
  steps:
    - {name: zero, action: pod.quarantine}
    - name: one
      action: pod.label
      when: steps.zero.result == "partial" or incident.count > 1
      with: {labels: {rule: "${finding.rule}", fixed: "$${x}", both: "a-${target.name}", run: "${run}"}}
`)
	if err != nil {
		t.Fatal(err)
	}
	env := Env{Finding: event.Finding{Rule: "shell"}, Target: event.PodRef("shop", "web"), Run: "r1"}
	if ok, err := b.Applies(env); !ok || err != nil {
		t.Errorf("applies is %v, %v", ok, err)
	}
	if ok, err := b.Applies(Env{Finding: event.Finding{Rule: "shell"}, Target: event.PodRef("dev", "web")}); ok || err != nil {
		t.Errorf("applies to dev is %v, %v", ok, err)
	}
	if ok, err := b.Steps[1].Met(env); ok || err != nil {
		t.Errorf("met is %v, %v", ok, err)
	}
	env.Incident.Count = 2
	if ok, err := b.Steps[1].Met(env); !ok || err != nil {
		t.Errorf("met with two is %v, %v", ok, err)
	}
	_, with, err := parameters(b, event.Run{ID: "r1", Finding: env.Finding, Target: env.Target, Steps: []event.Step{{Name: "one"}}}, 0)
	if want := `{"labels":{"both":"a-web","fixed":"${x}","rule":"shell","run":"r1"}}`; err != nil || string(with) != want {
		t.Errorf("with is %s (%v), want %s", with, err, want)
	}
}

// TestWhomIsNeverEmpty: whom or what a step is about that comes out empty is a
// mistake, not everybody, nor the target instead.
func TestWhomIsNeverEmpty(t *testing.T) {
	for action, with := range map[string]string{
		"admission.deny": "privileged: true, namespace", "identity.deny": "user", "identity.unbind": "group", "rate.api": "user",
		"rate.http": "requests: 10, path",
	} {
		t.Run(action, func(t *testing.T) {
			b, err := document(t, "  when: 'true'\n  steps:\n    - {name: one, action: "+action+", with: {"+with+": \"${finding.actor.user}\"}}\n")
			if err != nil {
				t.Fatal(err)
			}
			run := event.Run{ID: "r1", Target: event.PodRef("shop", "web"), Steps: []event.Step{{Name: "one"}}}
			if _, _, err := parameters(b, run, 0); err == nil || !strings.Contains(err.Error(), "is empty: what is meant without it is said by leaving it out") {
				t.Errorf("got %v", err)
			}
			run.Finding.Actor.User = "orphan"
			if _, _, err := parameters(b, run, 0); err != nil {
				t.Error(err)
			}
		})
	}
}

// TestRunEndsWithItsOwnPlaybook: what a record holds is read as it was written.
func TestRunEndsWithItsOwnPlaybook(t *testing.T) {
	b := parse(t, actBook)
	run := Begin(b, event.Incident{ID: "i"}, event.Finding{ID: "f"}, event.PodRef("shop", "web"), event.ModeAct, start)
	again, err := ParseRun(run)
	if err != nil || again.Version != b.Version || run.Version != b.Version {
		t.Fatalf("read %+v, %v", again, err)
	}
	for name, change := range map[string]func(*event.Run){
		"no playbook":        func(r *event.Run) { r.Spec = "" },
		"two":                func(r *event.Run) { r.Spec += "---\n" + r.Spec },
		"another's":          func(r *event.Run) { r.Spec = strings.ReplaceAll(r.Spec, "pod.label", "pod.gone") },
		"of fewer steps":     func(r *event.Run) { r.Steps = append(r.Steps, event.Step{}) },
		"of another version": func(r *event.Run) { r.Spec = strings.Replace(r.Spec, "v1alpha1", "v0", 1) },
	} {
		t.Run(name, func(t *testing.T) {
			bad := run
			change(&bad)
			if _, err := ParseRun(bad); err == nil {
				t.Error("was read")
			}
		})
	}
}

func FuzzParsePlaybook(f *testing.F) {
	f.Add(actBook)
	f.Add(strings.Replace(actBook, "act", "ask", 1))
	f.Add("apiVersion: firebreak.io/v1alpha1\nkind: Playbook\nmetadata: {name: p}\nspec: {when: 'a', steps: [{}]}\n")
	f.Fuzz(func(_ *testing.T, text string) {
		docs, _ := conf.Documents("p.yaml", []byte(text))
		for _, d := range docs {
			_, _ = ParsePlaybook(d)
		}
	})
}

// A model alone never acts, whatever the playbook and the finding say.
func TestAModelNeverActsAlone(t *testing.T) {
	b := &Playbook{Name: "b", Mode: event.ModeAct}
	for _, c := range []struct {
		f    event.Finding
		want event.Mode
	}{
		{event.Finding{ID: "f", Rule: "r"}, event.ModeAct},
		{event.Finding{ID: "f", Model: "m"}, event.ModeAsk},
		{event.Finding{ID: "f", Model: "m", Mode: event.ModeAct}, event.ModeAsk},
		{event.Finding{ID: "f", Model: "m", Mode: event.ModeObserve}, event.ModeObserve},
	} {
		if run := Begin(b, event.Incident{ID: "i"}, c.f, event.PodRef("shop", "web"), event.ModeAct, start); run.Mode != c.want {
			t.Errorf("%+v begins in mode %s, not %s", c.f, run.Mode, c.want)
		}
	}
}

// TestEveryActionSaysWhere: what an action finds wrong in what it is given has
// a place, also where it is given nothing: that of the step.
func TestEveryActionSaysWhere(t *testing.T) {
	for name, with := range map[string]string{
		"left out": "", "nothing": "      with:\n", "empty": "      with: {}\n", "no mapping": "      with: [a]\n",
		"a wrong key": "      with: {nonsense: 1}\n", "a text to fill in": "      with: {nonsense: \"${target.name}\"}\n",
	} {
		t.Run(name, func(t *testing.T) {
			for _, kind := range action.Kinds() {
				body := "  steps:\n    - name: one\n      action: " + kind.Name + "\n" + with
				_, err := document(t, "  when: 'true'\n"+body)
				saysWhere(t, kind.Name, err, 7, 9)
				_, err = document(t, "  when: 'true'\n  steps:\n    - parallel:\n        - {name: zero, action: notify.event}\n        - {name: one, action: "+kind.Name+"}\n")
				saysWhere(t, kind.Name, err, 9, 9)
				docs, err := conf.Documents("p.yaml", []byte("apiVersion: firebreak.io/v1alpha1\nkind: StepGroup\nmetadata: {name: g}\nspec:\n\n"+body))
				if err != nil {
					t.Fatal(err)
				}
				saysWhere(t, kind.Name, ParseGroup(docs[0]), 7, 9)
			}
		})
	}
}

// saysWhere demands that each problem stands in lines first to last of the file.
func saysWhere(t *testing.T, name string, err error, first, last int) {
	t.Helper()
	for _, p := range conf.Problems(err) {
		if p.File != "p.yaml" || p.Line < first || p.Line > last || p.Column < 1 || p.Snippet == "" {
			t.Errorf("%s: the problem has no place in lines %d to %d:\n%v", name, first, last, p)
		}
	}
}
