package cases

import (
	"context"
	"log/slog"
	"time"

	"github.com/firebreak-io/firebreak/cmd/internal/replay"
	"github.com/firebreak-io/firebreak/internal/event"
)

// recorder keeps what a case brings about. It is the log of the session, too:
// what a rule can't evaluate is a problem of the case.
type recorder struct {
	session  *replay.Session
	begin    time.Time
	given    bool // findings are the case's own
	findings []*found
	runs     []replay.Run
	problems []string
	trouble  map[string]bool
}

// Finding keeps one.
func (r *recorder) Finding(f event.Finding) error {
	if !r.given {
		r.findings = append(r.findings, &found{Finding: f, at: r.session.Now().Sub(r.begin).Truncate(time.Millisecond), again: 1})
	}
	return nil
}

// Run keeps one.
func (r *recorder) Run(run replay.Run) error {
	r.runs = append(r.runs, run)
	return nil
}

// Rejected does not come: a case's events are read before.
func (r *recorder) Rejected(event.Rejected) error { return nil }

// Count notes how often a finding came.
func (r *recorder) Count(f event.Finding, c event.FindingCount) error {
	for _, mine := range r.findings {
		if mine.ID == f.ID {
			mine.again = c.Count
		}
	}
	return nil
}

// Summary is of no interest.
func (r *recorder) Summary(replay.Summary) error { return nil }

// Enabled is for warnings; see [slog.Handler].
func (r *recorder) Enabled(_ context.Context, l slog.Level) bool { return l >= slog.LevelWarn }

// Handle makes a problem of a warning, once for each.
func (r *recorder) Handle(_ context.Context, rec slog.Record) error {
	text := rec.Message
	rec.Attrs(func(a slog.Attr) bool {
		if a.Key == "error" {
			text = a.Value.String()
		}
		return true
	})
	if !r.trouble[text] {
		r.trouble[text] = true
		r.problems = append(r.problems, text)
	}
	return nil
}

// WithAttrs is for [slog.Handler].
func (r *recorder) WithAttrs([]slog.Attr) slog.Handler { return r }

// WithGroup is for [slog.Handler].
func (r *recorder) WithGroup(string) slog.Handler { return r }

// all are the findings of rules and models.
func (r *recorder) all() []event.Finding {
	var out []event.Finding
	for _, f := range r.findings {
		out = append(out, f.Finding)
	}
	return out
}
