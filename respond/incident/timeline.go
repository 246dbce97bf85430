package incident

import (
	"slices"

	"github.com/firebreak-io/firebreak/internal/event"
)

// The bounds of a timeline: how it began is kept, and what was last.
const (
	firstMoments = 16
	lastMoments  = 48
)

// remember adds a moment to an incident's timeline, and forgets one of the
// middle when it has become too long.
func remember(in event.Incident, m event.Moment) event.Incident {
	in.Timeline = append(slices.Clone(in.Timeline), m)
	if over := len(in.Timeline) - firstMoments - lastMoments; over > 0 {
		in.Timeline = slices.Delete(in.Timeline, firstMoments, firstMoments+over)
		in.Forgotten += over
	}
	return in
}

func shorten(s string) string { return event.Shorten(s, event.MaxNote) }
