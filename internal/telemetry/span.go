package telemetry

import (
	"context"
	"log/slog"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/trace"
)

// Span starts a span under that of ctx. End it with the error of what it
// covers, or nil; end must be called once.
func (t *Telemetry) Span(ctx context.Context, name string, attrs ...slog.Attr) (_ context.Context, end func(error)) {
	if t == nil || t.tracer == nil {
		return ctx, func(error) {}
	}
	ctx, span := t.tracer.Start(ctx, name)
	if span.IsRecording() {
		for _, a := range attrs {
			span.SetAttributes(spanAttribute(a))
		}
	}
	return ctx, func(err error) {
		if err != nil {
			span.SetStatus(codes.Error, Tame(err.Error(), maxLogValue))
		}
		span.End()
	}
}

// TraceID is the id of ctx's trace, 32 hexadecimal digits, or "".
func TraceID(ctx context.Context) string {
	if span := trace.SpanContextFromContext(ctx); span.IsValid() {
		return span.TraceID().String()
	}
	return ""
}

func spanAttribute(a slog.Attr) attribute.KeyValue {
	switch v := a.Value.Resolve(); v.Kind() {
	case slog.KindBool:
		return attribute.Bool(a.Key, v.Bool())
	case slog.KindInt64:
		return attribute.Int64(a.Key, v.Int64())
	case slog.KindFloat64:
		return attribute.Float64(a.Key, v.Float64())
	case slog.KindDuration:
		return attribute.Float64(a.Key, v.Duration().Seconds())
	default:
		return attribute.String(a.Key, Tame(v.String(), maxLogValue))
	}
}
