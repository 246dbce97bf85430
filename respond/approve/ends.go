package approve

import (
	"cmp"
	"context"
	"slices"
	"time"

	"github.com/firebreak-io/firebreak/internal/event"
	"github.com/firebreak-io/firebreak/respond"
)

// HoldEnd is a hold that stands until somebody says what becomes of it: its time
// is up and its playbook asks, or it could not be undone over what somebody else
// changed.
type HoldEnd struct {
	Run      string         `json:"run"`
	Playbook string         `json:"playbook"`
	Priority event.Severity `json:"priority"`
	Risk     int            `json:"risk"`
	Step     string         `json:"step"`
	Target   event.Ref      `json:"target"`
	// Until is when it was to end; Differs what somebody else changed, if that is
	// why it stands.
	Until   time.Time `json:"until"`
	Differs string    `json:"differs,omitempty"`
}

// ends gives the first holds that wait for people, the gravest first and then
// those that wait longest, and how many more there are. It reads the runs of which
// something may stand.
func (d Desk) ends(ctx context.Context) (list []HoldEnd, more int, err error) {
	records, err := d.Log.Open(ctx, event.RunHolding, event.RunAwaiting, event.RunRunning)
	if err != nil {
		return nil, 0, err
	}
	var runs []event.Run
	for _, rec := range records {
		if slices.ContainsFunc(rec.Run.Steps, stands) {
			rec.Run.Spec = ""
			runs = append(runs, rec.Run)
		}
	}
	slices.SortFunc(runs, func(a, b event.Run) int {
		return cmp.Or(respond.Graver(a, b), a.Updated.Compare(b.Updated), cmp.Compare(a.ID, b.ID))
	})
	for _, r := range runs {
		for i, s := range r.Steps {
			if !stands(s) {
				continue
			}
			if len(list) >= maxShown {
				more++
				continue
			}
			end := HoldEnd{
				Run: r.ID, Playbook: r.Playbook, Priority: respond.Priority(r), Risk: r.Incident.Risk, Step: s.Name,
				Target: r.StepTarget(i), Until: *s.Until, Differs: s.Differs,
			}
			end.Target.Labels = nil
			list = append(list, end)
		}
	}
	return list, more, nil
}

// stands says that a step's hold waits for people.
func stands(s event.Step) bool { return respond.Held(s) && !s.Kept && (s.EndAsked || s.Differs != "") }
