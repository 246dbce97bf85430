package cases

import (
	"strings"
	"testing"

	"github.com/firebreak-io/firebreak/internal/conf"
	"github.com/firebreak-io/firebreak/respond"
)

const knownBook = `apiVersion: firebreak.io/v1alpha1
kind: Playbook
metadata: {name: mark}
spec:
  when: finding.rule == "shell"
  mode: act
  steps:
    - {name: label, action: pod.label, with: {labels: {a: "1"}}}
`

// TestMistakesOfCases: what a case says of nothing that there is, or at odds with
// itself, is found with its place, and not passed over.
func TestMistakesOfCases(t *testing.T) {
	docs, err := conf.Documents("mark.yaml", []byte(knownBook))
	if err != nil {
		t.Fatal(err)
	}
	book, err := respond.ParsePlaybook(docs[0])
	if err != nil {
		t.Fatal(err)
	}
	for name, tt := range map[string]struct{ during, run, want string }{
		"two things at once":    {"{vote: ann, undo: bob}", "", "6:14: 2 of vote, deny, undo, extend, keep and fail"},
		"nothing":               {"{at: 1m}", "", "6:14: 0 of vote"},
		"extended by nothing":   {"{extend: ann}", "", "6:14: extend: say for how long"},
		"no such failure":       {"{fail: label, as: finale}", "", `6:14: as: "finale" is none of retry, conflict, gone, final, did you mean "final"?`},
		"no such effect":        {"{fail: label, on: mark}", "", `6:14: on: "mark" is none of do, plan, undo`},
		"no such end":           {"{undo: ann, end: ask}", "", `6:14: end: "ask" is none of restore, delete`},
		"no such step fails":    {"{fail: lable}", "", `6:14: fail: there is no step "lable", did you mean "label"?`},
		"no such step ends":     {"", "ends: {lable: done}", `7:12: ends: there is no step "lable"`},
		"no such state":         {"", "state: close", `7:12: state: there is no state of a run "close", did you mean "closed"?`},
		"no such state of step": {"", "ends: {label: don}", `7:12: ends: there is no state of a step "don", did you mean "done"?`},
		"no such step is done":  {"", "did: [lable]", `7:12: did: there is no step "lable"`},
		"nothing wrong":         {"{fail: label.1, as: gone}, {extend: ann, for: 1h}", "state: closed, ends: {label: reverted}, did: [undo label]", ""},
	} {
		t.Run(name, func(t *testing.T) {
			text := "cases:\n  - name: one\n    cluster: []\n    findings:\n      - {rule: x}\n    during: [" + tt.during + "]\n    runs: [{playbook: mark"
			if tt.run != "" {
				text += ", " + tt.run
			}
			f, err := Decode("x_test.yaml", []byte(text+"}]\n"))
			if err == nil {
				r, _ := runner(t, nil)
				r.Playbooks = []*respond.Playbook{book}
				err = r.known(f.Cases[0])
			}
			if tt.want == "" && err != nil || tt.want != "" && (err == nil || !strings.Contains(err.Error(), "x_test.yaml:"+tt.want)) {
				t.Errorf("says %v, want %s", err, tt.want)
			}
		})
	}
}
