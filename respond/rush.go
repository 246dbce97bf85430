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
}

// begin counts one, until done is called.
func (r *rush) begin() (done func()) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.n++; r.n == 1 {
		r.over = make(chan struct{})
	}
	return sync.OnceFunc(func() {
		r.mu.Lock()
		defer r.mu.Unlock()
		if r.n--; r.n == 0 {
			close(r.over)
		}
	})
}

// yield waits while anything is urgent, but no longer than most.
func (r *rush) yield(ctx context.Context, most time.Duration) {
	r.mu.Lock()
	n, over := r.n, r.over
	r.mu.Unlock()
	if n == 0 {
		return
	}
	t := time.NewTimer(most)
	defer t.Stop()
	select {
	case <-over:
	case <-t.C:
	case <-ctx.Done():
	}
}
