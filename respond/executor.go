package respond

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/firebreak-io/firebreak/internal/event"
	"github.com/firebreak-io/firebreak/internal/kube"
	"github.com/firebreak-io/firebreak/respond/action"
	"github.com/firebreak-io/firebreak/respond/guard"
)

// Executor carries out what [Due] asks for: it plans, does and undoes steps.
// It may be used concurrently.
type Executor struct {
	Deps   action.Deps
	Guards *guard.Set
}

// Plan plans step i of a run and asks the guards. It writes nothing.
func (x *Executor) Plan(ctx context.Context, book *Playbook, run event.Run, i int, now time.Time) Planned {
	p := Planned{Step: i}
	act, req, err := x.prepare(book, run, i, now)
	if err == nil {
		p.Plan, err = act.Plan(ctx, req)
	}
	if err == nil {
		p.Digest, err = p.Plan.Digest()
	}
	if err != nil {
		p.Failure, p.Error = classify(err), err.Error()
		return p
	}
	p.Verdicts = x.Guards.Judge(ctx, guard.Check{Run: run, Plan: p.Plan, Effect: book.Steps[i].Effect(), Now: now})
	return p
}

// Do carries out the plan that step i's intent holds.
func (x *Executor) Do(ctx context.Context, book *Playbook, run event.Run, i int, now time.Time) Done {
	return x.carry(book, run, i, now, func(act action.Action, req action.Request) (event.Receipt, error) {
		return act.Do(ctx, req, *run.Steps[i].Plan)
	})
}

// Undo takes back what step i's receipt says was done. Without a receipt it
// takes back whatever may have landed of the step's intent.
func (x *Executor) Undo(ctx context.Context, book *Playbook, run event.Run, i int, now time.Time) Done {
	var done event.Receipt
	if r := run.Steps[i].Receipt; r != nil {
		done = *r
	}
	return x.carry(book, run, i, now, func(act action.Action, req action.Request) (event.Receipt, error) {
		return act.Undo(ctx, req, done, run.Steps[i].AtEnd)
	})
}

func (x *Executor) carry(book *Playbook, run event.Run, i int, now time.Time, f func(action.Action, action.Request) (event.Receipt, error)) Done {
	d := Done{Step: i}
	act, req, err := x.prepare(book, run, i, now)
	if err == nil {
		d.Receipt, err = f(act, req)
	}
	if err != nil {
		d.Failure, d.Error = classify(err), err.Error()
	}
	return d
}

func (x *Executor) prepare(book *Playbook, run event.Run, i int, now time.Time) (action.Action, action.Request, error) {
	step := book.Steps[i]
	config, err := step.Config(EnvOf(run))
	if err != nil {
		return nil, action.Request{}, fmt.Errorf("parameters of step %s: %w: %w", step.Name, errFinal, err)
	}
	act, err := step.Kind.New(x.Deps, config)
	if err != nil {
		return nil, action.Request{}, fmt.Errorf("make %s: %w: %w", step.Action, errFinal, err)
	}
	return act, action.Request{
		Key: run.ID + "/" + step.Name, Run: run, Target: run.Target, Until: now.Add(step.UndoAfter), Now: now,
	}, nil
}

var errFinal = errors.New("can't be done")

// classify says what an error means for a run.
func classify(err error) Failure {
	switch {
	case errors.Is(err, action.ErrGone):
		return FailedGone
	case errors.Is(err, action.ErrConflict):
		return FailedConflict
	case errors.Is(err, errFinal), errors.Is(err, kube.ErrForbidden), errors.Is(err, action.ErrIrreversible), errors.Is(err, action.ErrRefused):
		return FailedFinal
	}
	return FailedRetry
}
