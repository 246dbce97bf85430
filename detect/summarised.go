package detect

import (
	"fmt"
	"slices"
	"time"

	"github.com/firebreak-io/firebreak/detect/window"
	"github.com/firebreak-io/firebreak/internal/conf"
	"github.com/firebreak-io/firebreak/internal/event"
	"github.com/firebreak-io/firebreak/internal/sketch"
)

// A window whose events are all summaries of log lines (class log.summary) puts
// each into the time of its interval, so that a window which is a multiple of
// the interval has whole intervals, and just as many as it says, up to two hours
// or where sketches are merged. Aggregates are
// over summaries as over other events; of those parts of a summary that are
// sketches, distinct and quantile are over what the lines had:
//
//	distinct(fields.distinct_addresses), distinct(fields.failed_addresses),
//	distinct(fields.failed_users), quantile(fields.latency, 0.99)

// part is what an aggregate takes of a summary.
type part int

const (
	partNone    part = iota // what its argument is
	partSet                 // a sketch of different values
	partNumbers             // a sketch of numbers
)

// sketched are the names of the sketches in expressions.
var sketched = map[string]func(*sketch.Summary) *sketch.Distinct{
	"fields.distinct_addresses": func(s *sketch.Summary) *sketch.Distinct { return &s.Addresses },
	"fields.failed_addresses":   func(s *sketch.Summary) *sketch.Distinct { return &s.FailedAddresses },
	"fields.failed_users":       func(s *sketch.Summary) *sketch.Distinct { return &s.FailedUsers },
}

const latency = "fields.latency"

// partOf is what a call takes of a summary, or why it can't be.
func partOf(call conf.Aggregate) (part, string) {
	var args []string
	for _, a := range call.Args {
		args = append(args, a.Source())
	}
	set := slices.ContainsFunc(args, func(a string) bool { return sketched[a] != nil })
	switch {
	case slices.Contains(args, latency) && call.Name != string(window.Quantile):
		return partNone, latency + " is a sketch of numbers: ask for quantile(" + latency + ", 0.99)"
	case slices.Contains(args, latency):
		return partNumbers, ""
	case call.Name != string(window.Distinct) || !set:
		return partNone, ""
	case len(args) > 1:
		return partNone, "different values of a summary are counted each by itself"
	}
	return partSet, ""
}

// ofSummaries says whether all events that the rule looks at are summaries.
func (s *RuleSpec) ofSummaries() bool {
	if s.Class != "" {
		return s.Class == event.ClassLogSummary
	}
	return conf.Implies([]conf.Expression{s.When}, conf.Expression{Text: fmt.Sprintf("class == %q", event.ClassLogSummary)})
}

// MaxIntervals is how many intervals of summaries a window may have whose
// sketches are merged: each takes up to 20 KiB.
const MaxIntervals = 120

// summary is an event in its window.
type summary struct {
	time  time.Time
	start int64 // the pane
	step  int64 // panes to the next window that may have other events
	read  *sketch.Summary
}

// moment is when an event of the window is, and of a summary its sketches, where
// they are asked for.
func (w *windowed) moment(e *event.Event, m Moment) (summary, error) {
	if !w.summaries {
		return summary{time: m.Time, step: 1}, nil
	}
	if e.Fields["start"] == nil { // made by hand, as in tests of rules: it has no sketches either
		return summary{time: m.Time, start: m.Time.Unix(), step: 1, read: &sketch.Summary{}}, nil
	}
	start, length, err := sketch.Interval(e)
	if err != nil {
		return summary{}, err
	}
	if why := w.fits(length); why != "" {
		return summary{}, fmt.Errorf("%s", why)
	}
	// What says that it is of the future is of now.
	if start.After(m.Time) {
		start = m.Time.Truncate(length)
	}
	if start.Before(earliest) {
		start = earliest
	}
	s := summary{time: start, step: 1}
	if w.o.Exact {
		s.start, s.step = start.Unix(), int64(length/time.Second)
	}
	if w.sketches() {
		s.read, err = sketch.Read(e)
	}
	return s, err
}

func (w *windowed) sketches() bool {
	return slices.ContainsFunc(w.parts, func(p part) bool { return p != partNone })
}

// exact says whether the window has just as many intervals as it says. A long one
// without sketches has panes as other windows, of which it may have one more:
// the numbers of each interval of hours, for each group, would be too much.
func (w *windowed) exact() bool {
	return w.summaries && w.o.Panes != 1 && (w.sketches() || w.o.Over <= maxExact)
}

// maxExact is 120 intervals of a minute.
const maxExact = 2 * time.Hour

// fits says why the window can't be made of summaries of that interval.
func (w *windowed) fits(interval time.Duration) string {
	over := w.o.Over
	switch {
	case interval < time.Second || interval%time.Second != 0 || over < interval || over%interval != 0:
		return fmt.Sprintf("a window of %s is no multiple of the summaries' interval of %s", conf.Duration(over), conf.Duration(interval))
	case w.sketches() && over/interval > MaxIntervals:
		return fmt.Sprintf("a window of %s has more than %d intervals of %s to merge: make the window shorter, or the interval longer",
			conf.Duration(over), MaxIntervals, conf.Duration(interval))
	}
	return ""
}

// input is what a summary gives to an aggregate over a sketch.
func (s summary) input(call conf.Aggregate, p part) window.Input {
	if p == partNumbers {
		return window.Input{Valid: s.read.Latency.Count() > 0, Numbers: &s.read.Latency}
	}
	set := sketched[call.Args[0].Source()](s.read)
	return window.Input{Valid: set.Count() > 0, Set: set}
}

// align is the first window from one on that ends with an interval like this.
func (s summary) align(first int64) int64 {
	if s.step <= 1 || first <= s.start {
		return first
	}
	return s.start + (first-s.start+s.step-1)/s.step*s.step
}

// checkSummaries refuses a window of summaries that none of their intervals
// could fill.
func (s *RuleSpec) checkSummaries(doc *conf.Document) []error {
	if s.Window == nil || !s.ofSummaries() {
		return nil
	}
	if over := s.Window.Over.Std(); over%time.Second != 0 || over < leastInterval {
		return []error{doc.Errorf("spec.window.over", "%s is no multiple of any interval of summaries: those are whole seconds, from %s on", s.Window.Over, leastInterval)}
	}
	return nil
}

// leastInterval is the shortest that summaries are of.
const leastInterval = 10 * time.Second

// FitsInterval says what is wrong with the rule's window where summaries are of
// that interval, with its place; nil when nothing is, or when it is no window of
// summaries.
func (r *Rule) FitsInterval(interval time.Duration) *conf.Error {
	w := r.first.window
	if w == nil || !w.summaries {
		return nil
	}
	if why := w.fits(interval); why != "" {
		return r.doc.Errorf("spec.window.over", "%s", why)
	}
	return nil
}

// Estimates says which numbers of the rule are estimates, each with its place.
func (r *Rule) Estimates() []*conf.Error {
	w := r.first.window
	if w == nil {
		return nil
	}
	var all []*conf.Error
	for i, call := range w.calls {
		switch w.parts[i] {
		case partSet:
			all = append(all, r.doc.Errorf("spec.window.having", "%s is exact up to %d, and past that within %.1f %% in 95 of 100 cases",
				call.Text, sketch.MaxExact, 200*sketch.DistinctError))
		case partNumbers:
			all = append(all, r.doc.Errorf("spec.window.having", "%s is within %.0f %% of the value at that rank", call.Text, 100*sketch.QuantileError))
		}
	}
	return all
}
