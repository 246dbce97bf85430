package telemetry

import (
	"context"
	"errors"
	"sync"

	"go.opentelemetry.io/otel/metric"
)

// DetectorMemory is what detectors remember together, and what had to go.
type DetectorMemory struct {
	// Groups and Bytes are of now.
	Groups, Bytes int
	// Evicted are groups that made room for others, Late events that came too
	// late for their window, since the beginning.
	Evicted, Late uint64
}

// memory is asked whenever somebody looks at the metrics.
type memory struct {
	mu  sync.Mutex
	ask func() DetectorMemory
}

// WatchMemory has the firebreak_detector metrics ask what detectors remember.
// The last call wins.
func (m *Metrics) WatchMemory(ask func() DetectorMemory) {
	if m == nil {
		return
	}
	m.memory.mu.Lock()
	defer m.memory.mu.Unlock()
	m.memory.ask = ask
}

func (m *Metrics) addMemory(meter metric.Meter) error {
	value := func(of func(DetectorMemory) int64) metric.Int64Callback {
		return func(_ context.Context, o metric.Int64Observer) error {
			m.memory.mu.Lock()
			ask := m.memory.ask
			m.memory.mu.Unlock()
			if ask != nil {
				o.Observe(of(ask()))
			}
			return nil
		}
	}
	_, err1 := meter.Int64ObservableGauge("firebreak_detector_groups", metric.WithDescription("Groups that detectors remember."),
		metric.WithInt64Callback(value(func(d DetectorMemory) int64 { return int64(d.Groups) })))
	_, err2 := meter.Int64ObservableGauge("firebreak_detector_bytes", metric.WithDescription("What they take, about."),
		metric.WithInt64Callback(value(func(d DetectorMemory) int64 { return int64(d.Bytes) })))
	_, err3 := meter.Int64ObservableCounter("firebreak_detector_evicted_total", metric.WithDescription("Groups that were forgotten to make room for others."),
		metric.WithInt64Callback(value(func(d DetectorMemory) int64 { return int64(d.Evicted) }))) // #nosec G115 -- a count
	_, err4 := meter.Int64ObservableCounter("firebreak_detector_late_total", metric.WithDescription("Events that came too late for their window."),
		metric.WithInt64Callback(value(func(d DetectorMemory) int64 { return int64(d.Late) }))) // #nosec G115 -- a count
	return errors.Join(err1, err2, err3, err4)
}
