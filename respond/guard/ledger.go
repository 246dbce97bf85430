package guard

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/firebreak-io/firebreak/internal/bus"
	"github.com/firebreak-io/firebreak/internal/event"
)

const (
	// keyLedger is the ledger's key in the control bucket.
	keyLedger = "ledger"
	// maxChanges is how many changes come into one record: who waits for the last
	// waits for all.
	maxChanges = 64
	// recently is how old the book may be by which plans are judged; a place
	// is only ever taken in the newest.
	recently = 500 * time.Millisecond
	// maxRaces is how often a write is tried again that others were faster
	// than. It is more than there are responders by far.
	maxRaces = 200
)

// Store is where the ledger is kept: [*bus.KV], with its errors.
type Store interface {
	Get(ctx context.Context, key string) (value []byte, revision uint64, err error)
	CompareAndSet(ctx context.Context, key string, value []byte, revision uint64) (uint64, error)
}

// Ledger counts effects, across responders and restarts. A place is taken
// before the intent is written, and is free again when the records of the run
// say that nothing of the effect stands, so that at each write to the cluster
// the ledger holds at least what stands there. The records of the runs hold the
// same, and a ledger that was lost is made again from them. It may be used
// concurrently.
type Ledger struct {
	store Store

	mu   sync.Mutex
	book *Book
	at   time.Time
	// waiting are changes that come into the next record; writing says that
	// somebody writes, who takes them, too.
	waiting []*change
	writing bool
	// newest and revision are the last record that this process wrote or read, for
	// who writes: unless somebody else has written, the next follows it. written is
	// what newest says, where it was written here; nobody changes it.
	newest   []byte
	written  *Book
	revision uint64
}

// NewLedger keeps a ledger in a store.
func NewLedger(s Store) *Ledger { return &Ledger{store: s} }

func (l *Ledger) load(ctx context.Context) (*Book, error) {
	data, _, err := l.read(ctx)
	if err != nil {
		return nil, err
	}
	return decode(data)
}

// read is the newest record; there is none yet at revision 0.
func (l *Ledger) read(ctx context.Context) (data []byte, revision uint64, err error) {
	data, revision, err = l.store.Get(ctx, keyLedger)
	switch {
	case errors.Is(err, bus.ErrNotFound):
		return nil, 0, nil
	case err != nil:
		return nil, 0, fmt.Errorf("read ledger: %w", err)
	}
	return data, revision, nil
}

func decode(data []byte) (*Book, error) {
	book := &Book{}
	if len(data) == 0 {
		return book, nil
	}
	if err := json.Unmarshal(data, book); err != nil {
		return nil, fmt.Errorf("read ledger: %w", err)
	}
	return book, nil
}

// recent is the book as it was a moment ago at the most. It is shared: nobody
// changes it.
func (l *Ledger) recent(ctx context.Context) (*Book, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.book != nil && time.Since(l.at) < recently {
		return l.book, nil
	}
	at := time.Now()
	book, err := l.load(ctx)
	if err != nil {
		return nil, err
	}
	l.book, l.at = book, at
	return book, nil
}

// Take takes a place for a step whose effect follows at once: the guards that
// go by the ledger are asked again, of its newest state, and the place is
// theirs in the same write. Without one (reserved is nil) the verdicts say why.
// For a step that has a place it changes nothing.
func (s *Set) Take(ctx context.Context, c Check, before []event.Verdict) (verdicts []event.Verdict, reserved *event.Reservation) {
	if !c.acts() || c.observes() || !stands(before, c) {
		return before, nil
	}
	if s.ledger == nil {
		return before, &event.Reservation{Budget: c.Budget, Taken: c.Now, Approved: c.Approved}
	}
	err := s.ledger.update(ctx, c.Now, func(b *Book) bool {
		c.book, verdicts, reserved = b, before, nil
		if verdicts = s.again(ctx, c, before); !stands(verdicts, c) {
			return false
		}
		e := c.entry()
		e.Nonce = rand.Text()
		for _, g := range s.guards {
			if k, ok := g.(keeper); ok {
				k.keep(ctx, c, &e)
			}
		}
		b.put(e)
		e = *b.find(e.Key)
		reserved = &event.Reservation{Budget: e.Budget, Taken: e.Taken, Controller: e.Controller, Approved: e.Approved}
		return true
	})
	if err != nil {
		return replace(before, event.Verdict{Guard: "budget", Decision: event.Wait, Reason: "no place could be taken: " + err.Error()}), nil
	}
	return verdicts, reserved
}

