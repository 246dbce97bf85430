package detect

import (
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/firebreak-io/firebreak/internal/event"
)

// What EngineOptions leave open. Lateness is how much older than the time at
// which it was received an event may be; what is older counts as that old.
const (
	DefaultHorizon  = 100_000
	DefaultGroups   = 100_000
	DefaultBytes    = 64 << 20
	DefaultMemory   = 512 << 20
	DefaultLateness = 2 * time.Minute
)

// ahead is how far in the future of its receipt an event's time may be: a line
// dated 2099 closes no window.
const ahead = 5 * time.Second

// EngineOptions sets up an [Engine].
type EngineOptions struct {
	// Horizon is how many event ids are remembered, [DefaultHorizon] if 0.
	Horizon int
	// Own are the users that Firebreak itself acts as: what they do in the
	// audit log is never matched.
	Own []string
	// Groups and Bytes bound what one detector remembers, Memory what all of
	// them do, in bytes.
	Groups, Bytes, Memory int
	// Lateness is [DefaultLateness] if 0.
	Lateness time.Duration
	// Took, if set, is told how long a detector took for an event, and Elapsed
	// is the stopwatch for it. What they see changes no finding.
	Took    func(d Detector, e *event.Event, took time.Duration)
	Elapsed func() time.Duration
}

func (o EngineOptions) withDefaults() EngineOptions {
	for _, d := range []struct {
		value   *int
		usually int
	}{{&o.Horizon, DefaultHorizon}, {&o.Groups, DefaultGroups}, {&o.Bytes, DefaultBytes}, {&o.Memory, DefaultMemory}} {
		if *d.value <= 0 {
			*d.value = d.usually
		}
	}
	if o.Lateness <= 0 {
		o.Lateness = DefaultLateness
	}
	return o
}

// Engine is detectors folded together. It is used by one goroutine.
type Engine struct {
	o        EngineOptions
	set      *RuleSet
	running  []slot // in order of their names, those that hear of the others last
	index    *index
	events   *recent
	findings *recent
	// now is the newest time at which an event was received, order counts
	// events, swept is when detectors were last told the time.
	now   time.Time
	order uint64
	swept time.Time
	// off are the detectors that were switched off because they were slow: the
	// name, and which version.
	off      map[string]string
	silences []*silence
	counts   []event.FindingCount
	lost     Memory // of detectors that are no more
	resumed
}

// slot is a detector that runs.
type slot struct {
	Detector
	run Running
	off bool
	// from is the first frame that it has not taken yet: it may be ahead of the
	// others after a snapshot was read.
	from uint64
}

// NewEngine makes an engine that has seen nothing.
func NewEngine(set *RuleSet, o EngineOptions) *Engine {
	o = o.withDefaults()
	g := &Engine{o: o, events: newRecent(o.Horizon), findings: newRecent(o.Horizon), off: map[string]string{}}
	g.use(set, nil)
	return g
}

// use begins to run a set. Detectors that remember what one before them did
// take that over.
func (g *Engine) use(set *RuleSet, before map[string]slot) {
	g.set, g.running = set, nil
	limits := Limits{Groups: g.o.Groups, Bytes: g.o.Bytes, Late: g.o.Lateness}
	for _, d := range set.detectors {
		s := slot{Detector: d, off: g.off[d.Name()] == d.Version()}
		run, err := d.Open(limits)
		if err != nil {
			continue // it was compiled when it was loaded
		}
		s.run = run
		if old, ok := before[d.Name()]; ok {
			if old.Memory() != d.Memory() {
				carryOver(old.run, run, g.now)
			} else if err := handOver(old.run, run); err != nil {
				s.run, _ = d.Open(limits)
				carryOver(old.run, s.run, g.now)
			}
			delete(before, d.Name())
		}
		g.running = append(g.running, s)
	}
	open := make([]Detector, len(g.running))
	for i := range g.running {
		open[i] = g.running[i].Detector
	}
	g.index = newIndex(open)
}

