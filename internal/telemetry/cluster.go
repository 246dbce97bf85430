package telemetry

import (
	"context"
	"errors"
	"sync"
	"time"

	"go.opentelemetry.io/otel/metric"

	"github.com/firebreak-io/firebreak/internal/event"
)

// IndexState is how much the index of the cluster holds, and how old it is.
type IndexState struct {
	Pods, Gone, Nodes, Owners, Reports int
	// Age is how long nothing was heard of the cluster.
	Age time.Duration
	// Found and Unknown count the questions for a pod by what it was asked
	// for: uid, container, name, address.
	Found, Unknown map[string]uint64
}

// clusterMetrics are of what ingest knows of the cluster.
type clusterMetrics struct {
	beats      metric.Int64Counter
	by, result label
	kind, beat label

	mu    sync.Mutex
	index func() IndexState
	gaps  map[event.Source]bool
}

func (m *Metrics) addCluster(meter metric.Meter) error {
	c := &m.gauges.cluster
	c.by = label{"by", []string{"uid", "container", "name", "address"}}
	c.result = label{"result", []string{"found", "unknown"}}
	c.kind = label{"kind", []string{"pods", "gone", "nodes", "owners", "reports"}}
	c.beat = label{"result", []string{"sent", "failed", "returned"}}
	c.gaps = map[event.Source]bool{}
	var errs [5]error
	_, errs[0] = meter.Int64ObservableCounter("firebreak_index_lookups_total",
		metric.WithDescription("Questions for a pod to the index of the cluster, by what it was asked for and whether it was known."),
		metric.WithInt64Callback(c.observeLookups))
	c.beats, errs[1] = meter.Int64Counter("firebreak_heartbeats_total",
		metric.WithDescription("Requests that must come back as audit events, by what became of them."))
	_, errs[2] = meter.Int64ObservableGauge("firebreak_index_objects",
		metric.WithDescription("Objects in the index of the cluster, by kind; gone are pods that are no more."), metric.WithInt64Callback(c.observeObjects))
	_, errs[3] = meter.Float64ObservableGauge("firebreak_index_age_seconds",
		metric.WithDescription("For how long the index of the cluster heard nothing of it; bookmarks come every minute."), metric.WithFloat64Callback(c.observeAge))
	_, errs[4] = meter.Int64ObservableGauge("firebreak_coverage_gap",
		metric.WithDescription("1 while the events of a source don't come, as far as heartbeats tell."), metric.WithInt64Callback(m.observeGaps))
	return errors.Join(errs[:]...)
}

// WatchIndex has firebreak_index_objects, firebreak_index_lookups_total
// and firebreak_index_age_seconds ask state. The last call wins.
func (m *Metrics) WatchIndex(state func() IndexState) {
	if m == nil {
		return
	}
	m.gauges.cluster.mu.Lock()
	defer m.gauges.cluster.mu.Unlock()
	m.gauges.cluster.index = state
}

// Heartbeat counts a heartbeat that was sent, failed or returned.
func (m *Metrics) Heartbeat(ctx context.Context, result string) {
	if m != nil {
		m.gauges.cluster.beats.Add(ctx, 1, metric.WithAttributes(m.gauges.cluster.beat.of(result)))
	}
}

// CoverageGap shows whether the events of a source stay away.
func (m *Metrics) CoverageGap(source event.Source, open bool) {
	if m == nil {
		return
	}
	m.gauges.cluster.mu.Lock()
	defer m.gauges.cluster.mu.Unlock()
	m.gauges.cluster.gaps[source] = open
}

func (c *clusterMetrics) state() (s IndexState, known bool) {
	c.mu.Lock()
	ask := c.index
	c.mu.Unlock()
	if ask == nil {
		return IndexState{}, false
	}
	return ask(), true
}

func (c *clusterMetrics) observeObjects(_ context.Context, o metric.Int64Observer) error {
	s, known := c.state()
	if !known {
		return nil
	}
	for kind, n := range map[string]int{"pods": s.Pods, "gone": s.Gone, "nodes": s.Nodes, "owners": s.Owners, "reports": s.Reports} {
		o.Observe(int64(n), metric.WithAttributes(c.kind.of(kind)))
	}
	return nil
}

func (c *clusterMetrics) observeLookups(_ context.Context, o metric.Int64Observer) error {
	s, _ := c.state()
	for result, counts := range map[string]map[string]uint64{"found": s.Found, "unknown": s.Unknown} {
		for by, n := range counts {
			o.Observe(int64(n), metric.WithAttributes(c.by.of(by), c.result.of(result)))
		}
	}
	return nil
}

func (c *clusterMetrics) observeAge(_ context.Context, o metric.Float64Observer) error {
	if s, known := c.state(); known {
		o.Observe(s.Age.Seconds())
	}
	return nil
}

func (m *Metrics) observeGaps(_ context.Context, o metric.Int64Observer) error {
	m.gauges.cluster.mu.Lock()
	defer m.gauges.cluster.mu.Unlock()
	for source, open := range m.gauges.cluster.gaps {
		n := int64(0)
		if open {
			n = 1
		}
		o.Observe(n, metric.WithAttributes(m.labels.source.of(string(source))))
	}
	return nil
}
