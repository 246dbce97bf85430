package respond

import (
	"fmt"
	"time"

	"github.com/firebreak-io/firebreak/internal/event"
)

// undone takes the end of an undo in. An undo that fails is tried again until
// it succeeds: every hold ends.
func (m move) undone(d Done) {
	s := &m.run.Steps[d.Step]
	if s.State != event.StepReverting {
		return
	}
	switch {
	case d.Failure == FailedGone:
		d.Receipt = event.Receipt{Key: m.run.ID + "/" + s.Name, Result: event.ResultGone, Time: m.now}
	case d.Failure == FailedForeign && s.Then == "":
		m.differs(s, d.Error)
		return
	case (d.Failure == FailedFinal || d.Failure == FailedForeign) && s.Then != "":
		// We may not write to the target now. Whether we ever did, nobody
		// knows: people must look.
		s.State, s.NotBefore = s.Then, nil
		s.Error += "; whether it left anything behind is not known: " + d.Error
		m.run.End, m.run.Reason = event.RunNeedsHuman, fmt.Sprintf("step %s: %s", s.Name, s.Error)
		return
	case d.Failure != "":
		if s.Then == "" {
			s.Error = d.Error
		}
		s.Attempts++
		m.later(s, backoff(time.Second, s.Attempts))
		return
	}
	r := d.Receipt
	s.Undo, s.NotBefore = &r, nil
	if s.Then != "" {
		s.State = s.Then
		return
	}
	s.State, s.Error = event.StepReverted, ""
}

// revert marks the holds that match for undoing.
func (m move) revert(end event.AtEnd, match func(*event.Step) bool) {
	for i := range m.run.Steps {
		s := &m.run.Steps[i]
		if !Held(*s) || !match(s) {
			continue
		}
		if end != "" {
			s.AtEnd = end
		}
		if s.AtEnd == event.AtEndAsk {
			s.AtEnd = event.AtEndRestore
		}
		s.State, s.Attempts, s.NotBefore, s.Lost, s.Marked, s.Differs = event.StepReverting, 0, nil, false, nil, ""
	}
}

// revertAll ends all holds, and those that are still on their way as soon as
// they are there.
func (m move) revertAll(end event.AtEnd) {
	m.revert(end, func(*event.Step) bool { return true })
	for i := range m.run.Steps {
		if s := &m.run.Steps[i]; s.State == event.StepIntent && m.step(i).Holds() {
			if s.Ending = end; s.Ending == "" {
				s.Ending = event.AtEndRestore
			}
		}
	}
}

// Held says whether a step holds something that is to be undone.
func Held(s event.Step) bool { return s.State == event.StepDone && s.Until != nil }
