package incident

import (
	"fmt"
	"slices"
	"strings"

	"github.com/firebreak-io/firebreak/internal/event"
)

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
