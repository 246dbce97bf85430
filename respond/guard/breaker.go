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
		Doc:   "An action that failed often, or once did not have its effect, asks until a run that people approved shows that it works again.",
		Keeps: true,
		New:   func(Options) Guard { return breaker{} },
	})
}

type breaker struct{}

func (breaker) Judge(_ context.Context, c Check) (event.Decision, string) {
	if t := c.book.Breakers[c.Plan.Action]; t != nil && t.Open != "" {
		return event.Ask, fmt.Sprintf("%s is not done by itself since %s: %s", c.Plan.Action, t.Since.UTC().Format(time.RFC3339), t.Open)
	}
	return event.Pass, "works"
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
)

// Report tells the breaker how an attempt ended. approved says that people had
// said yes to it: its success closes a breaker that is open.
func (s *Set) Report(ctx context.Context, action string, o Outcome, approved bool, now time.Time) error {
	if s.ledger == nil {
		return nil
	}
	if book, err := s.ledger.recent(ctx); err == nil && o == OutcomeDone && book.Breakers[action] == nil {
		return nil // which is how it nearly always is
	}
	return s.ledger.update(ctx, now, func(b *Book) bool { return b.report(action, o, approved, s.limits.Breaker.Failures, now) })
}

func (b *Book) report(action string, o Outcome, approved bool, most int, now time.Time) bool {
	t := b.Breakers[action]
	if o == OutcomeDone {
		if t == nil || t.Open != "" && !approved {
			return false
		}
		delete(b.Breakers, action)
		return true
	}
	if t == nil {
		if b.Breakers == nil {
			b.Breakers = map[string]*Trip{}
		}
		t = &Trip{}
		b.Breakers[action] = t
	}
	t.Failures = append(t.Failures, now)
	if over := len(t.Failures) - most; over > 0 {
		t.Failures = t.Failures[over:]
	}
	switch {
	case t.Open != "":
	case o == OutcomeVoid:
		t.Open, t.Since = "what was written did not have its effect", now
	case len(t.Failures) >= most && now.Sub(t.Failures[0]) <= time.Minute:
		t.Open, t.Since = fmt.Sprintf("it failed %d times within a minute", most), now
	}
	return true
}
