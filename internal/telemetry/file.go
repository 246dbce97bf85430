package telemetry

import (
	"context"

	"go.opentelemetry.io/otel/metric"

	"github.com/firebreak-io/firebreak/internal/event"
)

// fileFaults is the closed set of the label fault, as package ingest/tail
// names them.
var fileFaults = label{"fault", []string{"truncated", "lost_bytes", "gone", "read", "link", "too_many", "checkpoint", "store"}}

// FileFault counts what went wrong with files that are read. Of lost_bytes n
// are the bytes that are known to be lost; there may be more.
func (m *Metrics) FileFault(ctx context.Context, source event.Source, fault string, n int64) {
	if m != nil {
		m.files.Add(ctx, n, metric.WithAttributes(m.labels.source.of(string(source)), fileFaults.of(fault)))
	}
}
