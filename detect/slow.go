package detect

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"github.com/firebreak-io/firebreak/internal/event"
)

// A rule is looked into when its last so many events took more than so long on
// average.
//
// It is switched off only if it takes as long for ordinary events, which are made
// here: what costs that much for those can't be what expressions are allowed to
// cost, and would hold up everything else. Else it is the events that are dear, or
// the machine that is busy, and whoever writes events must not be able to switch a
// rule off by that: the rule stays, and of dear events it is told who sent them. What an event can
// cost is bounded when a rule is compiled (see package conf), and next to nothing
// in it is more than linear in the event's length (see package pattern).
const (
	slowEvents  = 100
	slowAverage = 5 * time.Millisecond
	// tellAgain is how long nothing is said of a rule's dear events once it was.
	tellAgain = time.Hour
)

// slow watches how long detectors take. That is no input of theirs: what comes
// of it enters the stream as a control event.
type slow struct {
	began time.Time
	rules map[string]*pace
	due   []suspect
}

// pace is of one detector.
type pace struct {
	version string
	events  int
	took    time.Duration
	// average, if it is not 0, is that of events that were too dear: the next one
	// that is dear itself is looked into.
	average time.Duration
	// quiet is until when nothing is said.
	quiet time.Duration
	off   bool
}

// suspect is a detector that was slow, and an event that was dear.
type suspect struct {
	Detector
	average time.Duration
	dear    event.Event
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

func (s *slow) took(d Detector, e *event.Event, took time.Duration) {
	p := s.rules[d.Name()]
	if p == nil || p.version != d.Version() {
		p = &pace{version: d.Version()}
		s.rules[d.Name()] = p
	}
	if p.average > 0 && took >= slowAverage {
		s.due = append(s.due, suspect{d, p.average, *e})
		p.average, p.quiet = 0, time.Since(s.began)+tellAgain
	}
	p.took += took
	if p.events++; p.events < slowEvents {
		return
	}
	if average := p.took / slowEvents; average >= slowAverage && !p.off && time.Since(s.began) >= p.quiet {
		p.average = average
	}
	p.events, p.took = 0, 0
}

// complain stores what is to be said about slow rules. Of a rule that is slow
// neither with ordinary events nor, tried again, with the dear one, nothing is: the
// machine was busy.
func (w *Worker) complain(ctx context.Context) {
	for _, one := range w.slow.due {
		var verb string
		switch {
		case w.try(one.Detector, ordinary()...) >= slowAverage:
			verb = event.VerbSwitchOff
		case w.try(one.Detector, one.dear) >= slowAverage:
			verb = event.VerbCostly
		default:
			w.Telemetry.Logger().DebugContext(ctx, "a rule was slow while the machine was busy", "rule", one.Name(), "average", one.average)
			w.slow.rules[one.Name()].quiet = time.Since(w.slow.began) + time.Minute
			continue
		}
		e := one.event(verb, time.Now())
		w.Telemetry.Logger().ErrorContext(ctx, "a rule is slow", "rule", one.Name(), "switched_off", verb == event.VerbSwitchOff, "why", e.Fields["why"])
		p := w.slow.rules[one.Name()]
		if err := w.Publish(ctx, e); err == nil {
			p.off = verb == event.VerbSwitchOff
		} else if ctx.Err() == nil {
			w.Telemetry.Logger().WarnContext(ctx, "that the rule is slow is not told for now", "error", err)
			p.quiet = 0 // it is said again when it goes on
		}
	}
	w.slow.due = nil
}

// event says that a rule was slow.
func (s suspect) event(verb string, now time.Time) event.Event {
	about, err := json.Marshal(s.dear.Object)
	if err != nil {
		about = nil
	}
	return event.Control(verb, now, event.HashID(verb, s.Name(), s.Version(), now.Format(time.RFC3339Nano)), event.Fields{
		"rule": s.Name(), "version": s.Version(), "why": fmt.Sprintf("its last %d events took %s each", slowEvents, s.average),
		"source": string(s.dear.Source), "object": string(about), "user": s.dear.Actor.User, "address": s.dear.Actor.Address,
	})
}

// Memory is what the detectors remembered when the last snapshot was saved. It
// may be called at any time.
func (w *Worker) Memory() Memory {
	if m := w.memory.Load(); m != nil {
		return *m
	}
	return Memory{}
}
