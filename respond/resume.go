package respond

import (
	"context"
	"fmt"
	"maps"
	"time"

	"github.com/firebreak-io/firebreak/internal/event"
	"github.com/firebreak-io/firebreak/respond/runlog"
)

func (w *Worker) resume(ctx context.Context) error {
	if err := w.incidents.Load(ctx); err != nil {
		return err
	}
	open, recs := 0, []runlog.Record{}
	var runs []event.Run
	index, read, err := runlog.ReadIndex(ctx, w.bus)
	if err != nil {
		return fmt.Errorf("resume runs: %w", err)
	}
	w.setAside(ctx, index.Unreadable())
	w.setIncidentsAside(ctx)
	w.mu.Lock()
	for state, n := range index.Over {
		w.states[state] += n
	}
	w.mu.Unlock()
	records, err := index.Load(ctx, w.log)
	if err != nil {
		return fmt.Errorf("resume runs: %w", err)
	}
	for _, rec := range records {
		w.count("", rec.Run.State)
		if rec.Unreadable != nil {
			continue
		}
		w.incidents.Note(rec.Run)
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
	w.logger.Info("resumed", "open_runs", open, "records_read", read+len(index.Runs), "open_incidents", w.incidents.Open(), "epoch", w.log.Epoch())
	return nil
}

// setAside says and counts what of the run log can't be read, and keeps it where
// people look. Nobody goes on with the runs of it; what they hold ends by what
// the objects say, see [reconciler.adopt].
func (w *Worker) setAside(ctx context.Context, list []runlog.Record) {
	for _, rec := range list {
		w.tel.Metrics().RunUnreadable(ctx)
		w.bury(ctx, rec.Message(), fmt.Errorf("run %s is set aside: %w", rec.Run.ID, rec.Unreadable))
	}
}

// setIncidentsAside says what of the incidents can't be read, and keeps it where
// people look.
func (w *Worker) setIncidentsAside(ctx context.Context) {
	for _, u := range w.incidents.Unreadable() {
		w.bury(ctx, u.Message, fmt.Errorf("an incident is set aside: %w", u.Reason))
	}
}

// adopt gives the runner of a run, which may have been begun by another
// responder, or by a write of ours whose answer was lost. It is nil for a run
// that is over; [bus.ErrNotFound] says that there is none, [runlog.ErrStale] that a
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
	if rec.Run.Epoch > w.log.Epoch() {
		return nil, fmt.Errorf("run %s: %w", id, runlog.ErrStale)
	}
	return w.start(ctx, rec), nil
}

// start begins to move a run, unless this process does so already. It gives
// the run's runner, or nil when it is over.
func (w *Worker) start(ctx context.Context, rec runlog.Record) *runner {
	return w.startJudged(ctx, rec, nil)
}

// startJudged is start for a run whose guards were asked just now, by step.
func (w *Worker) startJudged(ctx context.Context, rec runlog.Record, judged map[int]time.Time) *runner {
	w.mu.Lock()
	defer w.mu.Unlock()
	if r := w.runners[rec.Run.ID]; r != nil || rec.Run.State.Terminal() {
		return r
	}
	r := newRunner(w, rec)
	if maps.Copy(r.judged, judged); len(judged) > 0 {
		r.calm = w.rush.begin()
	}
	w.runners[rec.Run.ID] = r
	w.attend(rec.Run)
	ctx = rec.Message().Context(ctx)
	w.group.Go(func() error {
		defer w.forget(r)
		return w.move(ctx, r)
	})
	return r
}
