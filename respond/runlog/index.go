package runlog

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

// Index is which runs are open, by the run log up to a place. It is made of
// the log alone, so that an old one is as good as a new one: what follows is read
// again. By it a start takes as long as there are open runs, however many there
// ever were.
type Index struct {
	// Version is [indexVersion]; one of another is worth nothing.
	Version int `json:"version"`
	// Sequence is the last record that it knows.
	Sequence uint64 `json:"sequence"`
	// Runs are those that are open, or were over only a while ago.
	Runs map[string]runEntry `json:"runs"`
	// Over counts the others by how they ended. Each stands in ENDED.
	Over map[event.RunState]int `json:"over"`

	// unreadable are entries of the log that were met, the first of them.
	unreadable []Record
}

type runEntry struct {
	State   event.RunState `json:"state"`
	Updated time.Time      `json:"updated"`
	// Denies are those whom the run locks out.
	Denies []event.Identity `json:"denies,omitempty"`
}

const (
	indexKey     = "runs"
	indexVersion = 3
	// maxUnreadable bounds the unreadable entries that are remembered.
	maxUnreadable = 10_000
)

// ReadIndex reads what was kept, and goes on from there to the end of the log.
// It says how many records it read.
func ReadIndex(ctx context.Context, b *bus.Bus) (x Index, read int, err error) {
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
	n, err := x.Advance(ctx, b)
	return x, read + n, err
}

func newIndex() Index {
	return Index{Version: indexVersion, Runs: map[string]runEntry{}, Over: map[event.RunState]int{}}
}

// keptIndex is the one that was kept; one without runs and counts is none.
func keptIndex(ctx context.Context, b *bus.Bus) (x Index, err error) {
	ok, err := b.Snapshots().GetJSON(ctx, indexKey, &x)
	switch {
	case err != nil:
		return Index{}, fmt.Errorf("read the index of runs: %w", err)
	case !ok || x.Version != indexVersion:
		return Index{}, nil
	}
	return x, nil
}

// Advance reads the log to its end. It says how many records it read.
func (x *Index) Advance(ctx context.Context, b *bus.Bus) (read int, err error) {
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

func (x *Index) add(m bus.Message) error {
	var run struct {
		ID string `json:"id"`
		runEntry
	}
	if err := json.Unmarshal(m.Data, &run); err == nil && m.Subject == bus.SubjectRun(run.ID) {
		x.Runs[run.ID] = run.runEntry
		return nil
	}
	rec, err := decode(m)
	if err != nil {
		return err
	}
	x.Runs[rec.Run.ID] = runEntry{State: rec.Run.State, Updated: rec.Run.Updated}
	if len(x.unreadable) < maxUnreadable {
		x.unreadable = append(x.unreadable, rec)
	}
	return nil
}

// Unreadable gives the unreadable entries that were met since it was called last,
// the first of them.
func (x *Index) Unreadable() []Record {
	list := x.unreadable
	x.unreadable = nil
	return list
}

// prune forgets the runs that were over before a time, but for their number: no
// record follows them. How each ended stands in ENDED before, in the order in
// which they did.
func (x *Index) prune(ctx context.Context, log *Log, before time.Time) error {
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

// Load reads the newest records of the runs in the index, several at a time.
func (x *Index) Load(ctx context.Context, log *Log) ([]Record, error) {
	return log.loadAll(ctx, slices.Sorted(maps.Keys(x.Runs)))
}

// loadAll reads the newest records of runs, but for those that there are none of.
func (l *Log) loadAll(ctx context.Context, ids []string) ([]Record, error) {
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
func (x *Index) keep(ctx context.Context, b *bus.Bus) error {
	if err := b.Snapshots().PutJSON(ctx, indexKey, x); err != nil {
		return fmt.Errorf("keep the index of runs: %w", err)
	}
	return nil
}

// Keep notes in ENDED how the runs ended that were over before a time, and stores
// the index.
func (x *Index) Keep(ctx context.Context, log *Log, before time.Time) error {
	return errors.Join(x.prune(ctx, log, before), x.keep(ctx, log.bus))
}
