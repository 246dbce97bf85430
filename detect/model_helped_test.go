package detect

import (
	"strings"
	"testing"

	"github.com/firebreak-io/firebreak/internal/event"
)

const intruder = `
---
apiVersion: firebreak.io/v1alpha1
kind: Rule
metadata: {name: intruder}
spec: {title: Intruder, severity: high, source: log, when: actor.user == "mallory", message: "an intruder"}
`

// What a model alone would not tell, it tells when a rule matched on the same
// entity: a smaller p will do. Its score and its p are the same as without the
// rule, and the rule's finding has its own.
func TestRuleLowersThePThatIsNeeded(t *testing.T) {
	// last is what is found of one event at the border, after usual ones, and how
	// the model looked at it.
	last := func(text string, duration float64) ([]event.Finding, event.ModelState, *ModelLook) {
		g := modelOf(t, text)
		usual(t, g, 0, 900)
		e := quickEvent(900, "web-1", duration, "/1")
		e.Actor.User = "mallory"
		x := g.Explain(&e, event.Address{ID: e.ID}, Extent{})
		for _, l := range x.Looks {
			if l.Rule == "quick" {
				return x.Findings, g.Models()[0], l.Model
			}
		}
		return x.Findings, g.Models()[0], nil
	}
	of := func(all []event.Finding, name string) (f event.Finding) {
		for _, one := range all {
			if one.Rule+one.Model == name {
				f = one
			}
		}
		return f
	}
	tried := 0
	for duration := 1.4; duration < 2.2 && tried < 2; duration += 0.01 {
		alone, before, without := last(quick, duration)
		both, after, with := last(quick+intruder, duration)
		if of(alone, "quick").ID != "" || of(both, "quick").ID == "" || without.P <= without.Need {
			continue // odd enough by itself, or not even with the rule
		}
		tried++
		f, r := of(both, "quick"), of(both, "intruder")
		if without.P <= without.Need || with.P > with.Need || with.Need < 5*without.Need || with.P != without.P || !with.Rule || without.Rule {
			t.Errorf("duration %.2f: p %v of %v, with the rule %v of %v", duration, without.P, without.Need, with.P, with.Need)
		}
		if f.Score != without.Score || f.P != with.P || r.Score != 1 || r.P != 0 {
			t.Errorf("duration %.2f: the model's finding has score %v and p %v, the rule's %v and %v, without it the score is %v", duration, f.Score, f.P, r.Score, r.P, without.Score)
		}
		if before.Budget.Helped != 0 || after.Budget.Helped != 1 {
			t.Errorf("helped are %d and %d", before.Budget.Helped, after.Budget.Helped)
		}
		none, _, _ := last(strings.Replace(quick+intruder, "budget: {p: 0.01}", "budget: {p: 0.01, with_rules: 1}", 1), duration)
		if of(none, "quick").ID != "" {
			t.Error("with_rules: 1 makes a difference")
		}
	}
	if tried == 0 {
		t.Fatal("no duration is at the border")
	}
	t.Logf("%d durations are told because of the rule alone", tried)
}
