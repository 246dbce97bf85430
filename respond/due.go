package respond

import (
	"slices"
	"time"

	"github.com/firebreak-io/firebreak/internal/event"
)

// EffectKind is what a run asks the world for.
type EffectKind string

// The kinds of effect.
const (
	// EffectTargets finds out what a step is about; it writes nothing.
	EffectTargets EffectKind = "targets"
	// EffectPlan reads the world and makes a plan; it writes nothing.
	EffectPlan EffectKind = "plan"
	EffectDo   EffectKind = "do"
	EffectUndo EffectKind = "undo"
	// EffectMark writes a hold's new end to its object; EffectReset sets a hold
	// again that somebody else took off.
	EffectMark  EffectKind = "mark"
	EffectReset EffectKind = "reset"
)

// Effect is one thing to be done for one step.
type Effect struct {
	Kind EffectKind
	// Step is the place in the run's steps.
	Step int
}

// Due is the first of what [DueAll] gives.
func Due(book *Playbook, run event.Run, now time.Time) (*Effect, time.Time) {
	effects, wake := DueAll(book, run, now)
	if len(effects) == 0 {
		return nil, wake
	}
	return &effects[0], time.Time{}
}

// DueAll says what a run in this state asks for at this time, in the order of
// its importance: effects that may be carried out side by side, and the time at
// which it wants to be looked at again (zero: only an input moves it). Each
// effect is to be begun once, and again only when it was reported, or by whoever
// goes on after a crash. What is due depends on nothing but the record, so a
// crash loses nothing.
func DueAll(book *Playbook, run event.Run, now time.Time) ([]Effect, time.Time) {
	if run.State.Terminal() {
		return nil, time.Time{}
	}
	m := move{book: book, run: &run, now: now}
	d := due{now: now, run: run, wake: m.wake()}
	m.undos(&d)
	if len(d.effects) > 0 {
		return d.effects, d.wake // undoing comes first
	}
	if run.State == event.RunGuarding {
		for i, s := range run.Steps {
			switch {
			case needsTargets(m.step(i), s):
				d.add(EffectTargets, i)
			case s.State == event.StepPending:
				d.add(EffectPlan, i)
			}
		}
	}
	if m.holds(&d); len(d.effects) > 0 {
		return d.effects, d.wake
	}
	m.steps(&d)
	return d.effects, d.wake
}

// due collects effects, and the earliest time of those whose time has not come.
type due struct {
	now     time.Time
	run     event.Run
	effects []Effect
	wake    time.Time
}

// add gives whether the time of the effect has come. No wait is longer than
// [maxBackoff]: one that seems to be shows that the clock was put back, and is
// over.
func (d *due) add(kind EffectKind, i int) bool {
	if t := d.run.Steps[i].NotBefore; t != nil && d.now.Before(*t) && t.Sub(d.now) <= maxBackoff {
		d.wake = earliest(d.wake, *t)
		return false
	}
	d.effects = append(d.effects, Effect{Kind: kind, Step: i})
	return true
}

// undos adds what is to be undone, the newest first: a step waits for those
// that came after it. One whose time has not come keeps nothing else waiting.
func (m move) undos(d *due) {
	var under, waits places // what is being undone, and what came before that
	members, before := m.members(), m.book.before()
	for place := len(before) - 1; place >= 0; place-- {
		if waits.has(place) {
			continue
		}
		for _, i := range slices.Backward(members[place]) {
			if m.run.Steps[i].State == event.StepReverting && d.add(EffectUndo, i) {
				under = under.with(place)
			}
		}
		if under.has(place) {
			waits |= before[place]
		}
	}
}

// steps adds what has begun, and whose turn it is. Of the steps that change one
// object one goes at a time, so that they don't get into each other's way.
func (m move) steps(d *due) {
	busy := map[string]bool{}
	ready := m.turns().ready
	if m.run.State == event.RunGuarding {
		// What goes on is what was under way when all else was planned again.
		ready = slices.DeleteFunc(ready, func(i int) bool { return m.run.Steps[i].State != event.StepIntent })
	}
	for _, i := range ready {
		if m.run.Steps[i].State == event.StepIntent {
			d.add(EffectDo, i)
			if m.step(i).Effect() {
				busy[object(m.run.StepTarget(i))] = true
			}
		}
	}
	for _, i := range ready {
		if m.run.Steps[i].State == event.StepIntent {
			continue
		}
		on := object(m.run.StepTarget(i))
		if !m.step(i).Effect() {
			d.add(EffectPlan, i)
		} else if !busy[on] && d.add(EffectPlan, i) {
			busy[on] = true
		}
	}
}

// object names what a step changes.
func object(t event.Ref) string {
	if t.UID != "" {
		return t.UID
	}
	return t.String()
}

// wake is the next time at which time alone moves the run.
func (m move) wake() time.Time {
	at := m.limit()
	if a := m.run.Approval; a != nil && a.State == event.ApprovalOpen {
		at = earliest(at, a.Expires)
	}
	for _, s := range m.run.Steps {
		if Held(s) && !s.EndAsked && !s.Kept {
			at = earliest(at, *s.Until)
		}
	}
	return at
}

// earliest ignores zero times.
func earliest(a, b time.Time) time.Time {
	if a.IsZero() || (!b.IsZero() && b.Before(a)) {
		return b
	}
	return a
}
