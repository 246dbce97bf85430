package cases

import (
	"strings"
	"testing"

	"github.com/firebreak-io/firebreak/cmd/internal/files"
	"github.com/firebreak-io/firebreak/detect"
)

// TestShipped runs the tests that lie beside the shipped rules and playbooks.
// Each rule and each of its branches is reached by one, and says what people need.
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
		// TestTrustedAccounts looks at what a list that is empty as shipped lets pass.
		if !b.Reached && !strings.Contains(b.Text, "by_operator") && !strings.Contains(b.Text, "trusted_accounts") {
			t.Errorf("%s:%d:%d: no test reaches %s of rule %s: %s", b.File, b.Line, b.Column, b.Kind, b.Rule, b.Text)
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
