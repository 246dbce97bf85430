package telemetry

import (
	"context"

	"go.opentelemetry.io/otel/metric"

	"github.com/firebreak-io/firebreak/internal/event"
)

// Receivers is the closed set of the label kind of messages to people.
func Receivers() []string {
	return []string{"webhook", "kubernetes-event", "pagerduty", "opsgenie", "alertmanager", "email", "slack", "unknown"}
}

// notices are of the messages to people.
type notices struct {
	sent         metric.Int64Counter
	kind, result label
}

func (m *Metrics) addNotices(meter metric.Meter) error {
	n := &m.gauges.notices
	n.kind = label{"kind", Receivers()}
	n.result = label{"result", []string{
		string(event.DeliveryDelivered), string(event.DeliveryRetrying), string(event.DeliveryDropped), string(event.DeliveryDead),
	}}
	var err error
	n.sent, err = meter.Int64Counter("firebreak_notifications_total",
		metric.WithDescription("Attempts to deliver messages to people, by the receiver's kind and result; dead ones were given up: alarm on them."))
	return err
}

// Notified counts an attempt to deliver a message: delivered, retrying, dropped
// or dead.
func (m *Metrics) Notified(ctx context.Context, kind, result string) {
	if m != nil {
		n := &m.gauges.notices
		n.sent.Add(ctx, 1, metric.WithAttributes(n.kind.of(kind), n.result.of(result)))
	}
}
