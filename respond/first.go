package respond

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/firebreak-io/firebreak/internal/bus"
	"github.com/firebreak-io/firebreak/internal/event"
)

// firstFor bounds how long a run is worked on before it is on record: when the
// cluster takes its time, people see that it was begun.
const firstFor = time.Second

// create stores the first record of a run, and begins to move it. One that is to
// act at once is taken as far as its first intent before: that it was begun, its
// plan, and what it is about to do are then one record with one sync.
// [bus.ErrExists] says that the run was begun before. ready waits until it may be
// stored; its error is given back.
func (w *Worker) create(ctx context.Context, run event.Run, ready func() error) error {
	store := func(run event.Run, judged map[int]time.Time) error {
		if err := ready(); err != nil {
			return err
		}
		return w.store(ctx, run, judged)
	}
	book, err := w.booksOf.read(run)
	if err != nil || !urgent(book, run) {
		return store(run, nil)
	}
	// Whoever finds out only when it is stored has taken a place for nothing.
	switch _, err := w.log.Load(ctx, run.ID); {
	case err == nil:
		return fmt.Errorf("begin run %s: %w", run.ID, bus.ErrExists)
	case !errors.Is(err, bus.ErrNotFound):
		return err
	}
	done, err := w.claim(ctx, run)
	switch {
	case errors.Is(err, errClaimed):
		return store(run, nil)
	case err != nil:
		return fmt.Errorf("begin run %s: %w", run.ID, err)
	}
	defer done()
	next, judged := w.first(ctx, book, run)
	err = store(next, judged)
	if judged != nil && errors.Is(err, bus.ErrTooLarge) {
		return store(run, nil) // what is large is the plan
	}
	return err
}

func (w *Worker) store(ctx context.Context, run event.Run, judged map[int]time.Time) error {
	rec, err := w.log.Create(ctx, run)
	if err == nil {
		w.begun(ctx, rec, judged)
	}
	return err
}

// first takes a run that is not stored yet as far as its first intent. Up to there
// it only reads, but for the place in the budgets, which [Worker.free] frees when
// no record comes of it. A run of which anything else is to be said (it fails, or
// waits, or people are asked) is given back as it was: its runner finds that out
// again, as does one for which the cluster took too long. judged is when the
// guards were asked, by step; it is nil when there is no intent.
func (w *Worker) first(ctx context.Context, book *Playbook, run event.Run) (next event.Run, judged map[int]time.Time) {
	ctx, cancel := context.WithTimeout(ctx, w.firstFor)
	defer cancel()
	at, err := take(ctx, w.lanes.acts, rank(run))
	if err != nil {
		return run, nil
	}
	defer at.leave()
	next, judged = run, map[int]time.Time{}
	for !begunNow(next) {
		i, ok := planned(book, next, w.now())
		if !ok {
			return run, nil
		}
		judged[i] = w.now()
		p := w.executor.draft(ctx, book, next, i, judged[i])
		if p.Failure != "" || w.executor.tries(p, book, next) {
			return run, nil
		}
		before := next.Steps[i].State
		if next = Next(book, next, Input{Planned: &p}, judged[i]); next.Steps[i].State == before {
			return run, nil // it waits
		}
	}
	if ctx.Err() != nil {
		return run, nil
	}
	return next, judged
}

// planned gives the step that a run wants to have planned next, if it wants that
// before anything else.
func planned(book *Playbook, run event.Run, now time.Time) (int, bool) {
	e, _ := Due(book, run, now)
	if e == nil || e.Kind != EffectPlan {
		return 0, false
	}
	return e.Step, true
}

// early is a run that works on its target and is not stored yet.
type early struct {
	run  string
	over chan struct{}
}

// errClaimed says that a target is another run's.
var errClaimed = errors.New("another run works on the target")

// claim has others that act on the run's target wait until done is called. It is
// refused with [errClaimed] while another run works on it, as the runner's turn is,
// and with [bus.ErrExists] when the run was begun meanwhile or before.
func (w *Worker) claim(ctx context.Context, run event.Run) (done func(), err error) {
	nothing := func() {}
	if run.Target.UID == "" {
		return nothing, errClaimed // nothing would tell it from others
	}
	w.mu.Lock()
	c := w.claims[run.Target.UID]
	if c != nil && c.run == run.ID {
		w.mu.Unlock()
		select {
		case <-c.over:
			return nothing, bus.ErrExists
		case <-ctx.Done():
			return nothing, ctx.Err()
		}
	}
	defer w.mu.Unlock()
	if c != nil || w.works(run) {
		return nothing, errClaimed
	}
	c = &early{run: run.ID, over: make(chan struct{})}
	w.claims[run.Target.UID] = c
	return func() {
		w.mu.Lock()
		defer w.mu.Unlock()
		delete(w.claims, run.Target.UID)
		close(c.over)
		w.nudge(run)
	}, nil
}

// claimed says whether a run is about to be stored.
func (w *Worker) claimed(id string) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, c := range w.claims {
		if c.run == id {
			return true
		}
	}
	return false
}
