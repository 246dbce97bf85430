package guard

import (
	"context"
	"fmt"
	"time"

	"github.com/firebreak-io/firebreak/internal/event"
)

func init() {
	register(Kind{
		Name:  "cooldown",
		Doc:   "A playbook that acted on a target does not act on it again because of the same rule for a while, unless the finding is graver.",
		Keeps: true,
		New:   func(o Options) Guard { return cooldown{o.Limits.Cooldown.Std()} },
	})
}

type cooldown struct{ d time.Duration }

// Judge looks only at what was done, and for the same reason: a finding that
// somebody provokes first must not keep the real one from being answered.
func (g cooldown) Judge(_ context.Context, c Check) (event.Decision, string) {
	if c.Run.Drill {
		return event.Pass, "a drill comes again by intent"
	}
	own := c.entry()
	for _, e := range c.book.Entries {
		age := c.Now.Sub(e.Taken)
		if e.Run == own.Run || e.Playbook != own.Playbook || e.Target != own.Target || age >= g.d {
			continue
		}
		if e.Rule == own.Rule && own.Severity.Rank() <= e.Severity.Rank() {
			return event.Ask, fmt.Sprintf("run %s acted on the target because of %s %s ago", e.Run, e.Rule, age.Round(time.Second))
		}
	}
	return event.Pass, "not done lately"
}
