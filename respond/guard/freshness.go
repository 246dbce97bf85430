package guard

import (
	"context"
	"fmt"
	"time"

	"github.com/firebreak-io/firebreak/internal/event"
)

func init() {
	register(Kind{
		Name: "freshness",
		Doc:  "What happened too long ago, by the source's clock or ours, whichever is older, is not acted on without approval.",
		New:  func(o Options) Guard { return freshness{o.Limits.Freshness.Std()} },
	})
}

// skewed is how far a source's clock may be ahead before it is told.
const skewed = 5 * time.Minute

type freshness struct{ most time.Duration }

func (g freshness) Judge(_ context.Context, c Check) (event.Decision, string) {
	if !c.Effect {
		return event.Pass, "only tells people"
	}
	f := c.Run.Finding
	age := max(c.Now.Sub(f.Time), c.Now.Sub(f.Received))
	switch {
	case age > g.most:
		return event.Ask, fmt.Sprintf("the event is %s old", age.Round(time.Second))
	case f.Time.Sub(f.Received) > skewed:
		return event.Ask, fmt.Sprintf("the clock of source %s is %s ahead", f.Source, f.Time.Sub(f.Received).Round(time.Second))
	}
	return event.Pass, fmt.Sprintf("the event is %s old", age.Round(time.Millisecond))
}
