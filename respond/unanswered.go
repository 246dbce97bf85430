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
	note := fmt.Sprintf("Nobody approved in time what playbook %s asks for: %d steps, since %s.", next.Playbook, len(a.Steps), a.Requested.UTC().Format(time.RFC3339))
	return x.page(ctx, next.ID+"/unanswered-"+a.ID, note, next, now)
}

// page pages people about a run by the routes of the config, once for a key.
func (x *Executor) page(ctx context.Context, key, note string, run event.Run, now time.Time) error {
	kind, ok := action.Lookup("notify.page")
	if !ok {
		return nil
	}
	act, err := kind.New(x.Deps, &action.PageConfig{Note: note})
	if err != nil {
		// Without routes there is nobody to page, and to wait helps nobody.
		if x.Deps.Logger != nil {
			x.Deps.Logger.ErrorContext(ctx, "nobody is paged", "run", run.ID, "note", note, "error", err)
		}
		return nil
	}
	r := action.Request{Key: key, Run: run, Target: run.Target, Now: now}
	plan, err := act.Plan(ctx, r)
	if err == nil {
		_, err = act.Do(ctx, r, plan)
	}
	if err != nil {
		return fmt.Errorf("page about run %s: %w", run.ID, err)
	}
	return nil
}
