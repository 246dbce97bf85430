package bus

import (
	"context"
	"fmt"
	"time"
)

// minAge is the least bound that the server takes.
const minAge = 100 * time.Millisecond

// Expire has the server drop what a stream holds from before a time, by its own
// clock, and waits until it has. The stream may forbid to delete and to purge: what
// is dropped is always the oldest. The bound on the age is there meanwhile alone,
// for as long as within at most, and by so much earlier it drops: nothing grows old
// enough while it is there. A process that is killed here leaves the bound, and
// [Open] takes it away; leave time enough for that between before and what must
// stay.
func (b *Bus) Expire(ctx context.Context, stream Stream, before time.Time, within time.Duration) error {
	age := time.Since(before) + within
	if age <= within {
		return fmt.Errorf("expire %s: %s is not over yet", stream, before)
	}
	age = max(age, minAge)
	limited, cancel := context.WithTimeout(ctx, max(within, time.Second))
	defer cancel()
	err := b.setAge(limited, stream, age)
	if err == nil {
		err = b.expired(limited, stream, before.Add(-within))
	}
	// Also when ctx has ended, or the answer was lost.
	back := b.setAge(context.WithoutCancel(ctx), stream, 0)
	switch {
	case err != nil:
		return fmt.Errorf("expire %s: %w", stream, err)
	case back != nil:
		return fmt.Errorf("expire %s: take the bound away: %w", stream, back)
	}
	return nil
}

// setAge bounds the age of what a stream holds; 0 is no bound.
func (b *Bus) setAge(ctx context.Context, stream Stream, age time.Duration) error {
	ctx, cancel := context.WithTimeout(ctx, requestTimeout)
	defer cancel()
	s, err := b.js.Stream(ctx, string(stream))
	if err != nil {
		return err
	}
	config := s.CachedInfo().Config
	if config.MaxAge == age {
		return nil
	}
	config.MaxAge = age
	_, err = b.js.UpdateStream(ctx, config)
	return err
}

// Unbounded takes a bound on the age away that a killed [Bus.Expire] left.
func (b *Bus) Unbounded(ctx context.Context, stream Stream) error {
	if err := b.setAge(ctx, stream, 0); err != nil {
		return fmt.Errorf("take the bound of %s away: %w", stream, err)
	}
	return nil
}

// expired waits until a stream begins at a time or later.
func (b *Bus) expired(ctx context.Context, stream Stream, at time.Time) error {
	for {
		s, err := b.js.Stream(ctx, string(stream))
		if err != nil {
			return err
		}
		if state := s.CachedInfo().State; state.Msgs == 0 || !state.FirstTime.Before(at) {
			return nil
		}
		if err := pause(ctx, 100*time.Millisecond); err != nil {
			return err
		}
	}
}
