package respond

import (
	"context"
	"errors"
	"log/slog"
	"reflect"
	"time"

	"github.com/firebreak-io/firebreak/internal/event"
	"github.com/firebreak-io/firebreak/respond/guard"
)

// maxFlights is how many effects of one run are under way at a time. A step
// for many targets must not keep other runs from theirs.
const maxFlights = 4

// flight is an effect that is under way: it was asked for by the step as it was
// then.
type flight struct {
	effect Effect
	step   event.Step
}

// report is how a flight ended. judged is when its guards were asked.
type report struct {
	step   int
	in     Input
	judged time.Time
}

// begin begins what is due and not under way yet, as far as there is room. It
// gives the time at which the run wants to be looked at again.
//
// The record from which it takes an effect is stored: an intent stands in it
// before its write is sent, and of several intents each is carried out again by
// whoever goes on after a crash.
func (r *runner) begin(ctx context.Context) time.Time {
	now, run := r.w.now(), r.rec.Run
	effects, at := DueAll(r.book, run, now)
	taken := len(effects) > 0 && r.w.taken(run)
	for _, e := range effects {
		_, under := r.flights[e.Step]
		rest := r.rest[e.Step]
		switch {
		case under:
		case len(r.flights) >= maxFlights:
			return at // the next that lands makes room
		case e.Kind == EffectPlan && now.Before(rest):
			at = earliest(at, rest)
		case e.Kind != EffectUndo && taken:
			at = earliest(at, now.Add(waitForTarget))
		default:
			r.fly(ctx, run, e)
		}
	}
	return at
}

func (r *runner) fly(ctx context.Context, run event.Run, e Effect) {
	r.flights[e.Step] = flight{effect: e, step: run.Steps[e.Step]}
	judged := r.judged[e.Step]
	go func() {
		in := r.carry(ctx, run, e, &judged)
		r.reports <- report{step: e.Step, in: in, judged: judged}
	}()
}

// land takes the end of an effect in. When the step has moved meanwhile (people
// extended the hold whose end was being written, say), what was carried out is
// not what the record asks for any more; what it asks for is begun anew.
func (r *runner) land(ctx context.Context, l report) error {
	r.calm()
	f := r.flights[l.step]
	delete(r.flights, l.step)
	r.judged[l.step] = l.judged
	var err error
	if f.fits(r.rec.Run) {
		err = r.move(ctx, l.in)
	}
	if p := l.in.Planned; p != nil && p.Reserved != nil && r.rec.Run.Steps[l.step].State != event.StepIntent {
		r.unsettled = true // the place was taken for nothing
	}
	r.free(ctx)
	return err
}

// fits says whether the run asks for the effect still. That somebody asked for
// the undo of what is under way is no reason to forget how it ended.
func (f flight) fits(run event.Run) bool {
	if f.effect.Step >= len(run.Steps) {
		return false
	}
	then, now := f.step, run.Steps[f.effect.Step]
	then.Ending, now.Ending = "", ""
	return reflect.DeepEqual(then, now)
}

// planning says whether a plan is under way, which may take a place in the
// budgets.
func (r *runner) planning() bool {
	for _, f := range r.flights {
		if f.effect.Kind == EffectPlan {
			return true
		}
	}
	return false
}

// join waits for what is under way. It is called when nothing more begins, with
// the effects' own context at its end.
func (r *runner) join() {
	for len(r.flights) > 0 {
		l := <-r.reports
		delete(r.flights, l.step)
	}
}

