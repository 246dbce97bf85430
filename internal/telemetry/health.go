package telemetry

import (
	"cmp"
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus/promhttp"
)

// checkTimeout bounds one health check.
const checkTimeout = 2 * time.Second

// Health holds named checks. Its methods may be called concurrently.
type Health struct {
	logger *slog.Logger
	mu     sync.Mutex
	checks []check
}

type check struct {
	name string
	live bool
	// note says that it is shown, and fails nothing.
	note bool
	ask  func(context.Context) error
}

func newHealth(logger *slog.Logger) *Health { return &Health{logger: logger} }

// Add adds a check of readiness: while it fails, the process gets no traffic.
// It must return within two seconds, or counts as failed.
func (h *Health) Add(name string, ask func(context.Context) error) {
	h.add(check{name: name, ask: ask})
}

// AddLive adds a check of liveness: while it fails, the process should be
// killed. It is for what only a restart can mend.
func (h *Health) AddLive(name string, ask func(context.Context) error) {
	h.add(check{name: name, live: true, ask: ask})
}

// AddNote adds a check that is only shown: the process does its work without
// what the check is of, if not as well. It must not block.
func (h *Health) AddNote(name string, ask func(context.Context) error) {
	h.add(check{name: name, note: true, ask: ask})
}

func (h *Health) add(c check) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.checks = append(h.checks, c)
}

// Handler serves /livez and /readyz (with ?verbose every check by name), and
// /metrics in the Prometheus text format. None of them shows an event.
func (t *Telemetry) Handler() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /livez", t.health.serve(true))
	mux.HandleFunc("GET /readyz", t.health.serve(false))
	mux.Handle("GET /metrics", promhttp.HandlerFor(t.registry, promhttp.HandlerOpts{
		ErrorLog: scrapeLog{t.logger}, ErrorHandling: promhttp.ContinueOnError, MaxRequestsInFlight: 4, Timeout: 10 * time.Second,
	}))
	return mux
}

type verdict struct {
	name string
	err  error
	note bool
}

func (h *Health) serve(live bool) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		verdicts := h.ask(r.Context(), live)
		failed := slices.ContainsFunc(verdicts, func(v verdict) bool { return v.err != nil && !v.note })
		w.Header().Set("Content-Type", "text/plain; charset=utf-8")
		w.Header().Set("X-Content-Type-Options", "nosniff")
		w.Header().Set("Cache-Control", "no-store")
		if failed {
			w.WriteHeader(http.StatusServiceUnavailable)
		}
		if failed || r.URL.Query().Has("verbose") {
			for _, v := range verdicts {
				if v.err != nil && v.note {
					fmt.Fprintf(w, "[!]%s: %s\n", v.name, Tame(strings.ReplaceAll(v.err.Error(), "\n", "; "), 1<<10))
				} else if v.err != nil {
					fmt.Fprintf(w, "[-]%s failed: %s\n", v.name, Tame(strings.ReplaceAll(v.err.Error(), "\n", "; "), 1<<10))
				} else {
					fmt.Fprintf(w, "[+]%s ok\n", v.name)
				}
			}
		}
		if failed {
			h.logger.WarnContext(r.Context(), "not healthy", "path", r.URL.Path)
			return
		}
		fmt.Fprintln(w, "ok")
	}
}

// ask runs the checks side by side and sorts the answers by name.
func (h *Health) ask(ctx context.Context, live bool) []verdict {
	h.mu.Lock()
	checks := slices.DeleteFunc(slices.Clone(h.checks), func(c check) bool { return c.live != live })
	h.mu.Unlock()
	ctx, cancel := context.WithTimeout(ctx, checkTimeout)
	defer cancel()
	answers := make(chan verdict, len(checks))
	open := map[string]bool{}
	for _, c := range checks {
		open[c.name] = c.note
		go func() { answers <- verdict{c.name, c.ask(ctx), c.note} }()
	}
	verdicts := make([]verdict, 0, len(checks))
	for range checks {
		select {
		case v := <-answers:
			verdicts = append(verdicts, v)
			delete(open, v.name)
		case <-ctx.Done():
			for name := range open {
				verdicts = append(verdicts, verdict{name, fmt.Errorf("no answer within %s", checkTimeout), open[name]})
			}
			open = nil
		}
		if open == nil {
			break
		}
	}
	slices.SortFunc(verdicts, func(a, b verdict) int { return cmp.Compare(a.name, b.name) })
	return verdicts
}

// scrapeLog gives the errors of a scrape to slog.
type scrapeLog struct{ l *slog.Logger }

// Println logs one error of a scrape.
func (s scrapeLog) Println(v ...any) { s.l.Warn("serve metrics", "error", fmt.Sprint(v...)) }
