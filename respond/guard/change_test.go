package guard

import (
	"context"
	"sync"
	"testing"
	"time"

	"github.com/firebreak-io/firebreak/internal/event"
)

// slow is a store whose first write waits until it is let go.
type slow struct {
	memory
	once  sync.Once
	begun chan struct{}
	let   chan struct{}
}

func (s *slow) CompareAndSet(ctx context.Context, key string, value []byte, revision uint64) (uint64, error) {
	s.once.Do(func() {
		close(s.begun)
		<-s.let
	})
	return s.memory.CompareAndSet(ctx, key, value, revision)
}

// TestTakenTogether: places that are asked for while a record is being stored
// are in the next one, all of them, and no more than the budget has.
func TestTakenTogether(t *testing.T) {
	w, store := good(), &slow{begun: make(chan struct{}), let: make(chan struct{})}
	w.o.Limits, w.o.Ledger = DefaultLimits(), NewLedger(store)
	w.o.Limits.Budgets.EffectsPerMinute, w.o.Limits.Budgets.Burst = 1000, 1000
	s := New(w.o)
	var all sync.WaitGroup
	var mu sync.Mutex
	won := 0
	take := func(n int) {
		c := attempt(w, n)
		if _, r := s.Take(t.Context(), c, s.Judge(t.Context(), c)); r != nil {
			mu.Lock()
			defer mu.Unlock()
			won++
		}
	}
	all.Go(func() { take(0) })
	<-store.begun
	for n := range 20 {
		all.Go(func() { take(n + 1) })
	}
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	for waiting := 0; waiting < 20; <-tick.C {
		s.ledger.mu.Lock()
		waiting = len(s.ledger.waiting)
		s.ledger.mu.Unlock()
	}
	close(store.let)
	all.Wait()
	if b := read(t, &store.memory); won != 10 || len(b.Entries) != 10 || store.writes != 2 {
		t.Errorf("%d have a place, %d places are taken by %d writes; want 10 by 2", won, len(b.Entries), store.writes)
	}
}

// TestNoIsOfTheNewest: a place that another responder has just freed is there for
// one that knows only of when it was taken.
func TestNoIsOfTheNewest(t *testing.T) {
	w, store := good(), &memory{}
	engine := func() *Set {
		o := w.o
		o.Limits, o.Ledger = DefaultLimits(), NewLedger(store)
		o.Limits.Budgets.Pods = 1
		return New(o)
	}
	a, b := engine(), engine()
	take := func(s *Set, n int) bool {
		c := attempt(w, n)
		_, r := s.Take(t.Context(), c, []event.Verdict{})
		return r != nil
	}
	if !take(a, 1) || take(b, 2) {
		t.Fatal("one of two has the only place")
	}
	over := attempt(w, 1).Run
	over.State = event.RunClosed
	if err := b.Settle(t.Context(), over, now); err != nil {
		t.Fatal(err)
	}
	if !take(a, 3) {
		t.Error("the place is free")
	}
}

// TestAbandoned: a place that was taken for a first record which never came is
// free after a while; that of a run which is on record is not.
func TestAbandoned(t *testing.T) {
	w, store := good(), &memory{}
	w.o.Limits, w.o.Ledger = DefaultLimits(), NewLedger(store)
	s := New(w.o)
	never, stored := attempt(w, 1), attempt(w, 2)
	never.Run.Record = 0
	for _, c := range []Check{never, stored} {
		if _, r := s.Take(t.Context(), c, nil); r == nil {
			t.Fatal("no place")
		}
	}
	for _, step := range []struct {
		before time.Time
		want   int
	}{{never.Now, 2}, {never.Now.Add(time.Second), 1}} {
		for _, c := range []Check{never, stored} {
			if err := s.Abandon(t.Context(), c.Run.ID, step.before, now); err != nil {
				t.Fatal(err)
			}
		}
		if n := read(t, store).count(func(e Entry) bool { return e.stands() }); n != step.want {
			t.Errorf("%d places are taken, want %d", n, step.want)
		}
	}
}
