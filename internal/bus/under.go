package bus

import (
	"context"
	"errors"
	"sync"
)

// errDown: the embedded server stopped, or could not write, before it answered.
var errDown = errors.New("the embedded server stopped before it answered")

// underWay are the requests that wait for an answer of the embedded server. One
// that stopped answers none of them. It may be used concurrently.
type underWay struct {
	mu   sync.Mutex
	next uint64
	ends map[uint64]context.CancelCauseFunc
}

// begin gives a context that ends when the server goes down, with the cause
// errDown; done has to be called when the request has its answer.
func (u *underWay) begin(ctx context.Context) (_ context.Context, done func()) {
	ctx, end := context.WithCancelCause(ctx)
	u.mu.Lock()
	defer u.mu.Unlock()
	if u.ends == nil {
		u.ends = map[uint64]context.CancelCauseFunc{}
	}
	u.next++
	n := u.next
	u.ends[n] = end
	return ctx, func() {
		u.mu.Lock()
		delete(u.ends, n)
		u.mu.Unlock()
		end(nil)
	}
}

// end ends all requests that have begun and are not done.
func (u *underWay) end() {
	u.mu.Lock()
	defer u.mu.Unlock()
	for _, end := range u.ends {
		end(errDown)
	}
	clear(u.ends)
}

// writing bounds a write to the server by time, and by the life of a server
// inside this process.
func (b *Bus) writing(ctx context.Context) (_ context.Context, done func()) {
	ctx, cancel := context.WithTimeout(ctx, requestTimeout)
	if b.server == nil {
		return ctx, cancel
	}
	ctx, ended := b.server.under.begin(ctx)
	return ctx, func() { ended(); cancel() }
}

// outcomeOf is [outcome] of a write with a context of writing.
func outcomeOf(ctx context.Context, err error) error {
	if errors.Is(err, context.Canceled) && errors.Is(context.Cause(ctx), errDown) {
		err = errDown
	}
	return outcome(err)
}
