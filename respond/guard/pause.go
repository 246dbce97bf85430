package guard

import (
	"context"
	"fmt"

	"github.com/firebreak-io/firebreak/internal/event"
)

func init() {
	register(Kind{
		Name:  "pause",
		Doc:   "While operators have paused Firebreak no effect begins. When that can't be read it counts as paused. Undoing goes on.",
		Stops: true,
		New:   func(o Options) Guard { return pause{o.Control} },
	})
}

type pause struct{ control Control }

func (g pause) Judge(ctx context.Context, c Check) (event.Decision, string) {
	if !c.Effect {
		return event.Pass, "only tells people"
	}
	paused, by, err := g.control.Paused(ctx)
	switch {
	case err != nil:
		return event.Wait, fmt.Sprintf("whether effects are paused can't be read: %v", err)
	case paused:
		return event.Wait, "paused by " + by
	}
	return event.Pass, "not paused"
}
