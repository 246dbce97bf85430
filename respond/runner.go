package respond

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"time"

	"github.com/firebreak-io/firebreak/internal/bus"
	"github.com/firebreak-io/firebreak/internal/event"
	"github.com/firebreak-io/firebreak/respond/runlog"
)

// runner moves one run to its end. It is the only one in this process to do
// so; against others the log's compare-and-set decides.
type runner struct {
	w    *Worker
	rec  runlog.Record
	book *Playbook
	// inputs are what people said, each with the way to say that it was taken.
	inputs chan delivery
	// lost are holds that the reconciler found taken off.
	lost chan Lost
	over chan struct{}
	// nudged says that the target may be free.
	nudged chan struct{}

	// flights are the effects that are under way, by step; reports is where they
	// say how they ended. It has room for all of them.
	flights map[int]flight
	reports chan report
	// unsettled says that places in the budgets may be free, see [runner.free].
	unsettled bool

	// unsaid is an input that could not be recorded yet: it comes first.
	unsaid *delivery
	// judged is when the guards were last asked about a step; rest keeps one that
	// still waits for the same thing from being planned again at once.
	judged, rest map[int]time.Time
	// idle says that time alone moved nothing when it was up.
	idle bool
	// calm says that the first thing that the run was to do is done, for what is
	// less urgent: see [rush].
	calm func()
}

func newRunner(w *Worker, rec runlog.Record) *runner {
	return &runner{
		w: w, rec: rec, inputs: make(chan delivery, maxInputs), lost: make(chan Lost, 1), over: make(chan struct{}),
		nudged:  make(chan struct{}, 1),
		flights: map[int]flight{}, reports: make(chan report, maxFlights), judged: map[int]time.Time{}, rest: map[int]time.Time{}, calm: func() {},
	}
}

const (
	// fresh is how long the guards' verdicts are good for: longer than this
	// after, they are asked again before an effect is sent.
	fresh = 500 * time.Millisecond
	// maxSleep is how long a run sleeps at most when it waits for a time: the
	// wall clock may jump, and a timer does not follow it.
	maxSleep = 30 * time.Second
	// minSleep is how long it sleeps at least when a time that had come moved
	// nothing.
	minSleep = 100 * time.Millisecond
)

// run moves the run until it is over or ctx ends. [runlog.ErrStale] says that another
// responder has taken it.
func (r *runner) run(ctx context.Context) error {
	for !r.rec.Run.State.Terminal() {
		if err := r.step(ctx); err != nil {
			return err
		}
	}
	return nil
}

// step begins what is due, waits for the first thing that moves the run (the
// end of an effect, people, time), and records the move.
func (r *runner) step(ctx context.Context) error {
	if d := r.unsaid; d != nil {
		return r.person(ctx, *d)
	}
	// What people said comes before a new effect: an undo must not wait until
	// all is done.
	select {
	case d := <-r.inputs:
		return r.person(ctx, d)
	default:
	}
	timer := r.timer(r.begin(ctx))
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case d := <-r.inputs:
		return r.person(ctx, d)
	case l := <-r.lost:
		return r.move(ctx, Input{Lost: &l})
	case l := <-r.reports:
		return r.land(ctx, l)
	case <-r.nudged:
		return nil // what was not due may be
	case <-timer.C:
		before := r.rec.Run.Record
		err := r.move(ctx, Input{Tick: true})
		r.idle = r.rec.Run.Record == before
		return err
	}
}

func (r *runner) person(ctx context.Context, d delivery) error {
	r.unsaid = &d
	if err := r.move(ctx, Input{Person: &d.input, Sequence: d.sequence, Denied: r.w.lockedOut()}); err != nil {
		return err
	}
	r.unsaid = nil
	d.taken()
	return nil
}

// free frees the places of what no longer stands. It waits for plans that are
// under way: one of them may just have taken a place by a record that is not
// the newest any more, and its intent is still to be written. What could not be
// written is found again by [Worker.tidy].
func (r *runner) free(ctx context.Context) {
	if !r.unsettled || r.planning() {
		return
	}
	r.unsettled = false
	run := r.rec.Run
	if err := r.w.executor.Guards.Settle(ctx, run, r.w.now()); err != nil {
		r.w.logger.WarnContext(ctx, "the places of a run were not freed yet", "run", run.ID, "error", err)
	}
}

// freed says whether a step's effect stood before a move, and does not now.
func freed(before, run event.Run) bool {
	for i, s := range before.Steps {
		if i < len(run.Steps) && s.Active() && !run.Steps[i].Active() {
			return true
		}
	}
	return false
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
				r.rest[in.Planned.Step] = r.w.now().Add(waitForPause)
			}
			return nil
		}
		// Before the record says so: it would be forgotten over a crash.
		if err := r.w.executor.Unanswered(ctx, r.book, r.rec.Run, next, r.w.now()); err != nil {
			return err
		}
		if err := r.w.broken(ctx, r.rec.Run, next, in); err != nil {
			return err
		}
		if err := r.w.tried(ctx, r.rec.Run, next); err != nil {
			return err
		}
		rec, err := r.w.log.Append(ctx, r.rec, next)
		if err == nil {
			r.w.decided(ctx, r.rec.Run, rec.Run, in)
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
		if theirs.Unreadable != nil {
			// All that is known of it is what was. It ends here, whatever was said to
			// it: a record after that one would hide it.
			aside := clone(r.rec.Run)
			aside.State, aside.Reason = theirs.Run.State, theirs.Run.Reason
			theirs.Run = aside
			r.moved(ctx, theirs)
			return nil
		}
		r.moved(ctx, theirs)
		if theirs.Run.Epoch > r.w.log.Epoch() {
			return fmt.Errorf("run %s: %w", theirs.Run.ID, runlog.ErrStale)
		}
		if in.Person == nil {
			return nil
		}
	}
}

func (r *runner) moved(ctx context.Context, rec runlog.Record) {
	before := r.rec.Run
	r.rec, r.idle = rec, false
	r.unsettled = r.unsettled || freed(before, rec.Run)
	r.free(ctx)
	run := rec.Run
	r.w.mu.Lock()
	r.w.attend(run)
	r.w.mu.Unlock()
	if run.State != before.State {
		r.w.incidents.Note(run)
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

// timer is for the time at which the run wants to be looked at again.
func (r *runner) timer(at time.Time) *time.Timer {
	least := time.Duration(0)
	if r.idle {
		least = minSleep
	}
	if at.IsZero() {
		return time.NewTimer(time.Hour)
	}
	return time.NewTimer(min(max(at.Sub(r.w.now()), least), maxSleep))
}
