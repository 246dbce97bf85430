package respond

import (
	"fmt"
	"time"

	"github.com/firebreak-io/firebreak/internal/event"
)

// maxResets is how often a hold that somebody else takes off is set again,
// before people are asked.
const maxResets = 3

// Lost reports that the hold of a step is not on its object any more, or that
// somebody altered what it made or changed.
type Lost struct {
	Step   int
	Reason string
	// Again is [event.Step.Again] as it was before the look. What was seen before the
	// hold was set again says nothing of it now: within a round two looks may tell one loss.
	Again int
	// Altered says that it is there, but not as it was made: it is not set again
	// over what somebody else did.
	Altered bool
}

// holds adds what the holds ask for beside their undo: the new end is to be
// written to the object, or the hold set again.
func (m move) holds(d *due) {
	for i, s := range m.run.Steps {
		switch {
		case !Held(s):
		case s.Lost:
			d.add(EffectReset, i)
		case s.Marked != nil:
			d.add(EffectMark, i)
		}
	}
}

// holdFor is how long a step's effect holds: the playbook's time, or the shorter
// one that people said yes to.
func holdFor(step PlaybookStep, s event.Step) time.Duration {
	if s.AtMost > 0 {
		return min(s.AtMost, step.UndoAfter)
	}
	return step.UndoAfter
}

// last lets the holds last longer, or until somebody undoes them. It says
// whether any does now.
func (m move) last(in event.Input) (moved bool) {
	for i := range m.run.Steps {
		s := &m.run.Steps[i]
		if !Held(*s) {
			continue
		}
		was := *s.Until
		switch {
		case in.Kind == event.InputKeep && !s.Kept:
			s.Kept = true
		case in.Kind == event.InputExtend && (s.Kept || in.Until.After(*s.Until)):
			until := in.Until
			s.Until, s.Kept = &until, false
		default:
			continue
		}
		s.EndAsked, s.Differs, s.Marked, s.NotBefore, s.Attempts = false, "", &was, nil, 0
		moved = true
	}
	return moved
}

// marked takes the end of an [EffectMark] in.
func (m move) marked(d Done) {
	s := &m.run.Steps[d.Step]
	if !Held(*s) || s.Marked == nil {
		return
	}
	switch d.Failure {
	case "", FailedGone:
		s.Marked, s.NotBefore, s.Attempts, s.Error = nil, nil, 0, ""
	case FailedFinal:
		// The record counts; only adoption without it would go by the old end.
		s.Marked, s.NotBefore, s.Error = nil, nil, "the object does not show the hold's new end: "+d.Error
	default:
		s.Attempts++
		m.later(s, backoff(time.Second, s.Attempts))
	}
}

// lost takes in that a hold is gone: it is set again, but not for ever.
func (m move) lost(l Lost) {
	s := &m.run.Steps[l.Step]
	if !Held(*s) || s.Lost || s.Differs != "" {
		return
	}
	if l.Altered {
		m.differs(s, "somebody else altered it while it was to hold, and it is left so: "+event.Shorten(l.Reason, event.MaxNote))
		return
	}
	if l.Again != s.Again {
		return // it was set again since
	}
	if s.Again >= maxResets {
		m.differs(s, fmt.Sprintf("the hold was taken off again, after it was set again %d times: %s", s.Again, l.Reason))
		return
	}
	s.Lost, s.NotBefore, s.Attempts = true, nil, 0
}

// reset takes the end of an [EffectReset] in.
func (m move) reset(d Done) {
	s := &m.run.Steps[d.Step]
	if !Held(*s) || !s.Lost {
		return
	}
	switch d.Failure {
	case "":
		s.Lost, s.NotBefore, s.Attempts, s.Error = false, nil, 0, ""
		s.Again++
		r := d.Receipt
		s.Receipt = &r
	case FailedGone:
		s.Lost, s.NotBefore = false, nil
	case FailedForeign, FailedFinal:
		s.Lost = false
		m.differs(s, "the hold was taken off, and can't be set again as it was: "+d.Error)
	default:
		s.Attempts++
		m.later(s, backoff(time.Second, s.Attempts))
	}
}

// differs leaves a hold as it is, says what differs, and leaves it to people.
func (m move) differs(s *event.Step, what string) {
	s.State, s.Differs, s.EndAsked, s.NotBefore, s.Attempts = event.StepDone, what, true, nil, 0
}
