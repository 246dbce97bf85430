package respond

import (
	"context"
	"errors"
	"fmt"
	"hash/fnv"
	"time"

	"github.com/firebreak-io/firebreak/internal/event"
	"github.com/firebreak-io/firebreak/respond/action"
)

// Watch looks whether all that step i made or changed stands as it is to hold.
// It writes nothing. [action.ErrGone] says that its target is no more.
func (x *Executor) Watch(ctx context.Context, book *Playbook, run event.Run, i int, now time.Time) (action.Drift, error) {
	s := run.Steps[i]
	act, req, _, err := x.prepare(x.Deps, book, run, i, now)
	if err != nil {
		return action.Drift{}, err
	}
	watcher, ok := act.(action.Watcher)
	if !ok || s.Plan == nil {
		return action.Drift{}, nil
	}
	return watcher.Watch(ctx, req, *s.Plan)
}

// watchAll looks at the holds whose turn it is, and tells their runs what is
// gone, which is set again, and what somebody altered, which people are asked
// about, once.
func (r *reconciler) watchAll(ctx context.Context) error {
	var errs []error
	for _, run := range r.w.liveRuns() {
		book, err := r.w.booksOf.read(run)
		if err != nil {
			continue // which its runner says
		}
		for i, s := range run.Steps {
			key := run.ID + "/" + s.Name
			if !Held(s) || s.Lost || s.Differs != "" || r.gone[key] || r.turn(key) != 0 {
				continue
			}
			drift, err := r.w.executor.Watch(ctx, book, run, i, r.w.now())
			switch {
			case errors.Is(err, action.ErrGone):
				r.gone[key] = true
			case err != nil:
				errs = append(errs, fmt.Errorf("look at the hold of %s: %w", key, err))
			case drift.Altered != "" && !r.told[key+" "+drift.Altered]:
				// What people let stand then is not asked about again.
				if r.w.tellLost(run.ID, Lost{Step: i, Reason: drift.Altered, Altered: true}) {
					r.remember(key + " " + drift.Altered)
				}
			case drift.Gone != "":
				r.w.tellLost(run.ID, Lost{Step: i, Reason: drift.Gone, Again: s.Again})
			}
		}
	}
	return errors.Join(errs...)
}

// turn is how many rounds it is until a hold is looked at.
func (r *reconciler) turn(key string) int {
	h := fnv.New32a()
	_, _ = h.Write([]byte(key)) // never fails
	return (int(h.Sum32()%uint32(r.watch)) + r.watch - r.rounds%r.watch) % r.watch
}

// remember notes what a run was told.
func (r *reconciler) remember(what string) {
	if len(r.told) < maxTold {
		r.told[what] = true
	}
}

// maxTold bounds what is remembered.
const maxTold = 10_000
