package guard

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/firebreak-io/firebreak/internal/bus"
)

// change is one change of the ledger that waits to be written.
type change struct {
	ctx context.Context //nolint:containedctx // who writes it is another goroutine
	now time.Time
	of  func(*Book) bool

	done chan struct{}
	err  error
}

// update changes the book by compare-and-set: of is called with the newest one,
// again whenever somebody else was faster, and says whether there is anything to
// write; where it says no it must not have touched the book. Changes that come
// while a record is being stored come into the next one together, in their order:
// each sees what those before it did.
func (l *Ledger) update(ctx context.Context, now time.Time, of func(*Book) bool) error {
	c := &change{ctx: ctx, now: now, of: of, done: make(chan struct{})}
	l.mu.Lock()
	l.waiting = append(l.waiting, c)
	if !l.writing {
		l.writing = true
		go l.drain()
	}
	l.mu.Unlock()
	// Also when ctx is done: of is not called any more when this returns.
	<-c.done
	return c.err
}

// drain writes what waits, until nothing does.
func (l *Ledger) drain() {
	for {
		l.mu.Lock()
		n := min(len(l.waiting), maxChanges)
		batch := l.waiting[:n:n]
		l.waiting = l.waiting[n:]
		if n == 0 {
			l.writing = false
			l.mu.Unlock()
			return
		}
		l.mu.Unlock()
		l.settle(batch)
	}
}

// settle gives each of a batch its answer. Who has given up takes no place.
func (l *Ledger) settle(batch []*change) {
	var live []*change
	for _, c := range batch {
		if c.err = c.ctx.Err(); c.err == nil {
			live = append(live, c)
		}
	}
	if len(live) > 0 {
		err := l.write(live)
		for _, c := range live {
			c.err = err
		}
	}
	for _, c := range batch {
		close(c.done)
	}
}

// write stores one record with the changes of a batch.
func (l *Ledger) write(batch []*change) error {
	// Who waits may give up; the others do not.
	ctx := context.WithoutCancel(batch[0].ctx)
	now := batch[len(batch)-1].now
	for range maxRaces {
		if l.newest == nil {
			if err := l.refresh(ctx); err != nil {
				return err
			}
		}
		book, err := l.copied()
		if err != nil {
			return err
		}
		changed := false
		for _, c := range batch {
			changed = c.of(book) || changed
		}
		if !changed {
			// What says no has to be the newest.
			before := l.revision
			if err := l.refresh(ctx); err != nil || l.revision == before {
				return err
			}
			continue
		}
		book.tidy(now)
		data, err := json.Marshal(book)
		if err != nil {
			return fmt.Errorf("write ledger: %w", err)
		}
		revision, err := l.store.CompareAndSet(ctx, keyLedger, data, l.revision)
		if err != nil {
			l.newest, l.written = nil, nil
			if errors.Is(err, bus.ErrConflict) {
				continue
			}
			return fmt.Errorf("write ledger: %w", err)
		}
		l.newest, l.written, l.revision = data, book, revision
		l.mu.Lock()
		l.book, l.at = book, time.Now()
		l.mu.Unlock()
		return nil
	}
	return errors.New("write ledger: others were faster each time")
}

// copied is the newest book, to be changed: decoding it for each record of a storm
// took longer than all else that is done to it.
func (l *Ledger) copied() (*Book, error) {
	if l.written != nil {
		return l.written.clone(), nil
	}
	return decode(l.newest)
}

// refresh reads the newest record for who writes.
func (l *Ledger) refresh(ctx context.Context) error {
	l.written = nil
	data, revision, err := l.read(ctx)
	if err != nil {
		l.newest = nil
		return err
	}
	if l.newest, l.revision = data, revision; data == nil {
		l.newest = []byte{}
	}
	return nil
}
