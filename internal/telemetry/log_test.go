package telemetry

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
)

func TestLogCarriesTrace(t *testing.T) {
	tel, log := setup(t, Options{})
	ctx, end := tel.Span(t.Context(), "work", slog.String("k", "v"))
	tel.Logger().With("room", "bus").InfoContext(ctx, "hello")
	end(nil)
	var record map[string]any
	if err := json.Unmarshal(log.Bytes(), &record); err != nil {
		t.Fatal(err)
	}
	if id := TraceID(ctx); len(id) != 32 || record["trace_id"] != id || record["room"] != "bus" {
		t.Errorf("trace %q, record %v", id, record)
	}
}

func TestTraceTravels(t *testing.T) {
	tel, _ := setup(t, Options{})
	ctx, end := tel.Span(t.Context(), "here")
	defer end(nil)
	headers := map[string]string{}
	Inject(ctx, func(k, v string) { headers[k] = v })
	there := Extract(t.Context(), func(k string) string { return headers[k] })
	if got, want := TraceID(there), TraceID(ctx); got != want || want == "" {
		t.Errorf("got %q, want %q (%v)", got, want, headers)
	}
	child, end := tel.Span(there, "there")
	defer end(nil)
	if TraceID(child) != TraceID(ctx) {
		t.Error("the child is in another trace")
	}
	bad := Extract(t.Context(), func(string) string { return "00-zz\n" })
	if TraceID(bad) != "" {
		t.Error("malformed headers became a trace")
	}
}

func TestSpansAreExported(t *testing.T) {
	for suffix, path := range map[string]string{"": "/v1/traces", "/": "/v1/traces", "/v1/traces": "/v1/traces", "/tenant/a": "/tenant/a"} {
		var posts atomic.Int64
		collector := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
			if body, _ := io.ReadAll(r.Body); r.URL.Path == path && len(body) > 0 {
				posts.Add(1)
			}
		}))
		defer collector.Close()
		tel, _ := setup(t, Options{OTLPEndpoint: collector.URL + suffix})
		_, end := tel.Span(t.Context(), "work", slog.Int("n", 1), slog.Bool("b", true), slog.Float64("f", 1), slog.Duration("d", 1))
		end(errors.New("broken"))
		if err := tel.Shutdown(context.Background()); err != nil {
			t.Fatal(err)
		}
		tel.closers = nil
		if posts.Load() == 0 {
			t.Errorf("%q: the collector got nothing at %s", suffix, path)
		}
	}
}

func TestLogTamesText(t *testing.T) {
	for _, format := range []string{"json", "text"} {
		tel, log := setup(t, Options{LogFormat: format})
		evil := "a\x1b[31m\u202eb\x00" + strings.Repeat("x", 100_000)
		tel.Logger().Info("event", "text", evil, "error", errors.New(evil))
		out := log.String()
		if len(out) > 40_000 || strings.ContainsAny(out, "\x1b\u202e\x00") || strings.Contains(out, `\u001b`) {
			t.Errorf("%s: %.200q (%d bytes)", format, out, len(out))
		}
	}
}

func TestLogOptions(t *testing.T) {
	for _, o := range []Options{{LogLevel: "loud"}, {LogFormat: "xml"}} {
		if _, err := Setup(t.Context(), o); err == nil {
			t.Errorf("%+v was taken", o)
		}
	}
	tel, log := setup(t, Options{LogLevel: "warn"})
	tel.Logger().Info("quiet")
	tel.Logger().Warn("loud")
	if s := log.String(); strings.Contains(s, "quiet") || !strings.Contains(s, "loud") {
		t.Error(s)
	}
}
