package telemetry

import (
	"context"
	"fmt"
	"log/slog"
	"strings"
	"unicode"

	"go.opentelemetry.io/otel/trace"
)

// maxLogValue bounds one string of a log record, in bytes.
const maxLogValue = 8 << 10

func newLogger(o Options) (*slog.Logger, error) {
	var level slog.Level
	if o.LogLevel != "" {
		if err := level.UnmarshalText([]byte(o.LogLevel)); err != nil {
			return nil, fmt.Errorf("log level %q is none of debug, info, warn, error", o.LogLevel)
		}
	}
	opts := &slog.HandlerOptions{Level: level, ReplaceAttr: tame}
	switch o.LogFormat {
	case "", "json":
		return slog.New(withTrace{slog.NewJSONHandler(o.LogWriter, opts)}), nil
	case "text":
		return slog.New(withTrace{slog.NewTextHandler(o.LogWriter, opts)}), nil
	}
	return nil, fmt.Errorf("log format %q is none of json, text", o.LogFormat)
}

// withTrace adds the ids of the current span to each record.
type withTrace struct{ slog.Handler }

func (h withTrace) Handle(ctx context.Context, r slog.Record) error {
	if span := trace.SpanContextFromContext(ctx); span.IsValid() {
		r = r.Clone()
		r.AddAttrs(slog.String("trace_id", span.TraceID().String()), slog.String("span_id", span.SpanID().String()))
	}
	return h.Handler.Handle(ctx, r)
}

func (h withTrace) WithAttrs(attrs []slog.Attr) slog.Handler {
	return withTrace{h.Handler.WithAttrs(attrs)}
}

func (h withTrace) WithGroup(name string) slog.Handler { return withTrace{h.Handler.WithGroup(name)} }

// tame makes text of others harmless where a person reads the log in a
// terminal: no control or direction characters, and bounded.
func tame(_ []string, a slog.Attr) slog.Attr {
	switch a.Value.Kind() {
	case slog.KindString:
		a.Value = slog.StringValue(Tame(a.Value.String(), maxLogValue))
	case slog.KindAny:
		if err, ok := a.Value.Any().(error); ok {
			a.Value = slog.StringValue(Tame(err.Error(), maxLogValue))
		}
	}
	return a
}

// Tame replaces control characters and those that change the direction of
// text (Unicode categories Cc and Cf, except tab and line feed) with U+FFFD,
// and cuts to about limit bytes. It is for text of others on its way to
// people.
func Tame(s string, limit int) string {
	if len(s) > limit {
		s = s[:limit] + "…"
	}
	s = strings.ToValidUTF8(s, "\ufffd")
	return strings.Map(func(r rune) rune {
		if r == '\t' || r == '\n' || !unicode.In(r, unicode.Cc, unicode.Cf) {
			return r
		}
		return '\ufffd'
	}, s)
}
