package guard

import (
	"context"
	"fmt"

	"github.com/firebreak-io/firebreak/internal/event"
)

func init() {
	register(Kind{
		Name: "mode",
		Doc:  "The playbook's mode and the global ceiling: observe denies effects, ask asks, act passes.",
		New:  func(o Options) Guard { return mode{o.Control} },
	})
}

type mode struct{ control Control }

func (g mode) Judge(ctx context.Context, c Check) (event.Decision, string) {
	if !c.Effect || c.Run.Mode == event.ModeObserve {
		return event.Pass, fmt.Sprintf("mode %s", c.Run.Mode)
	}
	ceiling, err := g.control.Ceiling(ctx)
	switch {
	case err != nil:
		return event.Wait, fmt.Sprintf("the ceiling can't be read: %v", err)
	case ceiling == event.ModeObserve:
		return event.Deny, "the ceiling is observe"
	case c.Run.Drill:
		return event.Pass, "a drill is what the config asks for"
	case c.Run.Mode == event.ModeAsk:
		return event.Ask, "mode ask"
	case ceiling == event.ModeAsk:
		return event.Ask, fmt.Sprintf("mode %s, but the ceiling is ask", c.Run.Mode)
	}
	return event.Pass, "mode act"
}
