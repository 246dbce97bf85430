package respond

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/firebreak-io/firebreak/internal/bus"
	"github.com/firebreak-io/firebreak/internal/event"
)

// runIndex is which runs are open, by the run log up to a place. It is made of
// the log alone, so that an old one is as good as a new one: what follows is read
// again. By it a start takes as long as there are open runs, however many there
// ever were.
type runIndex struct {
	// Version is [indexVersion]; one of another is worth nothing.
	Version int `json:"version"`
	// Sequence is the last record that it knows.
	Sequence uint64 `json:"sequence"`
	// Runs are those that are open, or were over only a while ago.
	Runs map[string]runEntry `json:"runs"`
	// Over counts the others by how they ended. Each stands in ENDED.
	Over map[event.RunState]int `json:"over"`
}

type runEntry struct {
	State   event.RunState `json:"state"`
	Updated time.Time      `json:"updated"`
}

const (
	indexKey     = "runs"
	indexVersion = 2
	indexEvery   = time.Minute
	// recently is for how long a run that is over stays in the index: its
	// incident may not show yet that it is.
	recently = time.Hour
)

// readIndex reads what was kept, and goes on from there to the end of the log.
// It says how many records it read.
func readIndex(ctx context.Context, b *bus.Bus) (x runIndex, read int, err error) {
	x, err = keptIndex(ctx, b)
	if err != nil {
		return x, 0, err
	}
	state, err := b.State(ctx, bus.Runs)
	if err != nil {
		return x, 0, fmt.Errorf("read the index of runs: %w", err)
	}
	if x.Runs == nil || x.Over == nil || x.Sequence > state.Last {
		// There is none, or it is of a log that was lost.
		x = newIndex()
		for m, err := range b.LastPerSubject(ctx, bus.SubjectRun("*")) {
			if err != nil {
				return x, read, fmt.Errorf("read the index of runs: %w", err)
			}
			read++
			if err := x.add(m); err != nil {
				return x, read, err
			}
		}
		x.Sequence = state.Last
	}
	n, err := x.advance(ctx, b)
	return x, read + n, err
}

func newIndex() runIndex {
	return runIndex{Version: indexVersion, Runs: map[string]runEntry{}, Over: map[event.RunState]int{}}
}

// keptIndex is the one that was kept; one without runs and counts is none.
func keptIndex(ctx context.Context, b *bus.Bus) (x runIndex, err error) {
	if ok, err := readKept(ctx, b, indexKey, &x); err != nil || !ok || x.Version != indexVersion {
		return runIndex{}, err
	}
	return x, nil
}

// readKept reads an index that was kept. It says whether there is one that can be
// read.
func readKept(ctx context.Context, b *bus.Bus, key string, into any) (bool, error) {
	data, err := b.Snapshots().Get(ctx, key)
	switch {
	case errors.Is(err, bus.ErrNotFound), errors.Is(err, bus.ErrDamaged):
		return false, nil
	case err != nil:
		return false, fmt.Errorf("read the index of %s: %w", key, err)
	}
	return json.Unmarshal(data, into) == nil, nil
}

// advance reads the log to its end. It says how many records it read.
func (x *runIndex) advance(ctx context.Context, b *bus.Bus) (read int, err error) {
	for m, err := range b.Range(ctx, bus.Runs, bus.From{Sequence: x.Sequence + 1}) {
		if err != nil {
			return read, fmt.Errorf("read the index of runs: %w", err)
		}
		read++
		if err := x.add(m); err != nil {
			return read, err
		}
		x.Sequence = m.Sequence
	}
	return read, nil
}

func (x *runIndex) add(m bus.Message) error {
	var run struct {
		ID      string         `json:"id"`
		State   event.RunState `json:"state"`
		Updated time.Time      `json:"updated"`
	}
	if err := json.Unmarshal(m.Data, &run); err != nil {
		return fmt.Errorf("decode run record %d: %w", m.Sequence, err)
	}
	x.Runs[run.ID] = runEntry{run.State, run.Updated}
	return nil
}

// prune forgets the runs that were over before a time, but for their number: no
// record follows them. How each ended stands in ENDED before, in the order in
// which they did.
func (x *runIndex) prune(ctx context.Context, log *RunLog, before time.Time) error {
	var over []string
	for id, e := range x.Runs {
		if e.State.Terminal() && e.Updated.Before(before) {
			over = append(over, id)
		}
	}
	slices.SortFunc(over, func(a, b string) int {
		return cmp.Or(x.Runs[a].Updated.Compare(x.Runs[b].Updated), cmp.Compare(a, b))
	})
	for _, id := range over {
		if err := log.end(ctx, id); err != nil {
			return err
		}
		x.Over[x.Runs[id].State]++
		delete(x.Runs, id)
	}
	return nil
}

// maxLoads is how many runs are read at a time.
const maxLoads = 16

// load reads the newest records of the runs in the index, several at a time.
func (x *runIndex) load(ctx context.Context, log *RunLog) ([]Record, error) {
	return log.loadAll(ctx, slices.Sorted(maps.Keys(x.Runs)))
}

// loadAll reads the newest records of runs, but for those that there are none of.
func (l *RunLog) loadAll(ctx context.Context, ids []string) ([]Record, error) {
	records := make([]Record, len(ids))
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(maxLoads)
	for i, id := range ids {
		group.Go(func() (err error) {
			if records[i], err = l.Load(ctx, id); errors.Is(err, bus.ErrNotFound) {
				return nil // it went with a log that was lost
			}
			return err
		})
	}
	err := group.Wait()
	return slices.DeleteFunc(records, func(r Record) bool { return r.Run.ID == "" }), err
}

// keep stores the index.
func (x *runIndex) keep(ctx context.Context, b *bus.Bus) error {
	data, err := json.Marshal(x)
	if err != nil {
		return fmt.Errorf("keep the index of runs: %w", err)
	}
	if err := b.Snapshots().Put(ctx, indexKey, data); err != nil {
		return fmt.Errorf("keep the index of runs: %w", err)
	}
	return nil
}

// index keeps the index near the end of the log.
func (w *Worker) index(ctx context.Context, x runIndex) error {
	for {
		_, err := x.advance(ctx, w.bus)
		if err == nil {
			err = x.prune(ctx, w.log, w.now().Add(-recently))
			err = errors.Join(err, x.keep(ctx, w.bus), w.incidents.keepIndex(ctx))
		}
		if err != nil && ctx.Err() == nil {
			w.logger.WarnContext(ctx, "the next start will take longer", "error", err)
		}
		if err := sleep(ctx, indexEvery); err != nil {
			return nil
		}
	}
}
