package respond

import (
	"context"
	"errors"
	"time"

	"github.com/firebreak-io/firebreak/internal/bus"
)

// tidyEvery is how often places in the budgets are held against the records.
const tidyEvery = 10 * time.Second

// tidy frees places that a crash left taken: a responder may have died between
// its last record and the ledger, or between the ledger and the intent.
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
			continue // the run may be in an archive; nothing says that it is over
		}
		if err != nil {
			return err
		}
		if err := w.executor.Guards.Settle(ctx, rec.Run, w.now()); err != nil {
			return err
		}
	}
	return nil
}
