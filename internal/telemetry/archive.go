package telemetry

import (
	"context"

	"go.opentelemetry.io/otel/metric"
)

func (m *Metrics) addArchive(meter metric.Meter) (err error) {
	m.aside, err = meter.Int64Counter("firebreak_archive_aside_total",
		metric.WithDescription("Runs whose record did not prove when they were archived: somebody has changed it. Alarm on them."))
	return err
}

// SetAside counts runs whose record did not prove when they were archived.
func (m *Metrics) SetAside(ctx context.Context, runs int) {
	if m != nil {
		m.aside.Add(ctx, int64(runs))
	}
}
