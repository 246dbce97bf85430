package notify

import (
	"cmp"
	"context"
	"fmt"
	"sync"
	"time"

	"golang.org/x/sync/semaphore"
)

// lane sends to one receiver.
type lane struct {
	*Deliverer
	to       *Receiver
	queue    Queue
	slots    *semaphore.Weighted
	parallel int64
	pace     *pace
	timeout  time.Duration
	sending  sync.WaitGroup

	mu sync.Mutex
	// failures counts those since the last success: while there are any, one
	// message at a time finds out whether the receiver is back.
	failures  int
	notBefore time.Time
}

func newLane(d *Deliverer, r *Receiver, q Queue) *lane {
	l := r.Limits
	parallel := int64(cmp.Or(l.Parallel, defaultParallel))
	if l.Group > 0 {
		parallel = 1 // of two at a time one would wait for the other
	}
	return &lane{
		Deliverer: d, to: r, queue: q, slots: semaphore.NewWeighted(parallel), parallel: parallel,
		pace:    newPace(cmp.Or(l.Rate, defaultRate)/60, cmp.Or(l.Burst, defaultBurst)),
		timeout: min(cmp.Or(l.Timeout, defaultTimeout), maxTimeout),
	}
}

// The patience with a receiver that takes nothing.
const (
	minPause = time.Second
	maxPause = 30 * time.Second
	// maxLater bounds what a receiver can ask for: an hour is long for a page.
	maxLater = time.Hour
)

// run sends until ctx ends, and then waits for what is on its way.
func (l *lane) run(ctx context.Context) error {
	defer l.sending.Wait()
	for {
		// The receiver's patience, the rate and a place come first: a message
		// that is taken is in nobody else's hands, and must not wait here.
		places, err := l.admit(ctx)
		if err != nil {
			return nil
		}
		t, err := l.queue.Take(ctx)
		if err != nil {
			l.slots.Release(places)
			if ctx.Err() != nil {
				return nil
			}
			return fmt.Errorf("send to %s: %w", l.to.Name, err)
		}
		since := time.Now()
		l.sending.Go(func() {
			defer l.slots.Release(places)
			// What is on its way is let through when all else stops: it would be
			// sent twice.
			l.deliver(context.WithoutCancel(ctx), t, since)
		})
	}
}

// admit waits until a message may be taken, and says how many places it has:
// all, while the receiver takes nothing.
func (l *lane) admit(ctx context.Context) (int64, error) {
	if err := l.pace.wait(ctx); err != nil {
		return 0, err
	}
	for {
		failures, wait := l.state()
		if wait > 0 {
			if err := sleep(ctx, wait); err != nil {
				return 0, err
			}
			continue
		}
		places := int64(1)
		if failures > 0 {
			places = l.parallel
		}
		if err := l.slots.Acquire(ctx, places); err != nil {
			return 0, err
		}
		if now, wait := l.state(); now <= failures && wait <= 0 {
			return places, nil
		}
		l.slots.Release(places)
	}
}

func (l *lane) state() (failures int, wait time.Duration) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.failures, time.Until(l.notBefore)
}

// went notes how an attempt went: after a failure nothing is sent for a while.
func (l *lane) went(failed bool, after time.Duration) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if !failed {
		l.failures, l.notBefore = 0, time.Time{}
		return
	}
	l.failures++
	if at := time.Now().Add(max(backoff(l.failures, minPause, maxPause), min(after, maxLater))); at.After(l.notBefore) {
		l.notBefore = at
	}
}

// backoff doubles from least to most.
func backoff(n int, least, most time.Duration) time.Duration {
	d := least
	for ; n > 1 && d < most; n-- {
		d *= 2
	}
	return min(d, most)
}

func sleep(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-t.C:
		return nil
	}
}