// Rules is the set that it was made of.
func (g *Engine) Rules() *RuleSet { return g.set }

// Panic is the error of a detector that panicked. The event is the cause, and
// the detector needs mending.
type Panic struct {
	Detector string
	Value    any
}

// Error names the detector.
func (p *Panic) Error() string { return fmt.Sprintf("detector %s panicked: %v", p.Detector, p.Value) }

// Fold gives the findings of an event. One whose id it remembers is passed over
// (fresh is false), and so is what Firebreak did itself. A finding comes once
// within the horizon, too. There may be findings of what was due before the
// event, and control events change the engine itself. The error joins what
// detectors could not evaluate, each of them alone: the others were asked all
// the same.
func (g *Engine) Fold(e *event.Event, at event.Address) (findings []event.Finding, fresh bool, err error) {
	if !g.see(e, at.Sequence) {
		return nil, false, nil
	}
	findings = g.tick(e.Received, at.Sequence)
	if e.Source == event.SourceControl {
		more, err := g.control(e, at)
		if err != nil || more != nil {
			return append(findings, more...), true, err
		}
	}
	if e.Actor.User != "" && slices.Contains(g.o.Own, e.Actor.User) {
		return findings, true, nil
	}
	var errs []error
	m := g.moment(e)
	due, told := len(findings), false
	for i := range g.index.of(e) {
		if _, hears := g.running[i].run.(hearing); hears && !told {
			g.tell(e, at, findings[due:], m)
			told = true
		}
		if g.running[i].off || at.Sequence < g.running[i].from {
			continue
		}
		found, err := g.fold(&g.running[i], e, at, m)
		if err != nil {
			errs = append(errs, err)
		}
		findings = g.keep(findings, found, at.Sequence)
	}
	if !told {
		g.tell(e, at, findings[due:], m)
	}
	return findings, true, errors.Join(errs...)
}

// tell has the detectors that want to know hear what was found of an event.
func (g *Engine) tell(e *event.Event, at event.Address, found []event.Finding, m Moment) {
	if len(found) == 0 {
		return
	}
	for i := range g.running {
		if h, ok := g.running[i].run.(hearing); ok && !g.running[i].off && at.Sequence >= g.running[i].from {
			h.Hear(e, found, m)
		}
	}
}

// moment is when an event is, for detectors.
func (g *Engine) moment(e *event.Event) Moment {
	g.order++
	t, received := e.Time, e.Received
	if received.IsZero() {
		received = t
	}
	if t.IsZero() {
		t = received
	}
	if received.IsZero() { // of an event without any time
		t, received = g.now, g.now
	}
	if oldest := received.Add(-g.o.Lateness); t.Before(oldest) {
		t = oldest
	}
	if newest := received.Add(ahead); t.After(newest) {
		t = newest
	}
	if t.Before(earliest) {
		t = earliest
	}
	return Moment{Now: g.now, Time: t, Order: g.order}
}

// earliest is the beginning of time: from here on times have nanoseconds.
var earliest = time.Unix(0, 0).UTC()

// sweepEvery is how often detectors are told the time.
const sweepEvery = time.Second

// tick moves the clock, and gives what is due.
func (g *Engine) tick(received time.Time, sequence uint64) (findings []event.Finding) {
	if received.After(g.now) {
		g.now = received
	}
	if g.now.Sub(g.swept) < sweepEvery {
		return nil
	}
	g.swept = g.now
	used := 0
	for i := range g.running {
		if sequence < g.running[i].from {
			continue
		}
		found := advance(g.running[i].run, g.now)
		findings = g.keep(findings, found, sequence)
		used += g.running[i].run.Stats().Bytes
	}
	switch {
	case sequence < g.from:
		g.shrinkAgain(sequence)
	case used > g.o.Memory:
		g.shrink(used - g.o.Memory)
	}
	return findings
}

