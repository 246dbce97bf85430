package guard

import (
	"context"
	"fmt"

	"github.com/firebreak-io/firebreak/internal/event"
)

func init() {
	register(Kind{
		Name: "trust",
		Doc:  "Acting without approval needs an identity that the runtime or the API server vouches for (T2), and a rule: a model alone asks.",
		New:  func(Options) Guard { return trust{} },
	})
}

type trust struct{}

func (trust) Judge(_ context.Context, c Check) (event.Decision, string) {
	f := c.Run.Finding
	switch {
	case !c.Effect:
		return event.Pass, "only tells people"
	case f.Rule == "":
		return event.Ask, "a model alone never acts"
	case f.Trust < event.TrustRuntime:
		return event.Ask, fmt.Sprintf("what names the target has trust %s, less than %s", f.Trust, event.TrustRuntime)
	}
	return event.Pass, "trust " + f.Trust.String()
}
