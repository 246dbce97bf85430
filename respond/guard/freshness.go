package guard

import (
	"context"
	"fmt"
	"time"

	"github.com/firebreak-io/firebreak/internal/event"
)

// maxAge is how old an event may be to be acted on without being asked.
const maxAge = 10 * time.Minute

func init() {
	register(Kind{
		Name: "freshness",
		Doc:  "What happened more than ten minutes ago, by the source's clock or ours, is not acted on without approval.",
		New:  func(Options) Guard { return freshness{} },
	})
}

type freshness struct{}

func (freshness) Judge(_ context.Context, c Check) (event.Decision, string) {
	if !c.Effect {
		return event.Pass, "only tells people"
	}
	age := max(c.Now.Sub(c.Run.Finding.Time), c.Now.Sub(c.Run.Finding.Received))
	if age > maxAge {
		return event.Ask, fmt.Sprintf("the event is %s old", age.Round(time.Second))
	}
	return event.Pass, fmt.Sprintf("the event is %s old", age.Round(time.Millisecond))
}
