package guard

import (
	"cmp"
	"math"

	"github.com/firebreak-io/firebreak/internal/event"
)

// Priority is how grave what a run is about was when it began: its incident's
// priority, or else the severity of its finding. What a person began by hand is
// as grave as can be.
func Priority(run event.Run) event.Severity {
	if run.Starter != "" {
		return event.SeverityCritical
	}
	return cmp.Or(run.Incident.Priority, run.Finding.Severity)
}

// most is how much of a bound a run may fill: the rest is left to graver ones,
// so that a thousand small ones can't keep the one that counts from its place.
// Of a run that says nothing of its priority nothing is known against it.
func (b Budgets) most(bound int, run event.Run) int {
	kept := 0.0
	switch Priority(run) {
	case event.SeverityCritical, "":
	case event.SeverityHigh:
		kept = math.Floor(float64(bound) * b.Reserve / 3)
	default:
		kept = math.Round(float64(bound) * b.Reserve)
	}
	return max(1, bound-int(kept))
}
