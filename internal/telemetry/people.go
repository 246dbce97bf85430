package telemetry

import (
	"context"
	"sync/atomic"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"
)

// people are of those who decide.
type people struct {
	broken, fatigue metric.Int64Counter
	kind            label
	open, late      atomic.Int64
	known           atomic.Bool
	chat            atomic.Int64 // 0 unknown, 1 works, 2 does not
}

func (m *Metrics) addPeople(meter metric.Meter) (err error) {
	p := &m.gauges.people
	p.kind = label{"kind", []string{"many", "hasty", "always", "locked-out"}}
	if p.broken, err = meter.Int64Counter("firebreak_break_glass_total", metric.WithDescription("Times that somebody broke the glass: alarm on them.")); err != nil {
		return err
	}
	if p.fatigue, err = meter.Int64Counter("firebreak_approval_fatigue_total", metric.WithDescription("Alarms that somebody seems to approve without looking, or is locked out and tried to decide, by kind.")); err != nil {
		return err
	}
	if _, err = meter.Int64ObservableGauge("firebreak_reviews", metric.WithDescription("Reviews of broken glass that are open, and those of them that are late."), metric.WithInt64Callback(
		func(_ context.Context, o metric.Int64Observer) error {
			if !p.known.Load() {
				return nil // another responder is the active one
			}
			o.Observe(p.open.Load(), metric.WithAttributes(attribute.String("state", "open")))
			o.Observe(p.late.Load(), metric.WithAttributes(attribute.String("state", "late")))
			return nil
		})); err != nil {
		return err
	}
	_, err = meter.Int64ObservableGauge("firebreak_slack_works", metric.WithDescription("1 if the last call of Slack went well, 0 if it did not; absent while that is not known."), metric.WithInt64Callback(
		func(_ context.Context, o metric.Int64Observer) error {
			switch p.chat.Load() {
			case 1:
				o.Observe(1)
			case 2:
				o.Observe(0)
			}
			return nil
		}))
	return err
}

// GlassBroken counts that somebody broke the glass.
func (m *Metrics) GlassBroken(ctx context.Context) {
	if m != nil {
		m.gauges.people.broken.Add(ctx, 1)
	}
}

// Fatigue counts an alarm that somebody seems to approve without looking; the
// kind is one of those of package respond.
func (m *Metrics) Fatigue(ctx context.Context, kind string) {
	if m != nil {
		m.gauges.people.fatigue.Add(ctx, 1, metric.WithAttributes(m.gauges.people.kind.of(kind)))
	}
}

// Reviews says how many reviews are open, and how many of them are late.
func (m *Metrics) Reviews(open, late int) {
	if m != nil {
		m.gauges.people.open.Store(int64(open))
		m.gauges.people.late.Store(int64(late))
		m.gauges.people.known.Store(true)
	}
}

// SlackWorks says whether the last call of Slack went well.
func (m *Metrics) SlackWorks(works bool) {
	switch {
	case m == nil:
	case works:
		m.gauges.people.chat.Store(1)
	default:
		m.gauges.people.chat.Store(2)
	}
}
