package telemetry

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/url"
	"os"
	"strings"

	"github.com/prometheus/client_golang/prometheus"
	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/exporters/otlp/otlptrace/otlptracehttp"
	otelprom "go.opentelemetry.io/otel/exporters/prometheus"
	metricnoop "go.opentelemetry.io/otel/metric/noop"
	sdkmetric "go.opentelemetry.io/otel/sdk/metric"
	"go.opentelemetry.io/otel/sdk/resource"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/trace"
	tracenoop "go.opentelemetry.io/otel/trace/noop"
)

const scope = "github.com/firebreak-io/firebreak"

// Options of [Setup]. The zero value logs JSON at info to standard error and
// sends traces nowhere.
type Options struct {
	Service, Version string
	// OTLPEndpoint is the URL of an OTLP/HTTP collector
	// (http://collector:4318; a path replaces /v1/traces). Without one, spans have ids, which appear in
	// the logs and travel with messages, and are not recorded.
	OTLPEndpoint string
	// LogLevel is debug, info, warn or error; LogFormat is json or text.
	LogLevel, LogFormat string
	LogWriter           io.Writer
	// Actions is the catalogue of action names: the closed set of the label.
	Actions []string
}

// Telemetry is the process' logger, tracer, metrics and health. Its methods
// may be called concurrently, and on [Nop].
type Telemetry struct {
	logger   *slog.Logger
	tracer   trace.Tracer
	metrics  *Metrics
	health   *Health
	registry *prometheus.Registry
	closers  []func(context.Context) error
}

// Setup makes the telemetry of a process. Call [Telemetry.Shutdown] at its
// end, so that the last spans are sent.
func Setup(ctx context.Context, o Options) (*Telemetry, error) {
	if o.Service == "" {
		o.Service = "firebreak"
	}
	if o.LogWriter == nil {
		o.LogWriter = os.Stderr
	}
	logger, err := newLogger(o)
	if err != nil {
		return nil, fmt.Errorf("set up telemetry: %w", err)
	}
	// OpenTelemetry tells of a collector that is away through this global only.
	otel.SetErrorHandler(otel.ErrorHandlerFunc(func(err error) { logger.Warn("telemetry", "error", err) }))
	t := &Telemetry{logger: logger, health: newHealth(logger), registry: prometheus.NewRegistry()}
	res := resource.NewSchemaless(
		attribute.String("service.name", o.Service), attribute.String("service.version", o.Version))
	if err := t.setTracer(ctx, o, res); err != nil {
		return nil, fmt.Errorf("set up traces: %w", err)
	}
	if err := t.setMeter(o, res); err != nil {
		return nil, fmt.Errorf("set up metrics: %w", err)
	}
	return t, nil
}

// Nop is telemetry that goes nowhere, for tests and offline work.
func Nop() *Telemetry {
	logger := slog.New(slog.DiscardHandler)
	return &Telemetry{
		logger: logger, tracer: tracenoop.NewTracerProvider().Tracer(scope), metrics: nopMetrics(),
		health: newHealth(logger), registry: prometheus.NewRegistry(),
	}
}

func (t *Telemetry) setTracer(ctx context.Context, o Options, res *resource.Resource) error {
	opts := []sdktrace.TracerProviderOption{sdktrace.WithResource(res), sdktrace.WithSampler(sdktrace.NeverSample())}
	if o.OTLPEndpoint != "" {
		exporter, err := otlptracehttp.New(ctx, otlptracehttp.WithEndpointURL(tracesURL(o.OTLPEndpoint)))
		if err != nil {
			return err
		}
		opts = []sdktrace.TracerProviderOption{
			sdktrace.WithResource(res), sdktrace.WithBatcher(exporter),
			sdktrace.WithSampler(sdktrace.ParentBased(sdktrace.AlwaysSample())),
		}
	}
	provider := sdktrace.NewTracerProvider(opts...)
	t.tracer = provider.Tracer(scope)
	t.closers = append(t.closers, provider.Shutdown)
	return nil
}

// tracesURL adds the path that collectors listen on
// (https://opentelemetry.io/docs/specs/otlp/#otlphttp-request) to an address
// without one: the exporter takes a URL for the whole of it.
func tracesURL(endpoint string) string {
	u, err := url.Parse(endpoint)
	if err != nil || strings.Trim(u.Path, "/") != "" {
		return endpoint
	}
	return u.JoinPath("v1", "traces").String()
}

func (t *Telemetry) setMeter(o Options, res *resource.Resource) error {
	//nolint:staticcheck // no translation strategy leaves units out and keeps _total
	exporter, err := otelprom.New(otelprom.WithRegisterer(t.registry), otelprom.WithoutUnits(), otelprom.WithoutScopeInfo())
	if err != nil {
		return err
	}
	provider := sdkmetric.NewMeterProvider(sdkmetric.WithReader(exporter), sdkmetric.WithResource(res))
	t.closers = append(t.closers, provider.Shutdown)
	t.metrics, err = newMetrics(provider.Meter(scope), o.Actions, t.logger)
	return err
}

func nopMetrics() *Metrics {
	m, err := newMetrics(metricnoop.NewMeterProvider().Meter(scope), nil, slog.New(slog.DiscardHandler))
	if err != nil {
		return nil // its methods take a nil receiver
	}
	return m
}

// Logger adds the ids of the trace and span of its ctx to each record.
func (t *Telemetry) Logger() *slog.Logger { return t.logger }

// Metrics is where the rooms count.
func (t *Telemetry) Metrics() *Metrics { return t.metrics }

// Health is where the rooms say whether they are well.
func (t *Telemetry) Health() *Health { return t.health }

// Shutdown sends what is still waiting and stops.
func (t *Telemetry) Shutdown(ctx context.Context) error {
	var errs []error
	for _, stop := range t.closers {
		errs = append(errs, stop(ctx))
	}
	if err := errors.Join(errs...); err != nil {
		return fmt.Errorf("shut telemetry down: %w", err)
	}
	return nil
}
