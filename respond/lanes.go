package respond

import (
	"context"
	"slices"
	"time"

	"github.com/firebreak-io/firebreak/internal/event"
)

// lanes are where effects wait for their turn. Each has slots of its own, so that
// what may take long keeps nothing else from being done.
type lanes struct {
	// acts is for effects, and for the plans that they follow; checks for looking
	// whether they took effect.
	acts, checks *slots
	// drafts is for plans that people look at first: many come at once in a
	// storm, and a pod must not stay free while they are drawn up.
	drafts *slots
	// notices is for what only tells people: a receiver may hang.
	notices *slots
}

const (
	// maxDrafts is how many plans for people are drawn up at a time, maxChecks how
	// many effects are looked at.
	maxDrafts = 3
	maxChecks = 4
	// maxYield is how long what can wait does so while there is something to be
	// done.
	maxYield = 5 * time.Second
	// maxEase is how long an effect that is done waits to be looked at while more are
	// to be done than can be at a time.
	maxEase = 500 * time.Millisecond
)

func newLanes() lanes {
	return lanes{
		acts: newSlots(maxEffects), checks: newSlots(maxChecks), drafts: newSlots(maxDrafts), notices: newSlots(maxEffects),
	}
}

// urgent says whether a run has effects before it that nobody needs to be asked
// about.
func urgent(book *Playbook, run event.Run) bool {
	return run.Mode == event.ModeAct && slices.ContainsFunc(run.Steps, func(s event.Step) bool {
		step, _, found := book.Of(s)
		return found && step.Effect() && !over(s.State)
	})
}

// of is the lane of one effect of a run.
func (l lanes) of(run event.Run, step PlaybookStep, e Effect) *slots {
	planning := e.Kind == EffectPlan || e.Kind == EffectTargets
	switch {
	case !step.Effect():
		return l.notices
	case planning && run.Mode != event.ModeAct && run.Steps[e.Step].Approved == "":
		return l.drafts
	}
	return l.acts
}

// seat is a slot that is held in one of the lanes.
type seat struct{ in *slots }

// take waits for a slot of a lane.
func take(ctx context.Context, in *slots, turn time.Time) (*seat, error) {
	s := &seat{}
	return s, s.change(ctx, in, turn)
}

// change waits for a slot in another lane, without one meanwhile. On an error
// none is held.
func (s *seat) change(ctx context.Context, to *slots, turn time.Time) error {
	if s.in == to {
		return nil
	}
	s.leave()
	if err := to.Acquire(ctx, turn); err != nil {
		return err
	}
	s.in = to
	return nil
}

// leave gives the slot back, if one is held.
func (s *seat) leave() {
	if s.in != nil {
		s.in.Release()
		s.in = nil
	}
}
