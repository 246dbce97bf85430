package guard

import (
	"context"
	"fmt"

	"github.com/firebreak-io/firebreak/internal/event"
)

func init() {
	register(Kind{
		Name:  "steering",
		Doc:   "One actor because of whom many targets were hit within an hour may be using the responder as a weapon: from then on it asks.",
		Keeps: true,
		New:   func(o Options) Guard { return steering{o.Limits.Steering.Targets} },
	})
}

type steering struct{ targets int }

func (g steering) Judge(_ context.Context, c Check) (event.Decision, string) {
	own := c.entry()
	if own.Actor == "" {
		return event.Pass, "no actor is known"
	}
	n := c.book.distinct(func(e Entry) string {
		if e.Actor == own.Actor && e.Target != own.Target && c.Now.Sub(e.Taken) < lately {
			return e.Target
		}
		return ""
	})
	if n >= g.targets {
		return event.Ask, fmt.Sprintf("%d other targets were hit because of the same actor within an hour", n)
	}
	return event.Pass, fmt.Sprintf("%d other targets because of the same actor", n)
}
