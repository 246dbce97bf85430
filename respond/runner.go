package respond

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"reflect"
	"time"

	"github.com/firebreak-io/firebreak/internal/bus"
	"github.com/firebreak-io/firebreak/internal/event"
	"github.com/firebreak-io/firebreak/respond/guard"
)

// runner moves one run to its end. It is the only one in this process to do
// so; against others the log's compare-and-set decides.
type runner struct {
	w    *Worker
	rec  Record
	book *Playbook
	// inputs are what people said, each with the way to say that it was taken.
	inputs chan delivery
	// lost are holds that the reconciler found taken off.
	lost chan Lost
	over chan struct{}

	// unsaid is an input that could not be recorded yet: it comes first.
	unsaid *delivery
	// judged is when the guards were last asked; rest keeps a step that still
	// waits for the same thing from being planned again at once.
	judged, rest time.Time
}

const (
	// fresh is how long the guards' verdicts are good for: longer than this
	// after, they are asked again before an effect is sent.
	fresh = 500 * time.Millisecond
	// maxSleep is how long a run sleeps at most when it waits for a time: the
	// wall clock may jump, and a timer does not follow it.
	maxSleep = 30 * time.Second
)

// run moves the run until it is over or ctx ends. [ErrStale] says that another
// responder has taken it.
func (r *runner) run(ctx context.Context) error {
	for !r.rec.Run.State.Terminal() {
		if err := r.step(ctx); err != nil {
			return err
		}
	}
	return nil
}

// step carries out what is due, or waits for time or people, and records the
// move.
func (r *runner) step(ctx context.Context) error {
	if d := r.unsaid; d != nil {
		return r.person(ctx, *d)
	}
	now := r.w.now()
	effect, at := Due(r.book, r.rec.Run, now)
	if effect != nil && effect.Kind == EffectPlan && now.Before(r.rest) {
		effect, at = nil, r.rest
	}
	if effect != nil && effect.Kind != EffectUndo && r.w.taken(r.rec.Run) {
		effect, at = nil, now.Add(waitForTarget)
	}
	if effect != nil {
		// What people said comes before a new effect: an undo must not wait
		// until all is done.
		select {
		case d := <-r.inputs:
			return r.person(ctx, d)
		case l := <-r.lost:
			return r.move(ctx, Input{Lost: &l})
		default:
			return r.move(ctx, r.carry(ctx, *effect))
		}
	}
	timer := r.w.timer(at)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case d := <-r.inputs:
		return r.person(ctx, d)
	case l := <-r.lost:
		return r.move(ctx, Input{Lost: &l})
	case <-timer.C:
		return r.move(ctx, Input{Tick: true})
	}
}

func (r *runner) person(ctx context.Context, d delivery) error {
	r.unsaid = &d
	if err := r.move(ctx, Input{Person: &d.input, Sequence: d.sequence}); err != nil {
		return err
	}
	r.unsaid = nil
	d.taken()
	return nil
}

// carry carries out one effect within the step's time limit.
func (r *runner) carry(ctx context.Context, e Effect) Input {
	step := r.book.StepOf(r.rec.Run, e.Step)
	slots := r.w.slots
	if !step.Effect() {
		// A receiver that hangs must not keep a pod from being contained.
		slots = r.w.notices
	}
	if err := slots.Acquire(ctx, 1); err != nil {
		return Input{Tick: true}
	}
	defer slots.Release(1)
	limited, cancel := context.WithTimeout(ctx, step.Timeout)
	defer cancel()
	limited, end := r.w.tel.Span(limited, "respond."+string(e.Kind),
		slog.String("run", r.rec.Run.ID), slog.String("step", step.Name), slog.String("action", step.Action))
	now, run, x := r.w.now(), r.rec.Run, r.w.executor
	var in Input
	var reason string
	switch e.Kind {
	case EffectTargets:
		t := x.Targets(limited, r.book, run, e.Step)
		in, reason = Input{Targets: &t}, t.Error
	case EffectPlan:
		r.judged = now
		p := x.Plan(limited, r.book, run, e.Step, now)
		in, reason = Input{Planned: &p}, p.Error
	case EffectDo:
		d := r.do(limited, e.Step, now)
		in, reason = Input{Done: &d}, d.Error
		r.measure(limited, d, step)
	case EffectUndo:
		d := x.Undo(limited, r.book, run, e.Step, now)
		in, reason = Input{Undone: &d}, d.Error
	case EffectMark:
		d := x.Mark(limited, r.book, run, e.Step, now)
		in, reason = Input{Marked: &d}, d.Error
	case EffectReset:
		d := x.Reset(limited, r.book, run, e.Step, now)
		in, reason = Input{Reset: &d}, d.Error
	}
	if reason != "" {
		end(errors.New(reason))
	} else {
		end(nil)
	}
	if ctx.Err() != nil {
		// Stopping is no failure of the step: whoever goes on does it again.
		return Input{Tick: true}
	}
	return in
}

