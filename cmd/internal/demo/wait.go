package demo

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// The patience of the demo: how long something may take on a slow machine, and
// how often it is looked at.
const (
	patience = 2 * time.Minute
	glance   = 200 * time.Millisecond
)

// until asks check again and again until it has no objection. After patience
// the error is the last objection; an end of ctx comes before that.
func until(ctx context.Context, what string, check func(context.Context) error) error {
	limit, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	tick := time.NewTicker(glance)
	defer tick.Stop()
	var last error
	for {
		err := check(limit)
		if err == nil {
			return nil
		}
		var never *final
		if errors.As(err, &never) {
			return fmt.Errorf("%s: %w", what, err)
		}
		if limit.Err() == nil || last == nil { // else it is about the end of limit
			last = err
		}
		select {
		case <-limit.Done():
		case <-tick.C:
		}
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		if limit.Err() != nil {
			return fmt.Errorf("%s: not within %s: %w", what, patience, last)
		}
	}
}

// final is an objection that waiting can't help.
type final struct{ error }

// Unwrap gives the objection.
func (f *final) Unwrap() error { return f.error }
