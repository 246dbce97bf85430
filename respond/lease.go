package respond

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/firebreak-io/firebreak/internal/bus"
)

const (
	// leaseBeat is how often the active responder renews its lease. When it
	// could not for leaseGivenUp, it stops; a standby takes the lease when it
	// has seen the same renewal for leaseOver. Each measures by its own clock
	// how long, never when: no two clocks are compared.
	leaseBeat    = time.Second
	leaseGivenUp = 3 * time.Second
	leaseOver    = 3500 * time.Millisecond
	leasePoll    = 250 * time.Millisecond
)

// errLeaseLost ends the term of a responder whose lease is another's now, or
// may be.
var errLeaseLost = errors.New("the lease is lost")

// leaseRecord is the lease as it is stored.
type leaseRecord struct {
	// Epoch is higher with each term; each record of a run carries it.
	Epoch  uint64    `json:"epoch"`
	Holder string    `json:"holder"`
	Since  time.Time `json:"since"`
	// Beat counts the renewals. Free says that the holder has let go.
	Beat uint64 `json:"beat,omitempty"`
	Free bool   `json:"free,omitempty"`
}

// lease is one responder's view of the lease. One goroutine uses it, but for
// let, which may be called when that has ended.
type lease struct {
	kv *bus.KV
	// alone says that nobody else can be there (the store is embedded, and one
	// process at a time can open it): the lease is taken without waiting.
	alone bool
	clock func() time.Time

	mu       sync.Mutex
	own      leaseRecord
	revision uint64
}

// read is the lease as it stands, and its revision, 0 when there is none.
func (l *lease) read(ctx context.Context) (rec leaseRecord, revision uint64, err error) {
	data, revision, err := l.kv.Get(ctx, keyLease)
	switch {
	case errors.Is(err, bus.ErrNotFound):
		return rec, 0, nil
	case err != nil:
		return rec, 0, fmt.Errorf("read lease: %w", err)
	}
	if err := json.Unmarshal(data, &rec); err != nil {
		return rec, 0, fmt.Errorf("read lease: %w", err)
	}
	return rec, revision, nil
}

// take waits until the lease is free, or its holder has not renewed it for
// leaseOver, and takes it. It gives the epoch, which is higher than that of any
// lease before: who holds an older one can no longer write to a run that the
// new holder has touched. It tries until ctx ends.
func (l *lease) take(ctx context.Context, logger *slog.Logger) (uint64, error) {
	var seen uint64
	var since time.Time
	said := "" // of what is wrong is told once, until it is something else
	warn := func(text string, err error) {
		if said != text {
			logger.Warn(text+"; trying again", "error", err)
		}
		said = text
	}
	for first := true; ; first = false {
		rec, revision, err := l.read(ctx)
		switch {
		case ctx.Err() != nil:
			return 0, ctx.Err()
		case err != nil:
			warn("the lease can't be read", err)
		case l.alone || revision == 0 || rec.Free || revision == seen && time.Since(since) >= leaseOver:
			next := leaseRecord{Epoch: rec.Epoch + 1, Holder: rand.Text(), Since: l.clock()}
			taken, err := l.set(ctx, next, revision)
			if err != nil {
				warn("the lease can't be taken", err)
			}
			if taken {
				return next.Epoch, nil
			}
		case revision != seen:
			if seen, since = revision, time.Now(); said != "" {
				logger.Info("the lease can be read again", "epoch", rec.Epoch)
				said = ""
			}
			if first {
				logger.Info("standing by: another responder is active", "epoch", rec.Epoch)
			}
		}
		if err := sleep(ctx, leasePoll); err != nil {
			return 0, err
		}
	}
}

// set writes the lease if it still has the revision.
func (l *lease) set(ctx context.Context, rec leaseRecord, revision uint64) (bool, error) {
	data, err := json.Marshal(rec)
	if err != nil {
		return false, fmt.Errorf("write lease: %w", err)
	}
	next, err := l.kv.CompareAndSet(ctx, keyLease, data, revision)
	if errors.Is(err, bus.ErrUnknown) {
		// No answer came: whether it was stored shows in the store.
		stored, at, readErr := l.read(ctx)
		if readErr == nil && stored == rec {
			next, err = at, nil
		}
	}
	switch {
	case errors.Is(err, bus.ErrConflict):
		return false, nil
	case err != nil:
		return false, fmt.Errorf("write lease: %w", err)
	}
	l.mu.Lock()
	l.own, l.revision = rec, next
	l.mu.Unlock()
	return true, nil
}

// hold renews the lease until ctx ends, and gives [errLeaseLost] when another
// has it, or could have it by now.
func (l *lease) hold(ctx context.Context) error {
	if l.alone {
		<-ctx.Done()
		return nil
	}
	renewed := time.Now()
	for {
		if err := sleep(ctx, leaseBeat); err != nil {
			return nil
		}
		l.mu.Lock()
		rec, revision := l.own, l.revision
		l.mu.Unlock()
		rec.Beat++
		began := time.Now()
		bounded, cancel := context.WithTimeout(ctx, leaseGivenUp-time.Since(renewed))
		ok, err := l.set(bounded, rec, revision)
		cancel()
		switch {
		case ctx.Err() != nil:
			return nil
		case err == nil && !ok:
			return fmt.Errorf("%w: another responder has it", errLeaseLost)
		case ok:
			renewed = began
		case time.Since(renewed) >= leaseGivenUp:
			return fmt.Errorf("%w: it could not be renewed for %s: %w", errLeaseLost, leaseGivenUp, err)
		}
	}
}

// let lets the lease go, so that a standby need not wait.
func (l *lease) let(ctx context.Context) {
	l.mu.Lock()
	rec, revision := l.own, l.revision
	l.mu.Unlock()
	if l.alone || revision == 0 {
		return
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), time.Second)
	defer cancel()
	rec.Free = true
	_, _ = l.set(ctx, rec, revision) // if it fails, it runs out
}
