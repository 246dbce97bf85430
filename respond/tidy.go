package respond

import (
	"context"
	"errors"
	"time"

	"github.com/firebreak-io/firebreak/internal/bus"
)

const (
	// tidyEvery is how often places in the budgets are held against the records.
	tidyEvery = 10 * time.Second
	// abandonAfter is how long a place may be taken for a run that is not on
	// record: several times what storing it may take.
	abandonAfter = time.Minute
)

// tidy frees places that a crash left taken: a responder may have died between
// its last record and the ledger, or between the ledger and the intent, which may
// be the run's first record.
func (w *Worker) tidy(ctx context.Context) error {
	tick := time.NewTicker(tidyEvery)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
		if err := w.free(ctx); err != nil && ctx.Err() == nil {
			w.logger.WarnContext(ctx, "places in the budgets were not held against the records", "error", err)
		}
	}
}

// free holds every place that is taken against the newest record of its run.
func (w *Worker) free(ctx context.Context) error {
	runs, err := w.executor.Guards.Standing(ctx)
	if err != nil {
		return err
	}
	for _, id := range runs {
		rec, err := w.log.Load(ctx, id)
		if errors.Is(err, bus.ErrNotFound) {
			// It may be in an archive, where nothing says that it is over; but its
			// first record may never have been stored, and is not going to be.
			if w.claimed(id) {
				continue
			}
			if err := w.executor.Guards.Abandon(ctx, id, w.now().Add(-abandonAfter), w.now()); err != nil {
				return err
			}
			continue
		}
		if err != nil {
			return err
		}
		if rec.Unreadable != nil && w.now().Sub(rec.Message().Time) < maxHold {
			continue // what it holds may stand so long
		}
		if err := w.executor.Guards.Settle(ctx, rec.Run, w.now()); err != nil {
			return err
		}
	}
	return nil
}
