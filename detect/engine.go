package detect

import (
	"errors"
	"fmt"
	"slices"

	"github.com/firebreak-io/firebreak/internal/event"
)

// DefaultHorizon is how many event ids an engine remembers.
const DefaultHorizon = 100_000

// EngineOptions sets up an [Engine].
type EngineOptions struct {
	// Horizon is how many event ids are remembered, [DefaultHorizon] if 0.
	Horizon int
	// Own are the users that Firebreak itself acts as: what they do in the
	// audit log is never matched.
	Own []string
}

// Engine is detectors folded together. It is used by one goroutine.
type Engine struct {
	set      *RuleSet
	bySource map[event.Source][]Detector
	own      []string
	events   *recent
	findings *recent
}

// NewEngine makes an engine that has seen nothing.
func NewEngine(set *RuleSet, o EngineOptions) *Engine {
	if o.Horizon <= 0 {
		o.Horizon = DefaultHorizon
	}
	g := &Engine{
		set: set, bySource: map[event.Source][]Detector{}, own: o.Own,
		events: newRecent(o.Horizon), findings: newRecent(o.Horizon),
	}
	for _, d := range set.detectors {
		g.bySource[d.Source()] = append(g.bySource[d.Source()], d)
	}
	return g
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
// within the horizon, too. The error joins what detectors could not evaluate,
// each of them alone: the others were asked all the same.
func (g *Engine) Fold(e *event.Event, at event.Address) (findings []event.Finding, fresh bool, err error) {
	if !g.see(e, at.Sequence) {
		return nil, false, nil
	}
	if e.Actor.User != "" && slices.Contains(g.own, e.Actor.User) {
		return nil, true, nil
	}
	var errs []error
	for _, d := range g.bySource[e.Source] {
		found, err := fold(d, e, at)
		if err != nil {
			errs = append(errs, err)
		}
		for _, f := range found {
			if g.findings.add(f.ID, at.Sequence) {
				findings = append(findings, f)
			}
		}
	}
	return findings, true, errors.Join(errs...)
}

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

func fold(d Detector, e *event.Event, at event.Address) (findings []event.Finding, err error) {
	defer func() {
		if r := recover(); r != nil {
			findings, err = nil, &Panic{d.Name(), r}
		}
	}()
	return d.Fold(e, at)
}
