package telemetry

import (
	"context"

	"go.opentelemetry.io/otel/metric"
)

func (m *Metrics) addArchive(meter metric.Meter) (err error) {
	m.unreadable, err = meter.Int64Counter("firebreak_runs_unreadable_total",
		metric.WithDescription("Entries of the run log that can't be read: their runs were set aside, and people have to look. Alarm on them."))
	if err != nil {
		return err
	}
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

// RunUnreadable counts an entry of the run log that can't be read.
func (m *Metrics) RunUnreadable(ctx context.Context) {
	if m != nil {
		m.unreadable.Add(ctx, 1)
	}
}
