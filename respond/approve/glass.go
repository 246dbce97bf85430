package approve

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"net/http"
	"strings"

	"github.com/firebreak-io/firebreak/internal/event"
	"github.com/firebreak-io/firebreak/internal/kube"
	"github.com/firebreak-io/firebreak/respond"
)

// breakGlass stores that somebody breaks the glass, or begins the playbook anew
// where nobody approved in time.
func (d Desk) breakGlass(ctx context.Context, run event.Run, in event.Input) (Said, error) {
	all, err := d.Control.Reviews(ctx)
	if err != nil {
		return Said{}, err
	}
	open := 0
	for _, r := range all {
		if r.Open() {
			open++
		}
	}
	if open >= respond.MaxReviews {
		return Said{}, Problem{http.StatusConflict, fmt.Sprintf("%d reviews of broken glass are open: close some first", open)}
	}
	if run.State == event.RunExpired {
		return d.anew(ctx, run, in)
	}
	said, err := d.store(ctx, in)
	if err == nil {
		d.Logger.WarnContext(ctx, "somebody breaks the glass", "run", run.ID, "user", in.User, "reason", in.Reason)
	}
	return said, err
}

// anew begins the playbook of a run that nobody approved in time for the same
// target. It has a plan of its own, for which the glass can be broken.
func (d Desk) anew(ctx context.Context, run event.Run, in event.Input) (Said, error) {
	target := run.Target
	target.Labels = nil
	return d.store(ctx, event.Input{
		ID: rand.Text(), Run: event.HashID("start", rand.Text()), Kind: event.InputStart, Playbook: run.Playbook, Target: target,
		User: in.User, Reason: in.Reason, Time: in.Time,
	})
}

// Reviews are what is to be looked at of how people decided.
type Reviews struct {
	// Reviews are those that are open, and the last that were closed, Alarms the
	// last about people who seem to approve without looking, oldest first.
	Reviews []respond.Review      `json:"reviews"`
	Alarms  []respond.PeopleAlarm `json:"alarms"`
}

// Reviews reads them. It needs the right to list reviews.
func (d Desk) Reviews(ctx context.Context, user kube.User) (Reviews, error) {
	out := Reviews{Reviews: []respond.Review{}, Alarms: []respond.PeopleAlarm{}}
	if err := d.May(ctx, user, "list", "reviews", "", ""); err != nil {
		return out, err
	}
	all, err := d.Control.Reviews(ctx)
	if err != nil {
		return out, err
	}
	alarms, err := d.Control.PeopleAlarms(ctx)
	if err != nil {
		return out, err
	}
	out.Reviews, out.Alarms = append(out.Reviews, all...), append(out.Alarms, alarms...)
	return out, nil
}

// CloseReview closes the review of a broken glass with what was found, which has
// to be said. It needs the right to update reviews, and is refused to who broke
// the glass.
func (d Desk) CloseReview(ctx context.Context, user kube.User, review, note string) (respond.Review, error) {
	var none respond.Review
	if err := d.May(ctx, user, "update", "reviews", "", ""); err != nil {
		return none, err
	}
	if err := short("the note", note); err != nil {
		return none, err
	}
	if strings.TrimSpace(note) == "" {
		return none, Problem{http.StatusBadRequest, "what was found has to be said"}
	}
	now := d.now()
	r, err := d.Control.CloseReview(ctx, review, user.Name, note, now)
	switch {
	case errors.Is(err, respond.ErrNoReview):
		return none, Problem{http.StatusNotFound, err.Error()}
	case errors.Is(err, respond.ErrReviewed):
		return none, Problem{http.StatusConflict, err.Error()}
	case errors.Is(err, respond.ErrOwnReview):
		return none, Problem{http.StatusForbidden, err.Error()}
	case err != nil:
		return none, err
	}
	d.Logger.WarnContext(ctx, "a broken glass was reviewed", "review", r.ID, "run", r.Run, "broken_by", r.By, "user", user.Name, "note", note)
	if r.Incident == "" {
		return r, nil
	}
	// Closed it is already: that the incident does not say so is for the log.
	if _, err := d.store(ctx, event.Input{ID: rand.Text(), Run: r.Incident, Kind: event.InputReviewed, User: user.Name, Reason: note, Time: now}); err != nil {
		d.Logger.WarnContext(ctx, "the incident does not show that the broken glass was reviewed", "review", r.ID, "error", err)
	}
	return r, nil
}

func (a *API) reviews(c call) error {
	list, err := a.desk().Reviews(c.r.Context(), c.user)
	if err != nil {
		return err
	}
	answer(c.w, http.StatusOK, list)
	return nil
}

func (a *API) closeReview(c call) error {
	body, err := read(c)
	if err != nil {
		return err
	}
	r, err := a.desk().CloseReview(c.r.Context(), c.user, c.r.PathValue("id"), body.Reason)
	if err != nil {
		return err
	}
	answer(c.w, http.StatusOK, r)
	return nil
}