// keeper is a guard that adds to what the ledger holds when a place is taken.
type keeper interface {
	keep(ctx context.Context, c Check, e *Entry)
}

// again asks the guards that go by the ledger.
func (s *Set) again(ctx context.Context, c Check, verdicts []event.Verdict) []event.Verdict {
	for i, k := range s.kinds {
		if k.Keeps {
			verdicts = replace(verdicts, s.ask(ctx, i, c))
		}
	}
	return verdicts
}

// Kept says whether a step whose intent is written has its place still. An
// intent without one must not be carried out.
func (s *Set) Kept(ctx context.Context, c Check) (bool, error) {
	if s.ledger == nil || !c.acts() || c.observes() {
		return true, nil
	}
	book, err := s.ledger.recent(ctx)
	if err != nil {
		return false, err
	}
	if e := book.find(c.Key()); e != nil && e.stands() {
		return true, nil
	}
	return false, nil
}

// Settle frees the places of a run's steps of which nothing stands any more, by
// its newest record.
func (s *Set) Settle(ctx context.Context, run event.Run, now time.Time) error {
	if s.ledger == nil {
		return nil
	}
	return s.ledger.update(ctx, now, func(b *Book) bool { return b.settle(run, now) })
}

func (b *Book) settle(run event.Run, now time.Time) bool {
	changed := false
	for i := range b.Entries {
		e := &b.Entries[i]
		if e.Run != run.ID || !e.stands() || !over(run, *e) {
			continue
		}
		e.Ended, changed = &now, true
	}
	return changed
}

// over says that an entry's effect does not stand and, by what its place was
// taken for, never will. A place that was taken after the newest record may
// still be used: whoever took it has yet to write the intent.
func over(run event.Run, e Entry) bool {
	if run.State.Terminal() {
		return true
	}
	for _, s := range run.Steps {
		if run.ID+"/"+s.Name == e.Key {
			return !s.Active() && run.Record > e.Record
		}
	}
	return run.Record > e.Record
}

// Standing are the runs that have a place, each once.
func (s *Set) Standing(ctx context.Context) ([]string, error) {
	if s.ledger == nil {
		return nil, nil
	}
	book, err := s.ledger.recent(ctx)
	if err != nil {
		return nil, err
	}
	var runs []string
	for _, e := range book.Entries {
		if e.stands() && !slices.Contains(runs, e.Run) {
			runs = append(runs, e.Run)
		}
	}
	return runs, nil
}

// Abandon frees the places that were taken before a time for the first record of a
// run: no such record was stored, and whoever was about to store it is gone.
func (s *Set) Abandon(ctx context.Context, run string, before, now time.Time) error {
	if s.ledger == nil {
		return nil
	}
	return s.ledger.update(ctx, now, func(b *Book) bool {
		changed := false
		for i := range b.Entries {
			e := &b.Entries[i]
			if e.Run == run && e.stands() && e.Record == 0 && e.Taken.Before(before) {
				e.Ended, changed = &now, true
			}
		}
		return changed
	})
}

// Restore makes sure that what stands by the records of the runs has its place:
// the ledger may have been lost. Places are not asked for here, since the
// effects are there.
func (s *Set) Restore(ctx context.Context, runs []event.Run, now time.Time) error {
	if s.ledger == nil {
		return nil
	}
	return s.ledger.update(ctx, now, func(b *Book) bool {
		changed := false
		for _, run := range runs {
			for i, step := range run.Steps {
				if !step.Active() || step.Reserved == nil || step.Plan == nil {
					continue
				}
				r := step.Reserved
				c := Check{Run: run, Step: i, Plan: *step.Plan, Budget: r.Budget, Approved: r.Approved, Now: r.Taken}
				if old := b.find(c.Key()); old != nil && old.stands() {
					continue
				}
				e := c.entry()
				e.Controller, e.Nonce = r.Controller, rand.Text()
				b.put(e)
				changed = true
			}
		}
		return changed
	})
}
