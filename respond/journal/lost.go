package journal

import (
	"fmt"
	"strings"

	"github.com/firebreak-io/firebreak/internal/event"
)

// Lost says in words what a plan would take from its target's surroundings, a
// line each, as [Moves] does; nothing of a nil loss.
func Lost(l *event.Loss) []string {
	if l == nil {
		return nil
	}
	var lines []string
	if n := len(l.Endpoints); n > 0 {
		lines = append(lines, fmt.Sprintf("no longer an endpoint of %s", clean(strings.Join(l.Endpoints, ", "), 300)))
	}
	if l.Workload != "" && l.Wanted+l.Ready > 0 {
		line := fmt.Sprintf("%s has %d of %d pods ready, then %d", clean(l.Workload, 200), l.Ready, l.Wanted, l.ReadyAfter)
		if l.Replaced {
			line += ", until it has made another"
		} else {
			line += ", and can't make another while this one is there"
		}
		lines = append(lines, line)
	}
	for _, b := range l.Budgets {
		line := fmt.Sprintf("PodDisruptionBudget %s lets %d more go", clean(b.Budget, 200), b.Allowed)
		if b.Allowed == 0 {
			line = fmt.Sprintf("PodDisruptionBudget %s lets none go: this is one too many", clean(b.Budget, 200))
		}
		lines = append(lines, line)
	}
	if l.Nodes > 0 {
		lines = append(lines, fmt.Sprintf("of %d nodes that take new pods %d are left", l.Nodes, l.NodesAfter))
	}
	if l.Pods > 0 {
		lines = append(lines, fmt.Sprintf("%d pods run on it", l.Pods))
	}
	for _, u := range l.Unknown {
		lines = append(lines, "not known: "+clean(u, 300))
	}
	return lines
}

// Asked says in words whom a question is for and what for, a line each.
func Asked(a event.Approval) []string {
	who := "whoever may approve of it in the cluster"
	if len(a.By) > 0 {
		who = clean(strings.Join(a.By, ", "), 300)
	}
	people := "1 person"
	if a.Need > 1 {
		people = fmt.Sprintf("%d people", a.Need)
	}
	lines := []string{fmt.Sprintf("%s of %s", people, who)}
	if len(a.Steps) > 0 {
		lines[0] += " about " + clean(strings.Join(a.Steps, ", "), 300)
	}
	if !a.Requested.IsZero() {
		lines[0] += fmt.Sprintf(", within %s", a.Expires.Sub(a.Requested))
	}
	if len(a.Excluded) > 0 {
		lines = append(lines, "never by "+clean(strings.Join(a.Excluded, ", "), 300))
	}
	for _, r := range a.Reasons {
		lines = append(lines, "because "+clean(r, 300))
	}
	return lines
}
