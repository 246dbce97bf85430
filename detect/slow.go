package detect

import (
	"context"
	"fmt"
	"time"

	"github.com/firebreak-io/firebreak/internal/event"
)

// A rule is too slow when its last so many events took more than so long on
// average. What costs that much can't be what expressions are allowed to cost,
// and would hold up everything else.
const (
	slowEvents  = 100
	slowAverage = 5 * time.Millisecond
)

// slow watches how long detectors take. That is no input of theirs: what comes
// of it enters the stream as a control event.
type slow struct {
	began time.Time
	rules map[string]*pace
	due   []event.Event
}

// pace is of one detector.
type pace struct {
	version string
	events  int
	took    time.Duration
	told    bool
}

// watch begins to watch, where there is a way to say something.
func (w *Worker) watch() {
	if w.Publish == nil {
		return
	}
	w.slow = slow{began: time.Now(), rules: map[string]*pace{}}
	w.Engine.o.Elapsed = func() time.Duration { return time.Since(w.slow.began) }
	w.Engine.o.Took = w.slow.took
}

func (s *slow) took(d Detector, took time.Duration) {
	p := s.rules[d.Name()]
	if p == nil || p.version != d.Version() {
		p = &pace{version: d.Version()}
		s.rules[d.Name()] = p
	}
	p.took += took
	if p.events++; p.events < slowEvents {
		return
	}
	average := p.took / slowEvents
	p.events, p.took = 0, 0
	if average < slowAverage || p.told {
		return
	}
	p.told = true
	now := time.Now()
	s.due = append(s.due, event.Control(event.VerbSwitchOff, now, event.HashID("switch-off", d.Name(), d.Version(), now.Format(time.RFC3339Nano)), event.Fields{
		"rule": d.Name(), "version": d.Version(), "why": fmt.Sprintf("its last %d events took %s each", slowEvents, average),
	}))
}

// complain stores what is to be said about slow rules.
func (w *Worker) complain(ctx context.Context) {
	for _, e := range w.slow.due {
		w.Telemetry.Logger().ErrorContext(ctx, "a rule is too slow and is switched off", "rule", e.Fields["rule"], "why", e.Fields["why"])
		if err := w.Publish(ctx, e); err != nil && ctx.Err() == nil {
			w.Telemetry.Logger().WarnContext(ctx, "the slow rule stays on for now", "error", err)
			if p := w.slow.rules[e.Fields["rule"].(string)]; p != nil {
				p.told = false // it is said again when it goes on
			}
		}
	}
	w.slow.due = nil
}

// Memory is what the detectors remembered when the last snapshot was saved. It
// may be called at any time.
func (w *Worker) Memory() Memory {
	if m := w.memory.Load(); m != nil {
		return *m
	}
	return Memory{}
}
