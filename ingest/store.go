package ingest

import (
	"context"
	"strings"
	"time"

	"github.com/firebreak-io/firebreak/internal/event"
	"github.com/firebreak-io/firebreak/internal/telemetry"
)

// Store is where events and rejects go. [*bus.Bus] is one.
type Store interface {
	// Publish returns when the message is on disk.
	Publish(ctx context.Context, subject string, data []byte) (uint64, error)
	// Dead keeps a reject.
	Dead(ctx context.Context, r event.Rejected) error
}

// Sink stores events. [*Batcher] is one.
type Sink interface {
	// Put returns when all of the events are on disk. After an error some of
	// them may be.
	Put(ctx context.Context, events []event.Event) error
}

// Metrics counts what comes in. [*telemetry.Metrics] is one.
type Metrics interface {
	Events(ctx context.Context, source event.Source, class string, n int)
	Unstored(ctx context.Context, source event.Source, n int)
	Rejected(ctx context.Context, source event.Source, reason string)
	Ingest(ctx context.Context, source event.Source, took time.Duration)
	// Lost counts what came by a way that nobody acknowledges, and was not taken.
	Lost(ctx context.Context, source event.Source, n int)
	// FileFault counts what went wrong with files, see [tail.Faults].
	FileFault(ctx context.Context, source event.Source, fault string, n int64)
}

// reasonClass is the metric label of a reject.
func reasonClass(reason string) string {
	for _, c := range []struct{ part, class string }{
		{"duplicate name", telemetry.ReasonDuplicateKey},
		{"twice in different case", telemetry.ReasonDuplicateKey},
		{"invalid UTF-8", telemetry.ReasonEncoding},
		{"nested deeper", telemetry.ReasonTooDeep},
		{"more than", telemetry.ReasonTooLarge},
		{"longer than", telemetry.ReasonTooLarge},
		{"the bound is", telemetry.ReasonTooLarge},
		{"compressed too well", telemetry.ReasonTooLarge},
		{"may be taken at a time", telemetry.ReasonTooLarge},
		{errFalcoTalk.Error(), telemetry.ReasonText},
		{"not a Falco alert", telemetry.ReasonIncomplete},
		{"not an audit event", telemetry.ReasonIncomplete},
	} {
		if strings.Contains(reason, c.part) {
			return c.class
		}
	}
	return telemetry.ReasonMalformed
}

// countStored counts events by class.
func countStored(ctx context.Context, m Metrics, source event.Source, events []event.Event) {
	classes := map[string]int{}
	for i := range events {
		classes[events[i].Class]++
	}
	for class, n := range classes {
		m.Events(ctx, source, class, n)
	}
}
