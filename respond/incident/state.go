package incident

import (
	"fmt"
	"slices"
	"time"

	"github.com/firebreak-io/firebreak/internal/event"
)

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
// are over and nothing new came for [Window]. One that has a run which
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
	case !busy && !people && !holding && now.Sub(last) > Window:
		return enter(in, event.IncidentResolved, "", fmt.Sprintf("its runs are over, and nothing new came for %s", Window), now)
	}
	return in
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
