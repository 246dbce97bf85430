package cases

import (
	"testing"

	"github.com/firebreak-io/firebreak/cmd/internal/files"
	"github.com/firebreak-io/firebreak/detect"
)

// TestShipped runs the tests that lie beside the shipped rules and playbooks.
// Each rule is reached by one, and says what people need.
func TestShipped(t *testing.T) {
	const rules, books = "../../../detect/rules", "../../../playbooks"
	set, err := files.Rules([]string{rules}, false)
	if err != nil {
		t.Fatal(err)
	}
	playbooks, err := files.Playbooks([]string{books}, false)
	if err != nil {
		t.Fatal(err)
	}
	all, err := Load([]string{rules, books})
	if err != nil {
		t.Fatal(err)
	}
	r := Runner{Rules: set, Playbooks: playbooks, Reach: NewReach()}
	for _, f := range all {
		for _, c := range f.Cases {
			result, err := r.Run(t.Context(), c)
			if err != nil {
				t.Error(err)
			}
			for _, p := range result.Problems {
				t.Errorf("%s:%d: %s: %s", f.Name, c.Line(), c.Name, p)
			}
			for _, f := range result.Findings {
				if f.Explanation == "" {
					t.Errorf("%s explains nothing", f.Rule)
				}
			}
		}
	}
	for _, b := range r.Reach.Branches(set, nil) {
		if b.Kind == "rule" && !b.Reached {
			t.Errorf("%s:%d: no test reaches rule %s", b.File, b.Line, b.Rule)
		}
	}
	for _, d := range set.Detectors() {
		rule, ok := d.(*detect.Rule)
		if !ok {
			continue
		}
		if s := rule.Spec; s.Response == "" || len(s.FalsePositives) == 0 || s.Message.IsZero() {
			t.Errorf("rule %s lacks response, false_positives or message", d.Name())
		}
	}
}
