package cases

import (
	"context"
	"slices"
	"time"

	"github.com/firebreak-io/firebreak/internal/event"
	"github.com/firebreak-io/firebreak/respond"
)

// move does what is due of one run.
func (p *player) move(ctx context.Context, r *played) (wake time.Time, moved bool) {
	effects, wake := respond.DueAll(r.book, r.run, p.now)
	taken := slices.ContainsFunc(p.runs, func(o *played) bool { return o != r && respond.Waits(r.run, o.run) })
	for _, e := range effects {
		if taken && e.Kind != respond.EffectUndo {
			continue
		}
		before := r.run
		r.run = respond.Next(r.book, r.run, p.carry(ctx, r, e), p.now)
		if before.Updated != r.run.Updated || before.State != r.run.State || !same(before, r.run) {
			return wake, true // what is due may be something else now
		}
	}
	if len(effects) > 0 {
		wake = p.now.Add(time.Second) // it waits for the same thing still
	}
	return wake, false
}

func same(a, b event.Run) bool {
	return slices.EqualFunc(a.Steps, b.Steps, func(x, y event.Step) bool {
		return x.State == y.State && x.Attempts == y.Attempts && x.Conflicts == y.Conflicts && x.Error == y.Error && (x.Target == nil) == (y.Target == nil)
	})
}

func (p *player) carry(ctx context.Context, r *played, e respond.Effect) respond.Input {
	name := r.run.Steps[e.Step].Name
	switch failure := p.fails(name, string(e.Kind)); {
	case failure != "" && e.Kind == respond.EffectPlan:
		return respond.Input{Planned: &respond.Planned{Step: e.Step, Failure: failure, Error: "made to fail"}}
	case failure != "" && e.Kind == respond.EffectUndo:
		return respond.Input{Undone: &respond.Done{Step: e.Step, Failure: failure, Error: "made to fail"}}
	case failure != "":
		return respond.Input{Done: &respond.Done{Step: e.Step, Failure: failure, Error: "made to fail"}}
	}
	switch e.Kind {
	case respond.EffectTargets:
		t := p.executor.Targets(ctx, r.book, r.run, e.Step)
		return respond.Input{Targets: &t}
	case respond.EffectPlan:
		planned := p.executor.Plan(ctx, r.book, r.run, e.Step, p.now)
		return respond.Input{Planned: &planned}
	case respond.EffectDo:
		d := p.executor.Do(ctx, r.book, r.run, e.Step, p.now)
		if d.Failure == "" {
			p.note(r, name)
		}
		return respond.Input{Done: &d}
	case respond.EffectUndo:
		d := p.executor.Undo(ctx, r.book, r.run, e.Step, p.now)
		if d.Failure == "" {
			p.note(r, "undo "+name)
		}
		return respond.Input{Undone: &d}
	case respond.EffectMark:
		d := p.executor.Mark(ctx, r.book, r.run, e.Step, p.now)
		if d.Failure == "" {
			p.note(r, "mark "+name)
		}
		return respond.Input{Marked: &d}
	case respond.EffectReset:
		d := p.executor.Reset(ctx, r.book, r.run, e.Step, p.now)
		return respond.Input{Reset: &d}
	}
	return respond.Input{Tick: true}
}

// note keeps what was done.
func (p *player) note(r *played, what string) {
	r.did, p.did = append(r.did, what), append(p.did, r.book.Name+"/"+what)
}

func (p *player) fails(step, kind string) respond.Failure {
	for _, h := range p.failing {
		if h.Fail == step && h.On == kind && h.Times > 0 {
			h.Times--
			if h.As == "" {
				return respond.FailedRetry
			}
			return respond.Failure(h.As)
		}
	}
	return ""
}
