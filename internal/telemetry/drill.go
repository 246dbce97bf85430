package telemetry

import (
	"context"
	"sync"

	"go.opentelemetry.io/otel/metric"
)

// drills is what the metrics say of containment drills.
type drills struct {
	mu    sync.Mutex
	works func() (works, known bool, note string)
}

func (m *Metrics) addDrills(meter metric.Meter) error {
	_, err := meter.Int64ObservableGauge("firebreak_containment_works",
		metric.WithDescription("1 if containment worked in the last drill, 0 if it did not; absent while that is not known."),
		metric.WithInt64Callback(m.observeDrill))
	return err
}

// WatchDrill has firebreak_containment_works ask what the last drill saw. The
// last call wins.
func (m *Metrics) WatchDrill(works func() (works, known bool, note string)) {
	if m == nil {
		return
	}
	m.gauges.drills.mu.Lock()
	defer m.gauges.drills.mu.Unlock()
	m.gauges.drills.works = works
}

func (m *Metrics) observeDrill(_ context.Context, o metric.Int64Observer) error {
	m.gauges.drills.mu.Lock()
	ask := m.gauges.drills.works
	m.gauges.drills.mu.Unlock()
	if ask == nil {
		return nil
	}
	if works, known, _ := ask(); known && works {
		o.Observe(1)
	} else if known {
		o.Observe(0)
	}
	return nil
}