// carry carries out one effect of a run as it was recorded, within the step's
// time limit. judged is when the guards were last asked; for a plan it says when
// they were.
func (r *runner) carry(ctx context.Context, run event.Run, e Effect, judged *time.Time) Input {
	step := r.book.StepOf(run, e.Step)
	turn := rank(run)
	if e.Kind == EffectUndo {
		turn = time.Time{} // what is to end waits for nothing that is to begin
	}
	calm := r.enter(ctx, run, step, e)
	defer calm()
	at, err := take(ctx, r.w.lanes.of(run, step, e), turn)
	if err != nil {
		return Input{Tick: true}
	}
	defer at.leave()
	limited, cancel := context.WithTimeout(ctx, step.Timeout)
	defer cancel()
	limited, end := r.w.tel.Span(limited, "respond."+string(e.Kind),
		slog.String("run", run.ID), slog.String("step", step.Name), slog.String("action", step.Action))
	now, x := r.w.now(), r.w.executor
	var in Input
	var reason string
	switch e.Kind {
	case EffectTargets:
		t := x.Targets(limited, r.book, run, e.Step)
		in, reason = Input{Targets: &t}, t.Error
	case EffectPlan:
		*judged = now
		p := x.draft(limited, r.book, run, e.Step, now)
		if calm(); x.tries(p, r.book, run) && at.change(ctx, r.w.lanes.drafts, turn) == nil {
			r.try(ctx, &p, step.Timeout)
		}
		in, reason = Input{Planned: &p}, p.Error
	case EffectDo:
		d := r.do(limited, run, e.Step, *judged, now, func() {
			calm()
			at.leave()
			r.w.rush.ease(ctx, maxEase)
			_ = at.change(ctx, r.w.lanes.checks, turn) // if not, ctx is over
		})
		in, reason = Input{Done: &d}, d.Error
		r.measure(limited, run, d, step)
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

// enter lets what is urgent go before what is not. calm is called when it is no
// longer.
func (r *runner) enter(ctx context.Context, run event.Run, step PlaybookStep, e Effect) (calm func()) {
	if r.w.lanes.of(run, step, e) == r.w.lanes.acts {
		own := r.w.rush.begin()
		return func() {
			own()
			r.calm()
		}
	}
	if !urgent(r.book, run) {
		r.calm() // it must not wait for itself: what it was to do first may have been denied
		r.w.rush.yield(ctx, maxYield)
	}
	return func() {}
}

// try sends a plan's dry run, for which it has the time of a step again: it may
// have waited long.
func (r *runner) try(ctx context.Context, p *Planned, limit time.Duration) {
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	r.w.executor.try(ctx, p)
}

// do carries an intent out, unless it is held back. One that has landed, of which
// only the record was lost, is nothing to hold back any more; one of which nobody
// can tell whether it has waits as it is, since a new plan could write a second
// time.
func (r *runner) do(ctx context.Context, run event.Run, i int, judged, now time.Time, done func()) Done {
	d := r.attempt(ctx, run, i, judged, now, done)
	if x := r.w.executor; d.Failure == FailedHeld {
		switch landed, known := x.landed(ctx, run, i); {
		case landed:
			return x.Finish(ctx, r.book, run, i, now)
		case !known:
			d.Failure = FailedUnseen
		}
	}
	return d
}

// attempt carries an intent out. One that was not judged just now (it is from
// before a restart, or had to wait for its turn) is judged again: a pause holds
// it back too.
func (r *runner) attempt(ctx context.Context, run event.Run, i int, judged, now time.Time, done func()) Done {
	x := r.w.executor
	if now.Sub(judged) > fresh {
		if reason, held := x.Held(ctx, r.book, run, i, now); held {
			return Done{Step: i, Failure: FailedHeld, Error: reason}
		}
	}
	return x.do(ctx, r.book, run, i, now, done)
}

func (r *runner) measure(ctx context.Context, run event.Run, d Done, step PlaybookStep) {
	result := string(d.Receipt.Result)
	if d.Failure != "" {
		result = "failed-" + string(d.Failure)
	}
	r.w.tel.Metrics().StepDone(ctx, step.Action, result)
	r.report(ctx, run, d, step)
	if d.Failure == "" && step.Effect() && !run.Drill {
		r.w.tel.Metrics().AlertToEffect(ctx, step.Action, r.w.now().Sub(run.Finding.Received))
	}
}

// report tells the guards how an attempt went.
func (r *runner) report(ctx context.Context, run event.Run, d Done, step PlaybookStep) {
	outcome := guard.OutcomeDone
	switch {
	case !step.Effect() || ctx.Err() != nil && d.Failure == "":
		return
	case run.Drill:
		return // what it finds is said by the drill itself
	case d.Failure == FailedRetry || d.Failure == FailedFinal:
		outcome = guard.OutcomeFailed
	case d.Failure != "":
		return
	case d.Receipt.Result == event.ResultVoid:
		outcome = guard.OutcomeVoid
	case d.Receipt.Result == event.ResultUnverified:
		outcome = guard.OutcomeUnverified
	}
	ctx = context.WithoutCancel(ctx) // a time limit that is over is a failure, too
	s := run.Steps[d.Step]
	a := guard.Attempt{Key: run.ID + "/" + s.Name, Plan: event.Plan{Action: step.Action}, Approved: s.Approved != "", Outcome: outcome, Now: r.w.now()}
	if s.Plan != nil {
		a.Plan = *s.Plan
	}
	if err := r.w.executor.Guards.Report(ctx, a); err != nil {
		r.w.logger.WarnContext(ctx, "the breaker was not told how an action went", "action", step.Action, "error", err)
	}
}
