package runlog

import (
	"context"
	"fmt"
	"maps"
	"sync"

	"github.com/firebreak-io/firebreak/internal/bus"
)

// indexView is the index of runs as those read it who do not keep it: the one
// that was kept last, and what came since.
type indexView struct {
	mu   sync.Mutex
	base Index
	at   uint64
	tail map[string]tailEntry
}

type tailEntry struct {
	runEntry
	sequence uint64
}

// entries are the runs that are open, or over only for a while, or at least not
// in ENDED yet. It reads what came since the last call.
func (v *indexView) entries(ctx context.Context, b *bus.Bus) (map[string]runEntry, error) {
	v.mu.Lock()
	defer v.mu.Unlock()
	base, err := keptIndex(ctx, b)
	if err != nil {
		return nil, err
	}
	state, err := b.State(ctx, bus.Runs)
	if err != nil {
		return nil, fmt.Errorf("read the index of runs: %w", err)
	}
	if base.Sequence > state.Last || v.at > state.Last {
		base, v.base, v.at, v.tail = Index{}, Index{}, 0, nil // of a log that was lost
	}
	if base.Sequence < v.base.Sequence {
		v.at, v.tail = 0, nil // a responder that was late kept an older one
	}
	v.base, v.at = base, max(v.at, base.Sequence)
	maps.DeleteFunc(v.tail, func(_ string, e tailEntry) bool { return e.sequence <= base.Sequence })
	if v.tail == nil {
		v.tail = map[string]tailEntry{}
	}
	since := newIndex()
	if v.at < state.Last {
		for m, err := range b.Range(ctx, bus.Runs, bus.From{Sequence: v.at + 1}) {
			if err != nil {
				return nil, fmt.Errorf("read the index of runs: %w", err)
			}
			clear(since.Runs)
			if err := since.add(m); err != nil {
				return nil, err
			}
			for id, e := range since.Runs {
				v.tail[id] = tailEntry{e, m.Sequence}
			}
			v.at = m.Sequence
		}
	}
	all := maps.Clone(base.Runs)
	if all == nil {
		all = map[string]runEntry{}
	}
	for id, e := range v.tail {
		all[id] = e.runEntry
	}
	return all, nil
}
