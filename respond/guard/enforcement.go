package guard

import (
	"context"
	"strings"

	"github.com/firebreak-io/firebreak/internal/event"
)

func init() {
	register(Kind{
		Name: "enforcement",
		Doc:  "Where the last drill saw that the cluster does not enforce network policies, people decide on what rests on them.",
		New:  func(o Options) Guard { return enforcement{o.Drill} },
	})
}

// Drill says what is known of the enforcement of network policies.
type Drill interface {
	Works() (works, known bool, note string)
}

type enforcement struct{ drill Drill }

func (g enforcement) Judge(_ context.Context, c Check) (event.Decision, string) {
	if !c.acts() || !(strings.HasSuffix(c.Plan.Action, ".quarantine") || strings.HasPrefix(c.Plan.Action, "network.")) {
		return event.Pass, "rests on no network policy"
	}
	if c.Run.Drill {
		return event.Pass, "it is to find out whether policies are enforced"
	}
	if g.drill == nil {
		return event.Pass, "enforcement is unknown: no drill is held"
	}
	works, known, note := g.drill.Works()
	if known && !works {
		return event.Ask, note
	}
	return event.Pass, note
}
