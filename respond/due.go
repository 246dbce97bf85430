package respond

import (
	"time"

	"github.com/firebreak-io/firebreak/internal/event"
)

// EffectKind is what a run asks the world for.
type EffectKind string

// The kinds of effect.
const (
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
	Step int
}

// Due says what a run in this state asks for at this time: an effect, or else
// the time at which it wants to be looked at again (zero: only an input moves
// it). It depends on nothing but the record, so a crash loses nothing.
func Due(book *Playbook, run event.Run, now time.Time) (*Effect, time.Time) {
	if run.State.Terminal() {
		return nil, time.Time{}
	}
	m := move{book: book, run: &run, now: now}
	wake := m.wake()
	// Undoing comes first, the newest first. One whose time has not come keeps
	// nothing else waiting.
	for i := len(run.Steps) - 1; i >= 0; i-- {
		if run.Steps[i].State == event.StepReverting {
			effect, at := m.at(EffectUndo, i)
			if effect != nil {
				return effect, time.Time{}
			}
			wake = earliest(wake, at)
		}
	}
	effect, at := m.holds()
	if effect != nil {
		return effect, time.Time{}
	}
	wake = earliest(wake, at)
	i, kind := m.next()
	if i < 0 {
		return nil, wake
	}
	effect, at = m.at(kind, i)
	return effect, earliest(wake, at)
}

// next is the step that moves next, and what for.
func (m move) next() (int, EffectKind) {
	if m.run.State == event.RunGuarding {
		for i, s := range m.run.Steps {
			if s.State == event.StepPending {
				return i, EffectPlan
			}
		}
	}
	i := m.current()
	if i >= 0 && m.run.Steps[i].State == event.StepIntent {
		return i, EffectDo
	}
	return i, EffectPlan
}

// at gives the effect when its time has come, else its time.
func (m move) at(kind EffectKind, i int) (*Effect, time.Time) {
	if t := m.run.Steps[i].NotBefore; t != nil && m.now.Before(*t) {
		return nil, *t
	}
	return &Effect{Kind: kind, Step: i}, time.Time{}
}

// wake is the next time at which time alone moves the run.
func (m move) wake() time.Time {
	var at time.Time
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
