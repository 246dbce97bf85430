package respond

import (
	"strings"
	"testing"

	"github.com/firebreak-io/firebreak/internal/event"
	"github.com/firebreak-io/firebreak/respond/action"
	"github.com/firebreak-io/firebreak/respond/guard"
)

// TestLockoutOfWhoDecides: the plan of a lockout says whom of those who decide it
// takes, on its own playbook, on others and on what waits, and asks where nobody is
// left.
func TestLockoutOfWhoDecides(t *testing.T) {
	const text = `apiVersion: firebreak.io/v1alpha1
kind: Playbook
metadata: {name: deny}
spec:
  when: "true"
  mode: act
  approve: {by: [BY]}
  steps:
    - {name: deny, action: identity.deny, with: {user: ann}, undo_after: 1h}
`
	target := event.UserRef("ann")
	for name, tt := range map[string]struct {
		by, first string
		asks      bool
		elsewhere []guard.Approvers
	}{
		"nobody who decides":       {by: "user/bob"},
		"the only one":             {by: "user/ann", first: "NOBODY IS LEFT TO APPROVE: it locks out user/ann, who decides on playbook deny, and nobody else is named", asks: true},
		"one of two":               {by: "user/ann, user/bob", first: "it locks out user/ann, who decides on playbook deny: left to decide is user/bob"},
		"known to be in the group": {by: "group/oncall", first: "it locks out user/ann (in group/oncall), who decides on playbook deny: left to decide is group/oncall"},
		"elsewhere": {
			by: "user/bob", asks: true, first: "NOBODY IS LEFT TO APPROVE: it locks out user/ann, who decides on a, b, c and 1 more, and nobody else is named",
			elsewhere: []guard.Approvers{{Of: "a", By: []string{"user/ann"}}, {Of: "b", By: []string{"user/ann"}}, {Of: "c", By: []string{"user/ann"}}, {Of: "d", By: []string{"user/ann"}}},
		},
	} {
		book := parse(t, strings.Replace(text, "BY", tt.by, 1))
		x := &Executor{
			Deps: action.Deps{Cluster: action.Offline{}, Offline: true}, Guards: guard.New(guard.Options{Control: free{}, Cluster: action.Offline{}}),
			Asked: func(event.Run) []guard.Approvers { return tt.elsewhere },
			Groups: func(user string) []string {
				return map[string][]string{"ann": {"oncall"}}[user]
			},
		}
		run := Begin(book, event.Incident{ID: "i1"}, event.Finding{ID: "f1", Rule: "r", Trust: event.TrustAudit}, target, event.ModeAct, start)
		p := x.Plan(t.Context(), book, run, 0, start)
		if p.Error != "" || len(p.Plan.Notes) == 0 {
			t.Fatalf("%s: %+v", name, p)
		}
		if got := p.Plan.Notes[0]; tt.first != "" && got != tt.first || tt.first == "" && strings.Contains(got, "decides on") {
			t.Errorf("%s: the plan says first %q", name, got)
		}
		asks := false
		for _, v := range p.Verdicts {
			asks = asks || v.Guard == "approvers" && v.Decision == event.Ask
		}
		if asks != tt.asks {
			t.Errorf("%s: asks %v", name, asks)
		}
	}
}
