package telemetry

import (
	"context"
	"errors"
	"log/slog"
	"sync/atomic"
	"time"

	"go.opentelemetry.io/otel/metric"

	"github.com/firebreak-io/firebreak/internal/event"
)

// Metrics counts what the rooms do. Every label has a closed set of values;
// anything else is counted as "other". All methods may be called
// concurrently, and on a nil receiver, where they do nothing.
type Metrics struct {
	logger *slog.Logger
	labels labels
	memory memory
	models models
	gauges gauges

	events, unstored, lost, rejected, findings, transitions, steps, expired, files, aside, unreadable metric.Int64Counter
	ingest, effect                                                                                    metric.Float64Histogram

	// taken is the sum of events, for who reads it here.
	taken atomic.Uint64
}

func newMetrics(meter metric.Meter, actions []string, logger *slog.Logger) (*Metrics, error) {
	m := &Metrics{logger: logger, labels: newLabels(actions)}
	m.gauges.lags = map[string]func(context.Context) (uint64, error){}
	var errs []error
	counter := func(name, doc string) metric.Int64Counter {
		c, err := meter.Int64Counter(name, metric.WithDescription(doc))
		errs = append(errs, err)
		return c
	}
	histogram := func(name, doc string, bounds ...float64) metric.Float64Histogram {
		h, err := meter.Float64Histogram(name, metric.WithDescription(doc), metric.WithExplicitBucketBoundaries(bounds...))
		errs = append(errs, err)
		return h
	}
	m.events = counter("security_events_total", "Events that were accepted, by source and class.")
	m.unstored = counter("firebreak_unstored_events_total", "Accepted events that their source's filter left out of the stream, by source.")
	m.lost = counter("firebreak_lost_total", "Messages that came unacknowledged (by NATS) faster than they were stored, by source.")
	m.rejected = counter("firebreak_rejected_total", "Pieces of input that became no event, by source and reason.")
	m.findings = counter("firebreak_findings_total", "Findings, by severity.")
	m.transitions = counter("firebreak_run_transitions_total", "Times that a run entered a state.")
	m.steps = counter("firebreak_steps_total", "Steps that ended, by action and result.")
	m.expired = counter("firebreak_expired_unread_total", "Messages that left a stream before the consumer read them.")
	m.files = counter("firebreak_file_faults_total", "What went wrong with files that are read, by source and fault; of lost_bytes the bytes.")
	m.ingest = histogram("firebreak_ingest_seconds", "From the receipt of a request until its events are on disk.",
		.001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10)
	m.effect = histogram("firebreak_alert_to_effect_seconds", "From the receipt of the first event until the effect was read back.",
		.05, .1, .25, .5, 1, 2, 5, 10, 30, 60, 300, 900, 3600)
	gauge := func(name, doc string, observe metric.Int64Callback) {
		_, err := meter.Int64ObservableGauge(name, metric.WithDescription(doc), metric.WithInt64Callback(observe))
		errs = append(errs, err)
	}
	gauge("firebreak_runs", "Runs, by state.", m.observeRuns)
	gauge("firebreak_unread_bytes", "Bytes of events that no detector has read, by configured source.", m.observeUnread)
	gauge("firebreak_lag_messages", "Messages of its stream that the consumer has not read.", m.observeLags)
	errs = append(errs, m.addCluster(meter), m.addMemory(meter), m.addModels(meter), m.addNotices(meter), m.addDrills(meter), m.addPeople(meter), m.addArchive(meter))
	return m, errors.Join(errs...)
}

// Event counts an event that was accepted.
func (m *Metrics) Event(ctx context.Context, source event.Source, class string) {
	m.Events(ctx, source, class, 1)
}

// Events counts n events of one source and class at once.
func (m *Metrics) Events(ctx context.Context, source event.Source, class string, n int) {
	if m != nil {
		m.taken.Add(uint64(max(n, 0)))
		m.events.Add(ctx, int64(n), metric.WithAttributes(m.labels.source.of(string(source)), m.labels.class.of(class)))
	}
}

// Taken is how many events were counted since the process began.
func (m *Metrics) Taken() uint64 {
	if m == nil {
		return 0
	}
	return m.taken.Load()
}

// Unstored counts n events of those that [Metrics.Events] counts, which the
// source's filter left out of the stream.
func (m *Metrics) Unstored(ctx context.Context, source event.Source, n int) {
	if m != nil {
		m.unstored.Add(ctx, int64(n), metric.WithAttributes(m.labels.source.of(string(source))))
	}
}

// Lost counts n messages that came by a way that nobody acknowledges, and that
// were not taken.
func (m *Metrics) Lost(ctx context.Context, source event.Source, n int) {
	if m != nil {
		m.lost.Add(ctx, int64(n), metric.WithAttributes(m.labels.source.of(string(source))))
	}
}

// Rejected counts input that became no event; the reason is one of the
// Reason constants.
func (m *Metrics) Rejected(ctx context.Context, source event.Source, reason string) {
	if m != nil {
		m.rejected.Add(ctx, 1, metric.WithAttributes(m.labels.source.of(string(source)), m.labels.reason.of(reason)))
	}
}

// Finding counts a finding.
func (m *Metrics) Finding(ctx context.Context, severity event.Severity) {
	if m != nil {
		m.findings.Add(ctx, 1, metric.WithAttributes(m.labels.severity.of(string(severity))))
	}
}

// RunMoved counts that a run entered a state.
func (m *Metrics) RunMoved(ctx context.Context, state event.RunState) {
	if m != nil {
		m.transitions.Add(ctx, 1, metric.WithAttributes(m.labels.state.of(string(state))))
	}
}

// StepDone counts the end of a step; the result is an [event.Result] or one
// of the Result constants here.
func (m *Metrics) StepDone(ctx context.Context, action, result string) {
	if m != nil {
		m.steps.Add(ctx, 1, metric.WithAttributes(m.labels.action.of(action), m.labels.result.of(result)))
	}
}

// Expired counts messages that left a stream before the consumer read them.
// It should stay 0.
func (m *Metrics) Expired(ctx context.Context, consumer string, n uint64) {
	if m != nil {
		m.expired.Add(ctx, int64(n), metric.WithAttributes(m.labels.consumer.of(consumer)))
	}
}

// Ingest records how long a request took until its events were on disk.
func (m *Metrics) Ingest(ctx context.Context, source event.Source, took time.Duration) {
	if m != nil {
		m.ingest.Record(ctx, took.Seconds(), metric.WithAttributes(m.labels.source.of(string(source))))
	}
}

// AlertToEffect records how long it took from the first event to the effect.
func (m *Metrics) AlertToEffect(ctx context.Context, action string, took time.Duration) {
	if m != nil {
		m.effect.Record(ctx, took.Seconds(), metric.WithAttributes(m.labels.action.of(action)))
	}
}
