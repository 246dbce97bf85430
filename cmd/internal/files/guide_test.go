package files_test

import (
	"os"
	"strings"
	"testing"

	"github.com/firebreak-io/firebreak/cmd/internal/cases"
	"github.com/firebreak-io/firebreak/detect"
	"github.com/firebreak-io/firebreak/internal/conf"
)

// TestGuide loads each example of the guide for authors of rules, and runs the
// cases below it. The cases of the part on tests are of an example before it.
func TestGuide(t *testing.T) {
	text, err := os.ReadFile("../../../detect/rules/README.md")
	if err != nil {
		t.Fatal(err)
	}
	var all []*conf.Document
	runner := &cases.Runner{}
	examples, ran := 0, 0
	for _, block := range strings.Split(string(text), "```yaml")[1:] {
		head, body, _ := strings.Cut(block, "\n")
		body, _, ok := strings.Cut(body, "```")
		if !ok {
			t.Fatal("a block does not end")
		}
		if head == "" {
			examples++
			docs, err := conf.Documents("README.md", []byte(body))
			if err != nil {
				t.Fatal(err)
			}
			all = append(all, docs...)
			runner.Rules = guideRules(t, docs)
			continue
		}
		if head == " cases" {
			runner.Rules = guideRules(t, all)
		}
		ran += guideCases(t, runner, body)
	}
	if examples < 6 || ran < 12 {
		t.Errorf("%d examples, %d cases", examples, ran)
	}
}

func guideRules(t *testing.T, docs []*conf.Document) *detect.RuleSet {
	t.Helper()
	set, err := detect.NewRuleSet(docs)
	if err != nil {
		t.Fatal(err)
	}
	return set
}

func guideCases(t *testing.T, r *cases.Runner, body string) int {
	t.Helper()
	f, err := cases.Decode("README.md", []byte(body))
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range f.Cases {
		if result, err := r.Run(t.Context(), c); err != nil || len(result.Problems) > 0 {
			t.Errorf("%s: %q, %v", c.Name, result.Problems, err)
		}
	}
	return len(f.Cases)
}
