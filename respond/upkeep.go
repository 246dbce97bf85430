package respond

import (
	"context"
	"errors"
	"time"

	"github.com/firebreak-io/firebreak/respond/runlog"
)

const (
	indexEvery = time.Minute
	// recently is for how long a run that is over stays in the index: its
	// incident may not show yet that it is.
	recently = time.Hour
	// archiveEvery is how often it is looked whether a month is to be archived.
	archiveEvery = time.Hour
)

// index keeps the indexes of runs and of incidents near the ends of their streams.
func (w *Worker) index(ctx context.Context, x runlog.Index) error {
	for {
		_, err := x.Advance(ctx, w.bus)
		w.setAside(ctx, x.Unreadable())
		if err == nil {
			err = errors.Join(x.Keep(ctx, w.log, w.now().Add(-recently)), w.incidents.KeepIndex(ctx))
		}
		w.setIncidentsAside(ctx)
		if err != nil && ctx.Err() == nil {
			w.logger.WarnContext(ctx, "the next start will take longer", "error", err)
		}
		if err := sleep(ctx, indexEvery); err != nil {
			return nil
		}
	}
}

// archive moves runs that are long over to the archive.
func (w *Worker) archive(ctx context.Context) error {
	a := runlog.NewArchiver(w.log, w.archiving, w.now, w.tel, w.logger)
	for {
		// Not at once: a start has better things to do.
		if sleep(ctx, time.Minute) != nil {
			return nil
		}
		if err := a.Pass(ctx); err != nil && ctx.Err() == nil {
			w.logger.WarnContext(ctx, "runs that are over were not archived; they stay in the run log", "error", err)
		}
		if sleep(ctx, archiveEvery-time.Minute) != nil {
			return nil
		}
	}
}
