package telemetry

import (
	"context"

	"go.opentelemetry.io/otel/propagation"
	"go.opentelemetry.io/otel/trace"
)

// Inject hands the span of ctx to set, as the headers of W3C Trace Context.
// It calls set not at all when ctx has no span.
func Inject(ctx context.Context, set func(key, value string)) {
	propagation.TraceContext{}.Inject(ctx, carrier{set: set})
}

// Extract gives ctx the remote span that the W3C Trace Context headers name.
// Get answers "" for a header that is not there. Headers that are malformed
// are as good as none.
func Extract(ctx context.Context, get func(key string) string) context.Context {
	return propagation.TraceContext{}.Extract(ctx, carrier{get: get})
}

// Follow gives ctx the span that other is under, and nothing else of it: for
// work that is done on behalf of a caller, but not under its deadline.
func Follow(ctx, other context.Context) context.Context {
	return trace.ContextWithSpanContext(ctx, trace.SpanContextFromContext(other))
}

type carrier struct {
	get func(string) string
	set func(string, string)
}

func (c carrier) Get(key string) string {
	if c.get == nil {
		return ""
	}
	return c.get(key)
}

func (c carrier) Set(key, value string) {
	if c.set != nil {
		c.set(key, value)
	}
}

// Keys is part of propagation.TextMapCarrier; TraceContext does not use it.
func (c carrier) Keys() []string { return nil }
