package respond

import (
	"context"
	"fmt"
	"time"

	"github.com/firebreak-io/firebreak/internal/event"
	"github.com/firebreak-io/firebreak/respond/action"
)

// Pages says whether the playbook pages people when nobody decides in time.
func (p *Playbook) Pages() bool {
	for _, s := range p.Steps {
		if s.Approve != nil && s.Approve.Page {
			return true
		}
	}
	return p.Approve.Page
}

// Unanswered pages people where the next state of a run says that nobody decided
// in time, and the playbook says that this is not all right. It is put into the
// outbox once, however often this is asked.
func (x *Executor) Unanswered(ctx context.Context, book *Playbook, before, next event.Run, now time.Time) error {
	a := next.Approval
	if a == nil || a.State != event.ApprovalExpired || before.Approval == nil || before.Approval.State != event.ApprovalOpen || !book.Pages() {
		return nil
	}
	kind, ok := action.Lookup("notify.page")
	if !ok {
		return nil
	}
	config := &action.PageConfig{Note: fmt.Sprintf("Nobody approved in time what playbook %s asks for: %d steps, since %s.", next.Playbook, len(a.Steps), a.Requested.UTC().Format(time.RFC3339))}
	act, err := kind.New(x.Deps, config)
	if err != nil {
		// Without routes there is nobody to page, and to wait helps nobody.
		if x.Deps.Logger != nil {
			x.Deps.Logger.ErrorContext(ctx, "nobody is paged for an approval that expired", "run", next.ID, "error", err)
		}
		return nil
	}
	r := action.Request{Key: next.ID + "/unanswered-" + a.ID, Run: next, Target: next.Target, Now: now}
	plan, err := act.Plan(ctx, r)
	if err == nil {
		_, err = act.Do(ctx, r, plan)
	}
	if err != nil {
		return fmt.Errorf("page for run %s, which nobody approved in time: %w", next.ID, err)
	}
	return nil
}
