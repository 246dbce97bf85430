package telemetry

import (
	"context"
	"errors"
	"sync"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"

	"github.com/firebreak-io/firebreak/internal/event"
)

// models are asked whenever somebody looks at the metrics.
type models struct {
	mu  sync.Mutex
	ask func() []event.ModelState
}

// maxModels is of how many models there are figures of their own.
const maxModels = 100

// WatchModels has the firebreak_model metrics ask how models stand. Their label
// is the name of the model's document: nothing of it comes from events. The last
// call wins.
func (m *Metrics) WatchModels(ask func() []event.ModelState) {
	if m == nil {
		return
	}
	m.models.mu.Lock()
	defer m.models.mu.Unlock()
	m.models.ask = ask
}

// each gives the models and their label, as many as have figures of their own.
func (m *models) each(yield func(s *event.ModelState, label metric.MeasurementOption)) {
	m.mu.Lock()
	ask := m.ask
	m.mu.Unlock()
	if ask == nil {
		return
	}
	all := ask()
	for i := range all[:min(len(all), maxModels)] {
		yield(&all[i], metric.WithAttributes(attribute.String("model", all[i].Name)))
	}
}

func (m *Metrics) addModels(meter metric.Meter) error {
	var errs []error
	number := func(name, doc string, of func(*event.ModelState) float64) {
		_, err := meter.Float64ObservableGauge(name, metric.WithDescription(doc), metric.WithFloat64Callback(func(_ context.Context, o metric.Float64Observer) error {
			m.models.each(func(s *event.ModelState, label metric.MeasurementOption) { o.Observe(of(s), label) })
			return nil
		}))
		errs = append(errs, err)
	}
	count := func(name, doc string, of func(*event.ModelState) uint64) {
		_, err := meter.Int64ObservableCounter(name, metric.WithDescription(doc), metric.WithInt64Callback(func(_ context.Context, o metric.Int64Observer) error {
			m.models.each(func(s *event.ModelState, label metric.MeasurementOption) { o.Observe(int64(of(s)), label) }) // #nosec G115 -- a count
			return nil
		}))
		errs = append(errs, err)
	}
	number("firebreak_model_missing", "Measurements that a model lacks before it finds anything.", func(s *event.ModelState) float64 { return float64(s.Missing) })
	number("firebreak_model_missing_seconds", "Time that a model lacks before it finds anything.", func(s *event.ModelState) float64 { return s.MissingTime.Seconds() })
	number("firebreak_model_moved", "How far a model's scores of fixed probes have moved since it was approved, or first full.", func(s *event.ModelState) float64 { return s.Moved })
	number("firebreak_model_quarantined", "Measurements that a model does not learn as long as nobody said what they were.", func(s *event.ModelState) float64 { return float64(s.Quarantined) })
	number("firebreak_model_entities", "Entities that a model remembers.", func(s *event.ModelState) float64 { return float64(s.Entities) })
	number("firebreak_model_silent", "Entities that are nearly always there, while nothing comes of any of them: look whether their source is well.", func(s *event.ModelState) float64 { return float64(s.Silent) })
	number("firebreak_model_bytes", "What a model takes, about.", func(s *event.ModelState) float64 { return float64(s.Bytes) })
	number("firebreak_model_need_p", "The p that a finding of a model needs now.", func(s *event.ModelState) float64 { return s.NeedP })
	count("firebreak_model_measured_total", "Events or intervals that a model measured.", func(s *event.ModelState) uint64 { return s.Measured })
	count("firebreak_model_findings_total", "Findings of a model.", func(s *event.ModelState) uint64 { return s.Budget.Found })
	count("firebreak_model_held_total", "Findings that a model's budget held back.", func(s *event.ModelState) uint64 { return s.Budget.Held })
	count("firebreak_model_evicted_total", "Entities that a model forgot to make room for others.", func(s *event.ModelState) uint64 { return s.Evicted })
	count("firebreak_model_late_total", "Events that came too late for the interval of a model.", func(s *event.ModelState) uint64 { return s.Late })
	return errors.Join(errs...)
}
