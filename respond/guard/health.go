package guard

import (
	"context"
	"fmt"
	"time"

	"github.com/firebreak-io/firebreak/internal/event"
)

func init() {
	register(Kind{
		Name: "health",
		Doc:  "Where many nodes are not ready, many requests to the API server fail, or findings are taken late, no new effect begins without people.",
		New:  func(o Options) Guard { return health{o.Cluster, o.Limits.Health} },
	})
}

type health struct {
	cluster Cluster
	limits  Health
}

// fewRequests say nothing of a share.
const fewRequests = 10

func (g health) Judge(ctx context.Context, c Check) (event.Decision, string) {
	if !c.acts() {
		return event.Pass, "nothing is written"
	}
	if share, n := g.cluster.Errors(); n >= fewRequests && share > g.limits.Errors {
		return event.Ask, fmt.Sprintf("%.0f %% of %d requests to the API server failed within a minute", 100*share, n)
	}
	if lag := c.Run.Created.Sub(c.Run.Finding.Received); !c.Run.Created.IsZero() && lag > g.limits.Lag.Std() {
		return event.Ask, fmt.Sprintf("the finding was taken %s after its event came in", lag.Round(time.Second))
	}
	nodes, err := g.cluster.Nodes(ctx)
	if err != nil {
		return event.Wait, fmt.Sprintf("the nodes can't be read: %v", err)
	}
	ill := 0
	for i := range nodes {
		if !nodeReady(&nodes[i]) {
			ill++
		}
	}
	if ill > 0 && float64(ill) >= g.limits.NotReady*float64(len(nodes)) {
		return event.Ask, fmt.Sprintf("%d of %d nodes are not ready", ill, len(nodes))
	}
	return event.Pass, fmt.Sprintf("%d of %d nodes are ready", len(nodes)-ill, len(nodes))
}
