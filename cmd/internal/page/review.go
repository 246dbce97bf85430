package page

import (
	"context"

	"github.com/firebreak-io/firebreak/internal/console"
	"github.com/firebreak-io/firebreak/internal/kube"
)

// Reviews are those of broken glass, and the alarms about people who decide.
func (h House) Reviews(ctx context.Context) ([]console.Review, []console.Alarm, error) {
	all, err := h.Desk.Control.Reviews(ctx)
	if err != nil {
		return nil, nil, err
	}
	alarms, err := h.Desk.Control.PeopleAlarms(ctx)
	if err != nil {
		return nil, nil, err
	}
	list := make([]console.Review, 0, len(all))
	for _, r := range all {
		list = append(list, console.Review{
			ID: r.ID, Run: r.Run, Incident: r.Incident, Playbook: r.Playbook, Title: r.Title, Priority: r.Priority, Target: r.Target, Steps: r.Steps,
			By: r.By, From: r.From, Reason: r.Reason, Opened: r.Opened, Due: r.Due, Late: r.Late, Closed: r.Closed, ClosedBy: r.ClosedBy, Note: r.Note,
		})
	}
	said := make([]console.Alarm, 0, len(alarms))
	for _, a := range alarms {
		said = append(said, console.Alarm{User: a.User, Text: a.Text, Time: a.Time})
	}
	return list, said, nil
}

// CloseReview says what somebody found of a broken glass.
func (h House) CloseReview(ctx context.Context, user kube.User, review, note string) error {
	_, err := h.Desk.CloseReview(ctx, user, review, note)
	return told(err)
}
