package respond

import (
	"context"
	"fmt"

	"github.com/firebreak-io/firebreak/internal/event"
)

func (w *Worker) resume(ctx context.Context) error {
	if err := w.incidents.load(ctx); err != nil {
		return err
	}
	open, recs := 0, []Record{}
	var runs []event.Run
	index, read, err := readIndex(ctx, w.bus)
	if err != nil {
		return fmt.Errorf("resume runs: %w", err)
	}
	w.mu.Lock()
	for state, n := range index.Over {
		w.states[state] += n
	}
	w.mu.Unlock()
	records, err := index.load(ctx, w.log)
	if err != nil {
		return fmt.Errorf("resume runs: %w", err)
	}
	for _, rec := range records {
		w.count("", rec.Run.State)
		w.incidents.note(rec.Run)
		if rec.Run.State.Terminal() {
			continue
		}
		open++
		recs, runs = append(recs, rec), append(runs, rec.Run)
	}
	// The places of what stands come first: nothing may begin in them.
	if err := w.executor.Guards.Restore(ctx, runs, w.now()); err != nil {
		return fmt.Errorf("resume runs: %w", err)
	}
	for _, rec := range recs {
		w.start(ctx, rec)
	}
	w.group.Go(func() error { return w.index(ctx, index) })
	w.logger.Info("resumed", "open_runs", open, "records_read", read+len(index.Runs), "open_incidents", len(w.incidents.open), "epoch", w.log.epoch)
	return nil
}

// adopt gives the runner of a run, which may have been begun by another
// responder, or by a write of ours whose answer was lost. It is nil for a run
// that is over; [bus.ErrNotFound] says that there is none, [ErrStale] that a
// newer responder has it.
func (w *Worker) adopt(ctx context.Context, id string) (*runner, error) {
	w.mu.Lock()
	r := w.runners[id]
	w.mu.Unlock()
	if r != nil {
		return r, nil
	}
	rec, err := w.log.Load(ctx, id)
	if err != nil {
		return nil, err
	}
	if rec.Run.Epoch > w.log.epoch {
		return nil, fmt.Errorf("run %s: %w", id, ErrStale)
	}
	return w.start(ctx, rec), nil
}

// start begins to move a run, unless this process does so already. It gives
// the run's runner, or nil when it is over.
func (w *Worker) start(ctx context.Context, rec Record) *runner {
	w.mu.Lock()
	defer w.mu.Unlock()
	if r := w.runners[rec.Run.ID]; r != nil || rec.Run.State.Terminal() {
		return r
	}
	r := newRunner(w, rec)
	w.runners[rec.Run.ID] = r
	w.attend(rec.Run)
	ctx = rec.message.Context(ctx)
	w.group.Go(func() error {
		defer w.forget(r)
		return w.move(ctx, r)
	})
	return r
}
