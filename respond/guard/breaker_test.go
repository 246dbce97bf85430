package guard

import (
	"testing"
	"time"

	"github.com/firebreak-io/firebreak/internal/event"
)

// circuits is a set with a ledger in which attempts are reported.
type circuits struct {
	t     *testing.T
	w     *world
	store *memory
	s     *Set
}

func newCircuits(t *testing.T) *circuits {
	c := &circuits{t: t, w: good(), store: &memory{}}
	c.w.o.Ledger = NewLedger(c.store)
	c.s = New(c.w.o)
	return c
}

func (c *circuits) report(backend string, o Outcome, approved bool, after time.Duration) {
	c.t.Helper()
	a := Attempt{Key: "r1/isolate", Plan: event.Plan{Action: "pod.quarantine", Backend: backend}, Outcome: o, Approved: approved, Now: now.Add(after)}
	if err := c.s.Report(c.t.Context(), a); err != nil {
		c.t.Fatal(err)
	}
}

func (c *circuits) open(backend string) bool {
	b := read(c.t, c.store).Breakers[circuit(event.Plan{Action: "pod.quarantine", Backend: backend})]
	return b != nil && b.Open != ""
}

// TestBreaker: it opens after failures in a row or one effect that is none, and
// only what people approved closes it.
func TestBreaker(t *testing.T) {
	c := newCircuits(t)
	for i := range 6 {
		c.report("", OutcomeFailed, false, time.Duration(i)*20*time.Second)
	}
	if c.open("") {
		t.Fatal("open after failures that are far apart")
	}
	for i := range 5 {
		c.report("", OutcomeFailed, false, 5*time.Minute+time.Duration(i)*time.Second)
	}
	if !c.open("") {
		t.Fatal("closed after five failures in five seconds")
	}
	c.report("", OutcomeDone, false, 6*time.Minute)
	if !c.open("") {
		t.Fatal("closed by what nobody approved")
	}
	c.report("", OutcomeUnverified, true, 6*time.Minute)
	if c.open("") {
		t.Fatal("open after an approved run worked")
	}
}

// TestBreakerOfWhatHasNoEffect: one backend's failed verification leaves the
// others alone, and what nobody could verify does not close it.
func TestBreakerOfWhatHasNoEffect(t *testing.T) {
	c := newCircuits(t)
	c.report("cilium", OutcomeVoid, false, 0)
	if !c.open("cilium") || c.open("networkpolicy") {
		t.Fatal("an effect that is none opens the breaker of its backend alone")
	}
	c.report("cilium", OutcomeUnverified, true, time.Minute)
	if !c.open("cilium") {
		t.Fatal("closed by an effect that nobody verified")
	}
	c.report("cilium", OutcomeDone, true, time.Minute)
	if c.open("cilium") {
		t.Fatal("open after an approved run had its effect")
	}
}

// TestOneTries: of several approved runs one goes through an open breaker, and
// the next when that one has failed, or has said nothing for long.
func TestOneTries(t *testing.T) {
	c := newCircuits(t)
	c.report("", OutcomeVoid, false, -time.Hour)
	try := func(n int, after time.Duration) bool {
		a := attempt(c.w, n)
		a.Approved, a.Yes, a.Now = true, 2, now.Add(after)
		_, r := c.s.Take(t.Context(), a, c.s.Judge(t.Context(), a))
		return r != nil
	}
	for range 2 {
		if !try(1, 0) {
			t.Fatal("the first approved run does not go through")
		}
	}
	if try(2, time.Second) {
		t.Fatal("a second run goes through while the first is tried")
	}
	a := attempt(c.w, 1)
	if err := c.s.Report(t.Context(), Attempt{Key: a.Key(), Plan: a.Plan, Outcome: OutcomeVoid, Approved: true, Now: now.Add(2 * time.Second)}); err != nil {
		t.Fatal(err)
	}
	if !try(2, 3*time.Second) {
		t.Fatal("the next does not go through after the first has failed")
	}
	if try(3, time.Minute) || !try(3, 10*time.Minute) {
		t.Fatal("a run that says nothing keeps others waiting for five minutes, and no longer")
	}
}
