package respond

import (
	"context"
	"sync"
	"time"
)

// rush counts what is urgent: findings that are being taken, and effects that are
// planned or carried out without asking. What only tells people, or is drawn up
// for them, waits a moment while there is any: in a storm of alerts the API server
// and the disk are for containment first. The zero value is ready; it may be used
// concurrently.
type rush struct {
	mu   sync.Mutex
	n    int
	over chan struct{} // closed when n comes to 0
	// fewer is closed when n comes below [crowd].
	fewer chan struct{}
}

// crowd is how many urgent things are more than are worked on at a time.
const crowd = maxEffects

// begin counts one, until done is called.
func (r *rush) begin() (done func()) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.n++
	switch r.n {
	case 1:
		r.over = make(chan struct{})
	case crowd:
		r.fewer = make(chan struct{})
	}
	return sync.OnceFunc(func() {
		r.mu.Lock()
		defer r.mu.Unlock()
		r.n--
		switch r.n {
		case 0:
			close(r.over)
		case crowd - 1:
			close(r.fewer)
		}
	})
}

// yield waits while anything is urgent, but no longer than most.
func (r *rush) yield(ctx context.Context, most time.Duration) {
	r.mu.Lock()
	n, over := r.n, r.over
	r.mu.Unlock()
	if n > 0 {
		await(ctx, over, most)
	}
}

// ease waits while more is urgent than can be worked on at a time, but no longer than
// most.
func (r *rush) ease(ctx context.Context, most time.Duration) {
	r.mu.Lock()
	n, fewer := r.n, r.fewer
	r.mu.Unlock()
	if n >= crowd {
		await(ctx, fewer, most)
	}
}

func await(ctx context.Context, over <-chan struct{}, most time.Duration) {
	t := time.NewTimer(most)
	defer t.Stop()
	select {
	case <-over:
	case <-t.C:
	case <-ctx.Done():
	}
}
