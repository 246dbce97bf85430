package guard

import (
	"context"
	"fmt"

	"github.com/firebreak-io/firebreak/internal/event"
)

func init() {
	register(Kind{
		Name:  "pause",
		Doc:   "While operators have paused Firebreak, by command or by an annotation of its ConfigMap, no effect begins. When either can't be read it counts as paused. Undoing goes on.",
		Stops: true,
		New:   func(o Options) Guard { return pause{o.Control, o.Switch} },
	})
}

// Switch is a way to pause that works when all else is down: [*kube.Switch].
type Switch interface {
	// Paused says whether it is set, and why. An error counts as paused.
	Paused(ctx context.Context) (paused bool, why string, err error)
}

type pause struct {
	control Control
	other   Switch
}

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
	case g.other == nil:
		return event.Pass, "not paused"
	}
	paused, why, err := g.other.Paused(ctx)
	switch {
	case err != nil:
		return event.Wait, fmt.Sprintf("whether effects are paused can't be read: %v", err)
	case paused:
		return event.Wait, "paused by annotation: " + why
	}
	return event.Pass, "not paused"
}
