package cases

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/firebreak-io/firebreak/cmd/internal/files"
	"github.com/firebreak-io/firebreak/detect"
	"github.com/firebreak-io/firebreak/internal/conf"
	"github.com/firebreak-io/firebreak/internal/event"
)

const trusted = `apiVersion: firebreak.io/v1alpha1
kind: List
metadata: {name: trusted-accounts}
spec: {append: true, items: [ops/operator]}
`

// TestTrustedAccounts: the list is empty as shipped, so no case beside the rules
// reaches what it lets pass. With an operator in it, each rule that asks for the
// list finds nothing where the operator does what it finds of others.
func TestTrustedAccounts(t *testing.T) {
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "trusted.yaml"), []byte(trusted), 0o600); err != nil {
		t.Fatal(err)
	}
	set, err := files.Rules([]string{dir}, true)
	if err != nil {
		t.Fatal(err)
	}
	all, err := Load([]string{"../../../detect/rules"})
	if err != nil {
		t.Fatal(err)
	}
	looked := 0
	for _, d := range set.Detectors() {
		rule, ok := d.(*detect.Rule)
		if !ok || !exceptsOperators(rule) {
			continue
		}
		c := finding(all, d.Name())
		if c == nil {
			t.Errorf("no case of events inline finds %s", d.Name())
			continue
		}
		looked++
		reach, found := NewReach(), asOperator(t, set, c, d.Name())
		for _, x := range found {
			reach.note(nil, event.Address{}, x)
			for _, f := range x.Findings {
				if f.Rule == d.Name() {
					t.Errorf("%s finds what a trusted account does: %s", f.Rule, f.Explanation)
				}
			}
		}
		if !slices.ContainsFunc(reach.Branches(set, nil), func(b Branch) bool { return b.Rule == d.Name() && b.Kind == "unless" && b.Reached }) {
			t.Errorf("%s: its unless was not reached", d.Name())
		}
	}
	if looked < 60 {
		t.Errorf("only %d rules ask for the list", looked)
	}
}

// exceptsOperators says whether a rule's unless asks for the list.
func exceptsOperators(rule *detect.Rule) bool {
	var has func(c *conf.Condition) bool
	has = func(c *conf.Condition) bool {
		return c != nil && (c.Text == "macros.by_operator" || slices.ContainsFunc(c.Parts, has))
	}
	_, unless, _ := rule.Parts()
	return has(unless)
}

// finding is the first case that finds a rule in audit events that it says
// inline.
func finding(all []*File, rule string) *Case {
	for _, f := range all {
		for _, c := range f.Cases {
			if strings.Contains(f.Name, "audit-") && len(c.Files) == 0 && slices.ContainsFunc(c.find, func(x *Expected) bool { return x.Rule == rule }) {
				return c
			}
		}
	}
	return nil
}

// asOperator has the operator do what a case says, and says how far each event
// got in the rule.
func asOperator(t *testing.T, set *detect.RuleSet, c *Case, rule string) []detect.Explanation {
	t.Helper()
	events, err := c.events()
	if err != nil {
		t.Fatal(err)
	}
	last := events[len(events)-1].Time
	g := detect.NewEngine(set.For(events), detect.EngineOptions{})
	var all []detect.Explanation
	for i := range events {
		e, learned := &events[i], last.Sub(events[i].Time) > 12*time.Hour
		if !learned { // what comes long before is what a rule learns from
			e.Actor.User, e.Actor.ServiceAccount = "system:serviceaccount:ops:operator", "ops/operator"
		}
		x := g.Explain(e, event.Address{Sequence: uint64(i) + 1, ID: e.ID}, detect.Extent{Every: func(name string) bool { return name == rule }})
		if !learned {
			all = append(all, x)
		}
	}
	return all
}
