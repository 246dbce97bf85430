package telemetry

import (
	"context"
	"maps"
	"sync"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"

	"github.com/firebreak-io/firebreak/internal/event"
)

// gauges are asked whenever somebody looks at the metrics.
type gauges struct {
	notices notices
	drills  drills
	people  people
	mu      sync.Mutex
	runs    func() map[event.RunState]int
	lags    map[string]func(context.Context) (uint64, error)
	// unread are bytes by the name of a configured source.
	unread func() map[string]int64
	// cluster has a lock of its own.
	cluster clusterMetrics
}

// WatchRuns has firebreak_runs ask count how many runs are in each state. A
// state that count leaves out is 0. The last call wins.
func (m *Metrics) WatchRuns(count func() map[event.RunState]int) {
	if m == nil {
		return
	}
	m.gauges.mu.Lock()
	defer m.gauges.mu.Unlock()
	m.gauges.runs = count
}

// WatchLag has firebreak_lag_messages ask lag how many messages the consumer
// has not read. The last call for a consumer wins. An error of lag is logged
// and leaves the value out.
func (m *Metrics) WatchLag(consumer string, lag func(context.Context) (uint64, error)) {
	if m == nil {
		return
	}
	m.gauges.mu.Lock()
	defer m.gauges.mu.Unlock()
	m.gauges.lags[consumer] = lag
}

// WatchUnread has firebreak_unread_bytes ask unread how many bytes of each
// source no detector has read. The names are those of configured sources, and
// "" for what is of none. The last call wins.
func (m *Metrics) WatchUnread(unread func() map[string]int64) {
	if m == nil {
		return
	}
	m.gauges.mu.Lock()
	defer m.gauges.mu.Unlock()
	m.gauges.unread = unread
}

func (m *Metrics) observeUnread(_ context.Context, o metric.Int64Observer) error {
	m.gauges.mu.Lock()
	unread := m.gauges.unread
	m.gauges.mu.Unlock()
	if unread == nil {
		return nil
	}
	for name, bytes := range unread() {
		if name == "" {
			name = other
		}
		o.Observe(max(bytes, 0), metric.WithAttributes(attribute.String(m.labels.source.key, name)))
	}
	return nil
}

func (m *Metrics) observeRuns(_ context.Context, o metric.Int64Observer) error {
	m.gauges.mu.Lock()
	count := m.gauges.runs
	m.gauges.mu.Unlock()
	if count == nil {
		return nil
	}
	runs := count()
	for _, state := range event.RunStates() {
		o.Observe(int64(runs[state]), metric.WithAttributes(m.labels.state.of(string(state))))
	}
	return nil
}

func (m *Metrics) observeLags(ctx context.Context, o metric.Int64Observer) error {
	m.gauges.mu.Lock()
	lags := maps.Clone(m.gauges.lags)
	m.gauges.mu.Unlock()
	for consumer, lag := range lags {
		n, err := lag(ctx)
		if err != nil {
			m.logger.WarnContext(ctx, "lag is not known", "consumer", consumer, "error", err)
			continue
		}
		o.Observe(int64(n), metric.WithAttributes(m.labels.consumer.of(consumer)))
	}
	return nil
}
