package respond

import (
	"fmt"
	"time"

	"github.com/firebreak-io/firebreak/internal/event"
)

// failed decides what a failure means: plan again, try later, or give up.
func (m move) failed(i int, f Failure, reason string) {
	s := &m.run.Steps[i]
	s.Error = reason
	step := m.step(i)
	if f == FailedConflict && !step.Effect() {
		f = FailedRetry // what only tells people writes to no target that could change
	}
	if s.State == event.StepIntent && s.Ending != "" {
		m.abandon(i, event.StepSkipped, reason)
		if s.State == event.StepReverting {
			s.AtEnd = s.Ending
		}
		return
	}
	if again := f == FailedHeld || f == FailedUnseen || f == FailedConflict || f == FailedRetry; again && m.run.Stopped && step.Effect() {
		// The run was stopped while this was under way.
		m.abandon(i, event.StepSkipped, "not done: "+reason)
		return
	}
	switch f {
	case FailedHeld:
		s.State, s.Attempts = event.StepPlanned, max(s.Attempts-1, 0)
		m.later(s, waitForPause)
		return
	case FailedUnseen:
		m.later(s, waitForSight)
		return
	case FailedConflict:
		s.State = event.StepPlanned
		if s.Conflicts++; s.Conflicts%maxConflicts == 0 && step.Effect() {
			s.Approved, s.Yes, s.BrokenBy, s.AtMost = "", 0, "", 0
			m.void(fmt.Sprintf("the target changed %d times while it was being written", s.Conflicts))
		}
		return
	case FailedRetry:
		if s.State == event.StepPending || s.State == event.StepPlanned {
			s.Attempts++
		}
		if s.Attempts < step.Retry.Attempts {
			m.later(s, backoff(step.Retry.Backoff, s.Attempts))
			if s.State == event.StepIntent {
				// The very same write is sent again: if it has landed, and only
				// its answer was lost, it is refused and found there. A new plan
				// would write a second time.
				s.Attempts++
			}
			return
		}
	}
	m.abandon(i, event.StepFailed, reason)
	why := fmt.Sprintf("step %s: %s", s.Name, reason)
	switch step.OnFailure {
	case OnFailureContinue:
	case OnFailureUndo:
		m.stop(event.RunFailed, why)
		m.revertAll("")
	default:
		m.stop(event.RunFailed, why)
	}
}

func backoff(first time.Duration, attempt int) time.Duration {
	for range attempt - 1 {
		if first *= 2; first >= maxBackoff {
			return maxBackoff
		}
	}
	return first
}

// stop skips the effects that have not begun; what only tells people goes on.
func (m move) stop(end event.RunState, reason string) {
	if m.run.End == "" {
		m.run.End, m.run.Reason = end, reason
	}
	m.run.Stopped = true
	for i := range m.run.Steps {
		s := &m.run.Steps[i]
		if m.step(i).Effect() && (s.State == event.StepPending || s.State == event.StepPlanned) {
			m.abandon(i, event.StepSkipped, "not done: "+reason)
		}
	}
}

// abandon gives a step up. What may have landed of its effect, although
// nobody saw it, is undone first; that also keeps a write that is still on its
// way from landing.
func (m move) abandon(i int, state event.StepState, reason string) {
	s := &m.run.Steps[i]
	s.Error = reason
	if !s.Begun || !m.step(i).Holds() {
		s.State = state
		return
	}
	s.State, s.Then, s.AtEnd, s.Attempts, s.NotBefore = event.StepReverting, state, event.AtEndRestore, 0, nil
}
