package respond

import (
	"context"
	"errors"
	"time"

	"github.com/firebreak-io/firebreak/respond/runlog"
)

// tellLost tells a run of a hold that was taken off, and says whether it could:
// one that is busy is told in the next round.
func (w *Worker) tellLost(id string, l Lost) bool {
	w.mu.Lock()
	r := w.runners[id]
	w.mu.Unlock()
	if r == nil {
		return false
	}
	select {
	case r.lost <- l:
		return true
	default:
		return false
	}
}

// forget ends a runner. What was said to a run that is over needs no answer;
// what was said to one that somebody else moves stays unread for the next start.
func (w *Worker) forget(r *runner) {
	r.calm()
	w.mu.Lock()
	delete(w.runners, r.rec.Run.ID)
	w.unattend(r.rec.Run)
	w.mu.Unlock()
	close(r.over)
	for {
		select {
		case d := <-r.inputs:
			r.late(d)
		default:
			return
		}
	}
}

// late is for an input that came when its runner had ended.
func (r *runner) late(d delivery) {
	if r.rec.Run.State.Terminal() {
		d.taken()
	}
}

// move moves one run to its end. A run that can't be moved now (the store is
// away) is tried again; one that another responder owns is left alone.
func (w *Worker) move(ctx context.Context, r *runner) error {
	book, err := w.booksOf.read(r.rec.Run)
	if err != nil {
		w.logger.Error("a run's own playbook can't be read; it stays where it is", "run", r.rec.Run.ID, "error", err)
		return nil
	}
	r.book = book
	ctx, cancel := context.WithCancel(ctx)
	defer r.join()
	defer cancel()
	for wait := 100 * time.Millisecond; ; wait = min(2*wait, 10*time.Second) {
		err := r.run(ctx)
		switch {
		case err == nil:
			return nil
		case ctx.Err() != nil:
			return ctx.Err()
		case errors.Is(err, runlog.ErrStale):
			w.logger.Warn("left to another responder", "run", r.rec.Run.ID)
			return nil
		}
		w.logger.Error("move run", "run", r.rec.Run.ID, "error", err)
		if err := sleep(ctx, wait); err != nil {
			return err
		}
	}
}

func sleep(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-t.C:
		return nil
	}
}
