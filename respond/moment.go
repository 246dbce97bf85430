package respond

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/firebreak-io/firebreak/internal/event"
)

// The bounds of a timeline: how it began is kept, and what was last.
const (
	firstMoments = 16
	lastMoments  = 48
	// maxText is how long one moment may be, in bytes.
	maxText = 300
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

func shorten(s string) string {
	if len(s) > maxText {
		return s[:maxText] + "…"
	}
	return s
}

// ran takes the newest states of an incident's runs in, and says what state
// that brings the incident to.
func ran(in event.Incident, runs []event.IncidentRun, now time.Time) event.Incident {
	in.Runs = slices.Clone(in.Runs)
	for _, r := range runs {
		at := slices.IndexFunc(in.Runs, func(x event.IncidentRun) bool { return x.ID == r.ID })
		switch {
		case at >= 0 && in.Runs[at].State == r.State:
			continue
		case at >= 0:
			in.Runs[at] = r
		case len(in.Runs) < maxRuns:
			in.Runs = append(in.Runs, r)
		default:
			if i := slices.IndexFunc(in.Runs, func(x event.IncidentRun) bool { return x.State.Terminal() }); i >= 0 {
				in.Runs = append(slices.Delete(in.Runs, i, i+1), r)
			}
		}
		in = remember(in, event.Moment{
			Time: now, What: event.MomentRun, ID: r.ID, Text: shorten(fmt.Sprintf("playbook %s on %s is %s", r.Playbook, r.Target, r.State)),
		})
	}
	return in
}

// settled gives the state that an incident's runs and time bring it to: it is
// contained while a run holds something, and resolved by itself when its runs
// are over and nothing new came for [IncidentWindow]. One that has a run which
// needs people waits for them.
func settled(in event.Incident, now time.Time) event.Incident {
	if in.State.Over() {
		return in
	}
	holding, busy, people := false, false, false
	last := in.Updated
	for _, r := range in.Runs {
		holding = holding || r.State == event.RunHolding
		busy = busy || !r.State.Terminal()
		people = people || r.State == event.RunNeedsHuman
	}
	if n := len(in.Timeline); n > 0 && in.Timeline[n-1].Time.After(last) {
		last = in.Timeline[n-1].Time
	}
	switch {
	case holding && in.State != event.IncidentContained:
		return enter(in, event.IncidentContained, "", "", now)
	case !holding && in.State == event.IncidentContained:
		return enter(in, event.IncidentOpen, "", "nothing is held any more", now)
	case !busy && !people && !holding && now.Sub(last) > IncidentWindow:
		return enter(in, event.IncidentResolved, "", fmt.Sprintf("its runs are over, and nothing new came for %s", IncidentWindow), now)
	}
	return in
}

// said takes in what a person said of an incident.
func said(in event.Incident, order event.Input) event.Incident {
	if slices.ContainsFunc(in.Timeline, func(m event.Moment) bool { return m.By == order.User && m.Time.Equal(order.Time) }) {
		return in // it was taken in before
	}
	switch order.Kind {
	case event.InputVerdict:
		in.Verdict, in.VerdictBy = order.Verdict, order.User
		in = assess(remember(in, event.Moment{
			Time: order.Time, What: event.MomentVerdict, By: order.User,
			Text: shorten(fmt.Sprintf("%s says: %s %s", order.User, order.Verdict, order.Reason)),
		}))
		if order.Verdict == "false" {
			return enter(in, event.IncidentFalsePositive, order.User, order.Reason, order.Time)
		}
		if in.State == event.IncidentFalsePositive {
			return enter(in, event.IncidentOpen, order.User, order.Reason, order.Time)
		}
	case event.InputAcknowledge:
		if in.State.Over() || in.AcknowledgedBy != "" {
			return in
		}
		in.AcknowledgedBy, in.Acknowledged = order.User, order.Time
		return remember(in, event.Moment{
			Time: order.Time, What: event.MomentAcknowledge, By: order.User, Text: shorten(strings.TrimSpace(order.User + " sees to it " + order.Reason)),
		})
	case event.InputReviewed:
		return remember(in, event.Moment{
			Time: order.Time, What: event.MomentBreakGlass, By: order.User, Text: shorten("reviewed that the glass was broken: " + order.Reason),
		})
	case event.InputVote:
		if order.Vote != nil && order.Vote.BreakGlass {
			return remember(in, event.Moment{
				Time: order.Time, What: event.MomentBreakGlass, ID: order.Run, By: order.User, Text: shorten("the glass was broken: " + order.Reason),
			})
		}
	case event.InputClose:
		if !in.State.Over() {
			return enter(in, event.IncidentResolved, order.User, order.Reason, order.Time)
		}
	}
	return in
}

// saidOf takes in what a person said of one finding of an incident. What was
// right makes the incident right; it is a false alarm when all of it is.
func saidOf(in event.Incident, finding string, order event.Input) event.Incident {
	if slices.ContainsFunc(in.Timeline, func(m event.Moment) bool { return m.By == order.User && m.Time.Equal(order.Time) }) {
		return in // it was taken in before
	}
	in.Refuted = slices.DeleteFunc(slices.Clone(in.Refuted), func(id string) bool { return id == finding })
	if order.Verdict == "false" && len(in.Refuted) < maxFindings {
		in.Refuted = append(in.Refuted, finding)
	}
	if len(in.Refuted) == 0 {
		in.Refuted = nil
	}
	if order.Verdict != "false" || len(in.Refuted) == in.Count {
		return said(in, order)
	}
	return remember(in, event.Moment{
		Time: order.Time, What: event.MomentVerdict, ID: finding, By: order.User,
		Text: shorten(fmt.Sprintf("%s says of finding %s: %s %s", order.User, beginning(finding), order.Verdict, order.Reason)),
	})
}

func enter(in event.Incident, state event.IncidentState, by, why string, now time.Time) event.Incident {
	text := fmt.Sprintf("incident is %s", state)
	if why != "" {
		text += ": " + why
	}
	in.State, in.Closed = state, time.Time{}
	if state.Over() {
		in.Closed = now
	}
	return remember(in, event.Moment{Time: now, What: event.MomentState, By: by, Text: shorten(text)})
}
