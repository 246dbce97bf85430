package guard

import (
	"context"
	"fmt"
	"time"

	"github.com/firebreak-io/firebreak/internal/event"
)

func init() {
	register(Kind{
		Name: "end",
		Doc:  "Every effect ends: its hold has a time and is no longer than the longest. What can't be undone asks.",
		New:  func(o Options) Guard { return end{o.Limits.Hold.Std()} },
	})
}

type end struct{ longest time.Duration }

func (g end) Judge(_ context.Context, c Check) (event.Decision, string) {
	switch {
	case !c.acts():
		return event.Pass, "nothing is written"
	case !c.Reversible:
		return event.Ask, "it can't be undone"
	case c.Hold <= 0:
		return event.Deny, "the hold has no end"
	case c.Hold > g.longest:
		return event.Deny, fmt.Sprintf("the hold of %s is longer than %s", c.Hold, g.longest)
	}
	return event.Pass, fmt.Sprintf("ends after %s", c.Hold)
}
