package guard

import (
	"context"

	"github.com/firebreak-io/firebreak/internal/event"
)

func init() {
	register(Kind{
		Name: "loop",
		Doc:  "What Firebreak does itself never starts an effect.",
		New:  func(o Options) Guard { return loop{o.Self} },
	})
}

type loop struct{ self string }

func (g loop) Judge(_ context.Context, c Check) (event.Decision, string) {
	if g.self != "" && c.Run.Finding.Actor.User == g.self {
		return event.Deny, "the finding is about Firebreak itself"
	}
	return event.Pass, "not about Firebreak itself"
}
