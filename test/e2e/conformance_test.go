package e2e

import (
	"fmt"
	"strings"
	"testing"

	"github.com/firebreak-io/firebreak/respond/action"
)

// TestConformance ranges over the catalogue: what the contract of actions
// promises is tried with each kind on the real API server, with no more rights
// than it declares and behind the admission policy that is made of it. A kind
// that has no fixture fails. [TestNeeds] tries the permissions that this one
// does not come by.
func TestConformance(t *testing.T) {
	plane(t)
	t.Log("\n" + conformance())
	for _, k := range action.Kinds() {
		t.Run(k.Name, func(t *testing.T) {
			x, ok := fixtures[k.Name]
			if !ok {
				t.Fatalf("%s has no fixture: add one to a fixture_*_test.go", k.Name)
			}
			t.Parallel()
			c := newTrial(t, k, x)
			for _, l := range lines() {
				if l.try != nil && l.why(k, x) == "" {
					l.try(c)
				}
			}
		})
	}
}

// line is one promise of the contract.
type line struct {
	name string
	// why says why a kind is exempt from it; empty is that it is tried.
	why func(k action.Kind, x fixture) string
	// try tries it; nil is that the line before did.
	try func(c *trial)
}

func lines() []line {
	always := func(action.Kind, fixture) string { return "" }
	possible := func(_ action.Kind, x fixture) string { return x.refused }
	undone := func(k action.Kind, x fixture) string {
		if x.refused == "" && !k.Reversible {
			return "it can't be undone, and says so"
		}
		return x.refused
	}
	near := func(_ action.Kind, x fixture) string { return x.apart }
	return []line{
		{"plan changes nothing", always, (*trial).usual},
		{"twice is once", possible, nil},
		{"undo gives it back", undone, nil},
		{"a foreign edit stays", undone, (*trial).foreign},
		{"drift is seen", undone, (*trial).drift},
		{"nothing lands late", undone, (*trial).late},
		{"gone, recreated", near, (*trial).gone},
		{"a lost answer", possible, (*trial).lost},
		{"needs: enough, least", always, (*trial).needs},
		{"protected", func(k action.Kind, x fixture) string {
			if k.Class == action.Keep {
				return "what only reads, reads everywhere"
			}
			return x.refused + x.apart
		}, (*trial).protected},
	}
}

// conformance is the table of what is tried with each kind, and below it why
// something is not.
func conformance() string {
	var head, rule, table, notes strings.Builder
	for _, l := range lines() {
		fmt.Fprintf(&head, " %s |", l.name)
		rule.WriteString("---|")
	}
	number := map[string]int{}
	for _, k := range action.Kinds() {
		x := fixtures[k.Name]
		fmt.Fprintf(&table, "| `%s` |", k.Name)
		for _, l := range lines() {
			why := l.why(k, x)
			if why == "" {
				table.WriteString(" yes |")
				continue
			}
			if number[why] == 0 {
				number[why] = len(number) + 1
				fmt.Fprintf(&notes, "%d. Not tried: %s.\n", number[why], why)
			}
			fmt.Fprintf(&table, " %d |", number[why])
		}
		table.WriteString("\n")
	}
	return "| action |" + head.String() + "\n|---|" + rule.String() + "\n" + table.String() + "\n" + notes.String()
}
