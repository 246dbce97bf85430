package tail

import (
	"context"
	"log/slog"
	"math/rand/v2"
	"time"
)

// Retry tries to store until it is done.
type Retry struct {
	// Name is what waits, for the log.
	Name   string
	Logger *slog.Logger
	// Now is the clock; nil means time.Now.
	Now func() time.Time
	// Count is told of each refusal; nil is told nothing.
	Count func()
}

// sayEvery is how often a refusal is logged.
const sayEvery = 30 * time.Second

// Do calls store until it gives no error, or ctx ends, whose error it then
// gives.
func (r Retry) Do(ctx context.Context, store func(context.Context) error) error {
	now := r.Now
	if now == nil {
		now = time.Now
	}
	var since, said time.Time
	for n := 1; ; n++ {
		err := store(ctx)
		at := now()
		switch {
		case err == nil:
			if n > 1 && r.Logger != nil {
				r.Logger.InfoContext(ctx, "the store takes again what is read", "files", r.Name, "waited", at.Sub(since).String())
			}
			return nil
		case ctx.Err() != nil:
			return ctx.Err()
		case n == 1:
			since = at
		}
		if r.Count != nil {
			r.Count()
		}
		if r.Logger != nil && (said.IsZero() || at.Sub(said) >= sayEvery) {
			said = at
			r.Logger.WarnContext(ctx, "the store refuses; reading waits", "files", r.Name, "error", err, "tries", n)
		}
		timer := time.NewTimer(backoff(n))
		select {
		case <-ctx.Done():
			timer.Stop()
			return ctx.Err()
		case <-timer.C:
		}
	}
}

// backoff is how long to wait before the n-th try, from 1.
func backoff(n int) time.Duration {
	d := min(100*time.Millisecond<<min(n-1, 10), 5*time.Second)
	return d/2 + rand.N(d/2) //nolint:gosec // it only spreads the tries
}
