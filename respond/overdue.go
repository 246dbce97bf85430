package respond

import (
	"fmt"
	"time"

	"github.com/firebreak-io/firebreak/internal/event"
)

// limit is when the run's time is up, zero where it has no limit or nothing is
// left that it could end.
func (m move) limit() time.Time {
	if m.book.Timeout == 0 || m.run.Stopped || !m.unfinished() {
		return time.Time{}
	}
	return m.run.Created.Add(m.book.Timeout)
}

// unfinished says whether an effect has not begun, or was tried in vain.
func (m move) unfinished() bool {
	for i, s := range m.run.Steps {
		vain := s.State == event.StepIntent && s.Error != ""
		if m.step(i).Effect() && (s.State == event.StepPending || s.State == event.StepPlanned || vain) {
			return true
		}
	}
	return false
}

// overdue ends what has not begun when the run's time is up, as a failure with
// stop does: what was done holds for its time, and what only tells people goes on.
func (m move) overdue() {
	at := m.limit()
	if at.IsZero() || m.now.Before(at) {
		return
	}
	if a := m.run.Approval; a != nil && a.State == event.ApprovalOpen {
		a.State = event.ApprovalExpired
	}
	m.stop(event.RunExpired, fmt.Sprintf("the run's %s were up before all of it had begun", m.book.Timeout))
}