// do carries an intent out. One that was not judged just now (it is from before
// a restart, or had to wait for its turn) is judged again: a pause holds it
// back too.
func (r *runner) do(ctx context.Context, i int, now time.Time) Done {
	x, run := r.w.executor, r.rec.Run
	if now.Sub(r.judged) > fresh {
		if reason, held := x.Held(ctx, r.book, run, i, now); held {
			return Done{Step: i, Failure: FailedHeld, Error: reason}
		}
	}
	return x.Do(ctx, r.book, run, i, now)
}

func (r *runner) measure(ctx context.Context, d Done, step PlaybookStep) {
	result := string(d.Receipt.Result)
	if d.Failure != "" {
		result = "failed-" + string(d.Failure)
	}
	r.w.tel.Metrics().StepDone(ctx, step.Action, result)
	r.report(ctx, d, step)
	if d.Failure == "" && step.Effect() {
		r.w.tel.Metrics().AlertToEffect(ctx, step.Action, r.w.now().Sub(r.rec.Run.Finding.Received))
	}
}

// report tells the guards how an attempt went.
func (r *runner) report(ctx context.Context, d Done, step PlaybookStep) {
	outcome := guard.OutcomeDone
	switch {
	case !step.Effect() || ctx.Err() != nil && d.Failure == "":
		return
	case d.Failure == FailedRetry || d.Failure == FailedFinal:
		outcome = guard.OutcomeFailed
	case d.Failure != "":
		return
	case d.Receipt.Result == event.ResultVoid:
		outcome = guard.OutcomeVoid
	}
	ctx = context.WithoutCancel(ctx) // a time limit that is over is a failure, too
	if err := r.w.executor.Guards.Report(ctx, step.Action, outcome, r.rec.Run.Steps[d.Step].Approved != "", r.w.now()); err != nil {
		r.w.logger.WarnContext(ctx, "the breaker was not told how an action went", "action", step.Action, "error", err)
	}
}

// free frees the places of what no longer stands. What could not be written is
// found again by [Worker.tidy].
func (r *runner) free(ctx context.Context, before event.Run) {
	run := r.rec.Run
	for i, s := range before.Steps {
		if i < len(run.Steps) && s.Active() && !run.Steps[i].Active() {
			if err := r.w.executor.Guards.Settle(ctx, run, r.w.now()); err != nil {
				r.w.logger.WarnContext(ctx, "the places of a run were not freed yet", "run", run.ID, "error", err)
			}
			return
		}
	}
}

// move appends the next state. When somebody else has written, what they wrote
// is what counts, and the input is decided on again from there only when it
// came from people (it is still in INPUTS); the report of an effect is dropped,
// since the state asks for the effect again.
func (r *runner) move(ctx context.Context, in Input) error {
	for {
		if ctx.Err() != nil {
			return ctx.Err()
		}
		next := Next(r.book, r.rec.Run, in, r.w.now())
		if reflect.DeepEqual(next, r.rec.Run) {
			if in.Planned != nil {
				r.rest = r.w.now().Add(waitForPause)
			}
			return nil
		}
		rec, err := r.w.log.Append(ctx, r.rec, next)
		if err == nil {
			r.moved(ctx, rec)
			return nil
		}
		if !errors.Is(err, bus.ErrConflict) {
			return err
		}
		theirs, err := r.w.log.Load(ctx, r.rec.Run.ID)
		if err != nil {
			return err
		}
		r.moved(ctx, theirs)
		if theirs.Run.Epoch > r.w.log.epoch {
			return fmt.Errorf("run %s: %w", theirs.Run.ID, ErrStale)
		}
		if in.Person == nil {
			return nil
		}
	}
}

func (r *runner) moved(ctx context.Context, rec Record) {
	before := r.rec.Run
	r.rec = rec
	r.free(ctx, before)
	run := rec.Run
	r.w.mu.Lock()
	r.w.live[run.ID] = run
	r.w.mu.Unlock()
	if run.State != before.State {
		r.w.incidents.note(run)
		r.w.count(before.State, run.State)
		r.w.tel.Metrics().RunMoved(ctx, run.State)
		r.w.logger.InfoContext(ctx, "run moved", "run", run.ID, "playbook", run.Playbook, "state", run.State, "reason", run.Reason)
	}
	for i, s := range run.Steps {
		var old event.Step
		if i < len(before.Steps) {
			old = before.Steps[i]
		}
		if s.State != old.State || s.Error != old.Error {
			r.w.logger.InfoContext(ctx, "step", "run", run.ID, "step", s.Name, "action", s.Action, "state", s.State, "error", s.Error)
		}
	}
}

func (w *Worker) timer(at time.Time) *time.Timer {
	if at.IsZero() {
		t := time.NewTimer(time.Hour)
		return t
	}
	return time.NewTimer(min(max(at.Sub(w.now()), 0), maxSleep))
}
