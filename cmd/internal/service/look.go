package service

import (
	"cmp"
	"context"
	"os"

	"golang.org/x/sync/errgroup"

	"github.com/firebreak-io/firebreak/ingest"
	"github.com/firebreak-io/firebreak/ingest/enrich"
	"github.com/firebreak-io/firebreak/ingest/heartbeat"
	"github.com/firebreak-io/firebreak/internal/kube/index"
	"github.com/firebreak-io/firebreak/internal/telemetry"
)

// look gives sources what the cluster knows, where there is one: events are
// enriched, logs have their parsers chosen, and audit events that stay away
// are noticed. Everything goes on without a cluster, and while it is away.
func (s *service) look(ctx context.Context, group *errgroup.Group, d *ingest.Deps) {
	if s.watcher == nil {
		return
	}
	before := func(next ingest.Sink) ingest.Sink { return next }
	if !s.Config.Enrich.Disabled {
		x := s.index(ctx, group)
		d.Pods = x
		before = enrich.New(enrich.Options{Index: x, Wait: s.Config.Enrich.Wait.Std()}).Before
	}
	if s.Config.Heartbeat.Disabled || !s.Config.Audited() {
		d.Enrich = before
		return
	}
	namespace := cmp.Or(os.Getenv("POD_NAMESPACE"), "default")
	monitor := heartbeat.New(heartbeat.Options{
		Beat:  func(ctx context.Context, text string) error { return s.watcher.Beat(ctx, namespace, text) },
		Store: s.bus.Control(), Sink: d.Sink, Metrics: s.tel.Metrics(), Logger: s.logger, Cluster: s.Config.Cluster,
		Every: s.Config.Heartbeat.Every.Std(), Within: s.Config.Heartbeat.Within.Std(),
	})
	group.Go(func() error { return monitor.Run(ctx) })
	// The beats end before anything is looked up for them.
	d.Enrich = func(next ingest.Sink) ingest.Sink { return monitor.Before(before(next)) }
}

// index starts to watch the cluster.
func (s *service) index(ctx context.Context, group *errgroup.Group) *index.Index {
	x := index.New(index.Options{Config: s.watcher.REST(), Logger: s.logger})
	group.Go(func() error { return x.Run(ctx) })
	s.tel.Health().AddNote("index", x.Healthy)
	s.tel.Metrics().WatchIndex(func() telemetry.IndexState {
		n := x.Stats()
		return telemetry.IndexState{
			Pods: n.Pods, Gone: n.Gone, Nodes: n.Nodes, Owners: n.Owners, Reports: n.Reports, Age: x.Age(), Found: n.Found, Unknown: n.Unknown,
		}
	})
	return x
}
