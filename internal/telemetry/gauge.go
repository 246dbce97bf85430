package telemetry

import (
	"context"
	"fmt"

	"go.opentelemetry.io/otel/metric"

	"github.com/firebreak-io/firebreak/internal/event"
)

// WatchRuns has firebreak_runs ask count, whenever somebody looks, how many
// runs are in each state. A state that count leaves out is 0. Call it once.
func (m *Metrics) WatchRuns(count func() map[event.RunState]int) error {
	if m == nil {
		return nil
	}
	_, err := m.meter.Int64ObservableGauge("firebreak_runs",
		metric.WithDescription("Runs, by state."),
		metric.WithInt64Callback(func(_ context.Context, o metric.Int64Observer) error {
			runs := count()
			for _, state := range event.RunStates() {
				o.Observe(int64(runs[state]), metric.WithAttributes(m.labels.state.of(string(state))))
			}
			return nil
		}))
	if err != nil {
		return fmt.Errorf("watch runs: %w", err)
	}
	return nil
}

// WatchLag has firebreak_lag_messages ask lag, whenever somebody looks, how
// many messages the consumer has not read. Call it once a consumer. An error
// of lag leaves the value out.
func (m *Metrics) WatchLag(consumer string, lag func(context.Context) (uint64, error)) error {
	if m == nil {
		return nil
	}
	_, err := m.meter.Int64ObservableGauge("firebreak_lag_messages",
		metric.WithDescription("Messages of its stream that the consumer has not read."),
		metric.WithInt64Callback(func(ctx context.Context, o metric.Int64Observer) error {
			n, err := lag(ctx)
			if err != nil {
				return fmt.Errorf("lag of %s: %w", consumer, err)
			}
			o.Observe(int64(n), metric.WithAttributes(m.labels.consumer.of(consumer)))
			return nil
		}))
	if err != nil {
		return fmt.Errorf("watch lag of %s: %w", consumer, err)
	}
	return nil
}
