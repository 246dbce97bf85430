package guard

import (
	"context"
	"fmt"
	"time"

	"github.com/firebreak-io/firebreak/internal/event"
)

func init() {
	register(Kind{
		Name:  "breaker",
		Doc:   "An action that failed often by way of one backend, or once did not have its effect, asks until one run that people approved shows that it works again.",
		Keeps: true,
		New:   func(Options) Guard { return breaker{} },
	})
}

// trial is how long the one run that tries a broken action keeps others
// waiting: if it says nothing by then, the next may try.
const trial = 5 * time.Minute

type breaker struct{}

func (breaker) Judge(_ context.Context, c Check) (event.Decision, string) {
	if c.Run.Drill {
		return event.Pass, "a drill tries what may not work"
	}
	name := circuit(c.Plan)
	t := c.book.Breakers[name]
	if t == nil || t.Open == "" {
		return event.Pass, "works"
	}
	if c.Approved && t.Trial != "" && t.Trial != c.Key() && c.Now.Sub(t.Tried) < trial {
		return event.Wait, fmt.Sprintf("%s is tried by another run that was approved, since %s", name, t.Tried.UTC().Format(time.RFC3339))
	}
	return event.Ask, fmt.Sprintf("%s is not done by itself since %s: %s", name, t.Since.UTC().Format(time.RFC3339), t.Open)
}

// keep notes the run that tries a broken action.
func (breaker) keep(_ context.Context, c Check, _ *Entry) {
	if t := c.book.Breakers[circuit(c.Plan)]; t != nil && t.Open != "" && !c.Run.Drill {
		t.Trial, t.Tried = c.Key(), c.Now
	}
}

// circuit is what fails together: an action by way of one backend.
func circuit(p event.Plan) string {
	if p.Backend == "" {
		return p.Action
	}
	return p.Action + " by " + p.Backend
}

// Outcome is how an attempt to carry an effect out ended.
type Outcome string

// The outcomes that a breaker looks at. Anything else (the target changed or
// is gone, it was held back) says nothing of the action.
const (
	OutcomeDone   Outcome = "done"
	OutcomeFailed Outcome = "failed"
	// OutcomeVoid: it was written, and does not have its effect.
	OutcomeVoid Outcome = "void"
	// OutcomeUnverified: it was written, and nobody can tell whether it has its
	// effect. That does not close a breaker which is open because one had none.
	OutcomeUnverified Outcome = "unverified"
)

// Attempt is an attempt to carry an effect out.
type Attempt struct {
	// Key is the effect's, see [Check.Key].
	Key  string
	Plan event.Plan
	// Approved says that people had said yes to it.
	Approved bool
	Outcome  Outcome
	Now      time.Time
}

// Report tells the breaker how an attempt ended. The success of an approved one
// closes a breaker that is open.
func (s *Set) Report(ctx context.Context, a Attempt) error {
	if s.ledger == nil {
		return nil
	}
	worked := a.Outcome == OutcomeDone || a.Outcome == OutcomeUnverified
	if book, err := s.ledger.recent(ctx); err == nil && worked && book.Breakers[circuit(a.Plan)] == nil {
		return nil // which is how it nearly always is
	}
	return s.ledger.update(ctx, a.Now, func(b *Book) bool { return b.report(a, s.limits.Breaker.Failures) })
}

func (b *Book) report(a Attempt, most int) bool {
	name := circuit(a.Plan)
	t := b.Breakers[name]
	if a.Outcome == OutcomeDone || a.Outcome == OutcomeUnverified {
		return t != nil && b.worked(name, t, a)
	}
	if t == nil {
		if b.Breakers == nil {
			b.Breakers = map[string]*Trip{}
		}
		t = &Trip{}
		b.Breakers[name] = t
	}
	t.Failures = append(t.Failures, a.Now)
	if over := len(t.Failures) - most; over > 0 {
		t.Failures = t.Failures[over:]
	}
	t.over(a.Key)
	switch {
	case a.Outcome == OutcomeVoid && !t.Void:
		t.Void = true
		t.Open, t.Since = "what was written did not have its effect", a.Now
	case t.Open != "":
	case len(t.Failures) >= most && a.Now.Sub(t.Failures[0]) <= time.Minute:
		t.Open, t.Since = fmt.Sprintf("it failed %d times within a minute", most), a.Now
	}
	return true
}

// worked takes in that an attempt did not fail.
func (b *Book) worked(name string, t *Trip, a Attempt) bool {
	if t.Open == "" || a.Approved && !(t.Void && a.Outcome == OutcomeUnverified) {
		delete(b.Breakers, name)
		return true
	}
	return t.over(a.Key)
}

// over ends the trial of a step, if it is under way.
func (t *Trip) over(key string) bool {
	if t.Trial != key {
		return false
	}
	t.Trial, t.Tried = "", time.Time{}
	return true
}
