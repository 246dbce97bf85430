package respond

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/firebreak-io/firebreak/internal/bus"
	"github.com/firebreak-io/firebreak/internal/conf"
	"github.com/firebreak-io/firebreak/internal/event"
)

// PeopleRules are what is asked of people who decide.
type PeopleRules struct {
	// Review is within which time somebody else has to review that the glass was
	// broken.
	Review conf.Duration `yaml:"review"`
	// Fatigue says when somebody seems to approve without looking.
	Fatigue FatigueRules `yaml:"fatigue"`
}

// DefaultPeopleRules are the shipped ones.
func DefaultPeopleRules() PeopleRules {
	return PeopleRules{Review: conf.Duration(24 * time.Hour), Fatigue: DefaultFatigueRules()}
}

// Check says what makes no sense, by its key.
func (r PeopleRules) Check() error {
	if r.Review.Std() < time.Minute || r.Review.Std() > 30*24*time.Hour {
		return fmt.Errorf("review: %s is not 1m to 720h", r.Review.Std())
	}
	return r.Fatigue.Check()
}

// brokenIn are the steps for which a move breaks the glass.
func brokenIn(before, next event.Run) (steps []string) {
	for i, s := range next.Steps {
		if s.BrokenBy != "" && (i >= len(before.Steps) || before.Steps[i].BrokenBy == "") {
			steps = append(steps, s.Name)
		}
	}
	return steps
}

// broken sees to it that a broken glass is no secret: a review is opened, people
// are paged, the incident says so. It comes before the record of the move, and is
// there once however often it is done.
func (w *Worker) broken(ctx context.Context, before, next event.Run, in Input) error {
	steps := brokenIn(before, next)
	if len(steps) == 0 || in.Person == nil || in.Person.Vote == nil || before.Approval == nil {
		return nil
	}
	v := *in.Person.Vote
	r := Review{
		ID: event.HashID("review", next.ID, before.Approval.ID), Run: next.ID, Incident: next.Incident.ID, Playbook: next.Playbook, Target: next.Target,
		Title: next.Finding.Title, Priority: Priority(next), Steps: steps, Digest: v.Digest, By: v.User, From: v.From, Reason: v.Reason,
		Opened: v.Time, Due: w.now().Add(w.people.Review.Std()),
	}
	r.Target.Labels = nil
	if err := w.control.OpenReview(ctx, r); err != nil {
		return fmt.Errorf("open review of run %s: %w", next.ID, err)
	}
	note := fmt.Sprintf("%s broke the glass for playbook %s: %s. What it did has to be reviewed by somebody else by %s.", v.User, next.Playbook, v.Reason, r.Due.UTC().Format(time.RFC3339))
	if err := w.executor.page(ctx, next.ID+"/break-glass-"+r.ID, note, next, w.now()); err != nil {
		return err
	}
	w.logger.WarnContext(ctx, "THE GLASS WAS BROKEN", "run", next.ID, "playbook", next.Playbook, "user", v.User, "from", v.From, "reason", v.Reason, "steps", steps, "review", r.ID, "due", r.Due)
	w.tel.Metrics().GlassBroken(ctx)
	said := event.Input{Kind: event.InputVote, Run: next.ID, Vote: &v, User: v.User, Reason: v.Reason, Time: v.Time}
	if err := w.remark(ctx, next.Incident.ID, said); err != nil {
		return fmt.Errorf("note in incident %s that the glass was broken: %w", next.Incident.ID, err)
	}
	return nil
}

// remark puts what somebody said into an incident, if there is one.
func (w *Worker) remark(ctx context.Context, incident string, order event.Input) error {
	err := w.incidents.Said(ctx, incident, order)
	if errors.Is(err, bus.ErrNotFound) {
		return nil
	}
	return err
}

// reviewEvery is how often it is looked whether a review is late.
const reviewEvery = 20 * time.Second

// reviews pages people about reviews that are late, until ctx ends.
func (w *Worker) reviews(ctx context.Context) error {
	for {
		if err := w.remind(ctx); err != nil && ctx.Err() == nil {
			w.logger.WarnContext(ctx, "late reviews were not looked for", "error", err)
		}
		if sleep(ctx, reviewEvery) != nil {
			return nil
		}
	}
}

// remind looks once.
func (w *Worker) remind(ctx context.Context) error {
	all, err := w.control.Reviews(ctx)
	if err != nil {
		return err
	}
	open, late := 0, 0
	for _, r := range all {
		if !r.Open() {
			continue
		}
		open++
		if w.now().Before(r.Due) {
			continue
		}
		late++
		if r.Late {
			continue
		}
		run := event.Run{ID: r.Run, Playbook: r.Playbook, Target: r.Target, Finding: event.Finding{Title: r.Title, Severity: r.Priority}}
		run.Incident.ID, run.Incident.Priority = r.Incident, r.Priority
		note := fmt.Sprintf("Nobody has reviewed since %s that %s broke the glass for playbook %s (%s): %s", r.Opened.UTC().Format(time.RFC3339), r.By, r.Playbook, strings.Join(r.Steps, ", "), r.Reason)
		if err := w.executor.page(ctx, r.Run+"/review-late-"+r.ID, note, run, w.now()); err != nil {
			return err
		}
		w.logger.ErrorContext(ctx, "a review is late", "review", r.ID, "run", r.Run, "user", r.By, "due", r.Due)
		if err := w.control.lateReview(ctx, r.ID); err != nil {
			return err
		}
	}
	w.tel.Metrics().Reviews(open, late)
	return nil
}