// awaiting is a detector that knows when something may be due.
type awaiting interface {
	Next() (at time.Time, ok bool)
}

// Next is the earliest time at which [Engine.Fold] of a control event that tells
// it ([event.VerbTick]) may give findings, if no other event comes before. It is
// for those whose events end: told each time that Next names, and then
// [Engine.End], an engine has found all there is.
func (g *Engine) Next() (at time.Time, ok bool) {
	for i := range g.running {
		w, is := g.running[i].run.(awaiting)
		if !is {
			continue
		}
		if t, some := w.Next(); some && (!ok || t.Before(at)) {
			at, ok = t, true
		}
	}
	if soonest := g.swept.Add(sweepEvery); ok && at.Before(soonest) {
		at = soonest
	}
	return at, ok
}

// End is a time at which nothing that findings are counted by goes on.
func (g *Engine) End() time.Time { return g.now.Add(maxSuppress + sweepEvery) }

// advance tells a detector the time. One that panics finds nothing then; what
// made it panic it tells at its next event.
func advance(run Running, now time.Time) (found []event.Finding) {
	defer func() {
		if recover() != nil {
			found = nil
		}
	}()
	return run.Advance(now)
}

// evicting is a detector that can make room.
type evicting interface{ Evict(bytes int) }

// shrink takes room from the detector that has most of it.
func (g *Engine) shrink(bytes int) {
	var largest evicting
	var name string
	most := -1
	for i := range g.running {
		if e, ok := g.running[i].run.(evicting); ok && g.running[i].run.Stats().Bytes > most {
			largest, most, name = e, g.running[i].run.Stats().Bytes, g.running[i].Name()
		}
	}
	if largest != nil {
		largest.Evict(bytes)
		g.note(eviction{g.swept, name, bytes})
	}
}

// keep adds the findings that did not come before.
func (g *Engine) keep(all, found []event.Finding, sequence uint64) []event.Finding {
	for _, f := range found {
		if g.findings.add(f.ID, sequence) {
			g.hush(&f, sequence)
			all = append(all, f)
		}
	}
	return all
}

// Counts gives how often findings came again, of those for which that is worth
// telling since it was last called.
func (g *Engine) Counts() []event.FindingCount {
	out := g.counts
	g.counts = nil
	for i := range g.running {
		out = append(out, g.running[i].run.Counts()...)
	}
	return out
}

// Memory counts what all detectors remember, and what had to go.
func (g *Engine) Memory() Memory {
	m := g.lost
	for i := range g.running {
		m.add(g.running[i].run.Stats())
	}
	return m
}

// Now is the engine's clock: the newest time at which an event was received.
func (g *Engine) Now() time.Time { return g.now }

// see says whether an event is new. One without an id is always.
func (g *Engine) see(e *event.Event, sequence uint64) bool {
	return e.ID == "" || g.events.add(e.ID, sequence)
}

// Warm remembers an event without asking the detectors: it was folded before
// the state was lost.
func (g *Engine) Warm(e *event.Event, at event.Address) { g.see(e, at.Sequence) }

// Oldest is the frame of the oldest event that is remembered: where warming has
// to begin. It is 0 when nothing is.
func (g *Engine) Oldest() uint64 { return g.events.oldest() }

func (g *Engine) fold(s *slot, e *event.Event, at event.Address, m Moment) ([]event.Finding, error) {
	if g.o.Took == nil {
		return s.fold(e, at, m)
	}
	began := g.o.Elapsed()
	findings, err := s.fold(e, at, m)
	g.o.Took(s.Detector, e, g.o.Elapsed()-began)
	return findings, err
}

func (s *slot) fold(e *event.Event, at event.Address, m Moment) (findings []event.Finding, err error) {
	defer func() {
		if r := recover(); r != nil {
			findings, err = nil, &Panic{s.Name(), r}
		}
	}()
	return s.run.Fold(e, at, m)
}
