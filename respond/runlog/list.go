package runlog

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/firebreak-io/firebreak/internal/bus"
	"github.com/firebreak-io/firebreak/internal/event"
)

// Open gives the newest records of the runs that are not over, in the order of
// their ids, or of those of them that are in some states. It reads no others.
func (l *Log) Open(ctx context.Context, states ...event.RunState) ([]Record, error) {
	all, err := l.view.entries(ctx, l.bus)
	if err != nil {
		return nil, err
	}
	maps.DeleteFunc(all, func(_ string, e runEntry) bool {
		return e.State.Terminal() || len(states) > 0 && !slices.Contains(states, e.State)
	})
	records, err := l.loadAll(ctx, slices.Sorted(maps.Keys(all)))
	return slices.DeleteFunc(records, func(r Record) bool {
		return r.Run.State.Terminal() || len(states) > 0 && !slices.Contains(states, r.Run.State) // it has moved since
	}), err
}

// LockedOut are those whom the runs that are not over lock out, by the id of the
// run: as of the last record that is stored.
func (l *Log) LockedOut(ctx context.Context) (map[string][]event.Identity, error) {
	all, err := l.view.entries(ctx, l.bus)
	if err != nil {
		return nil, err
	}
	out := map[string][]event.Identity{}
	for id, e := range all {
		if len(e.Denies) > 0 && !e.State.Terminal() {
			out[id] = e.Denies
		}
	}
	return out, nil
}

// ErrNoPage: that is no place in a list.
var ErrNoPage = errors.New("that is no place in the list of runs")

// maxLook is how many ends of runs are looked at for one page.
const maxLook = 50_000

// List gives a page of runs, at most limit of them, and where the next one
// begins; empty is the end. First come those that are open or ended lately, by
// their ids, with their newest records; then those that ended before, oldest
// first, [InShort]. A run that ends meanwhile can come twice; none is left out
// that was there from the first page to the last. A page can be short, or empty,
// and not the last.
func (l *Log) List(ctx context.Context, q Query, after string, limit int) (runs []event.Run, next string, err error) {
	part, place, _ := strings.Cut(after, ".")
	switch part {
	case "", "open":
		runs, next, err = l.listOpen(ctx, q, place, limit)
		if err != nil || next != "" {
			return runs, next, err
		}
		more, next, err := l.listEnded(ctx, q, 0, limit-len(runs))
		return append(runs, more...), next, err
	case "ended":
		sequence, err := strconv.ParseUint(place, 10, 64)
		if err != nil {
			return nil, "", ErrNoPage
		}
		return l.listEnded(ctx, q, sequence, limit)
	}
	return nil, "", ErrNoPage
}

func (l *Log) listOpen(ctx context.Context, q Query, after string, limit int) (runs []event.Run, next string, err error) {
	all, err := l.view.entries(ctx, l.bus)
	if err != nil {
		return nil, "", err
	}
	maps.DeleteFunc(all, func(id string, e runEntry) bool {
		return id <= after || !strings.HasPrefix(id, q.Prefix) || !q.state(e.State, e.Updated)
	})
	ids := slices.Sorted(maps.Keys(all))
	if len(ids) > limit {
		ids = ids[:limit]
		next = "open." + ids[limit-1]
	}
	records, err := l.loadAll(ctx, ids)
	for _, rec := range records {
		if q.takes(rec.Run) {
			runs = append(runs, rec.Run)
		}
	}
	return runs, next, err
}

func (l *Log) listEnded(ctx context.Context, q Query, after uint64, limit int) (runs []event.Run, next string, err error) {
	last, looked := after, 0
	for run, err := range l.endings(ctx, after+1, q.Since) {
		if err != nil {
			return nil, "", err
		}
		if len(runs) >= limit || looked >= maxLook {
			return runs, "ended." + strconv.FormatUint(last, 10), nil
		}
		last = run.sequence
		if looked++; q.takes(run.Run) {
			runs = append(runs, run.Run)
		}
	}
	return runs, "", nil
}

// endEntry is an entry of ENDED.
type endEntry struct {
	event.Run
	sequence uint64
}

// endings are the entries of ENDED from a sequence on. None is left out that
// ended at a time or later: an entry is stored after its run has ended.
func (l *Log) endings(ctx context.Context, from uint64, since time.Time) iter.Seq2[endEntry, error] {
	return func(yield func(endEntry, error) bool) {
		at := bus.From{Sequence: from}
		if from <= 1 && !since.IsZero() {
			at = bus.From{Time: since}
		}
		state, err := l.bus.State(ctx, bus.Ended)
		if err != nil {
			yield(endEntry{}, fmt.Errorf("read the ends of runs: %w", err))
			return
		}
		if state.Messages == 0 || from > state.Last {
			return
		}
		for m, err := range l.bus.Range(ctx, bus.Ended, at) {
			if err != nil {
				yield(endEntry{}, fmt.Errorf("read the ends of runs: %w", err))
				return
			}
			if !yield(endEntry{decodeEnding(m), m.Sequence}, nil) {
				return
			}
		}
	}
}
