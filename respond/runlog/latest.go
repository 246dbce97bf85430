package runlog

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"math"
	"slices"
	"strconv"
	"strings"

	"github.com/firebreak-io/firebreak/internal/bus"
	"github.com/firebreak-io/firebreak/internal/event"
)

const (
	// loadAtOnce is how many records are read together for [Log.Latest],
	// maxLoaded how many for one page, readBack how many ends of runs at once.
	loadAtOnce = 100
	maxLoaded  = 2_000
	readBack   = 500
)

// Latest is as [Log.List] the other way about, as people look at it: first
// those that are open or ended lately, the newest move first, then those that
// ended before, newest first, [InShort]. A run that moves while somebody turns
// pages can come twice, or have gone to the first page.
func (l *Log) Latest(ctx context.Context, q Query, after string, limit int) (runs []event.Run, next string, err error) {
	part, place, _ := strings.Cut(after, ".")
	number, id, _ := strings.Cut(place, ".")
	at := int64(math.MaxInt64)
	if number != "" {
		if at, err = strconv.ParseInt(number, 10, 64); err != nil {
			return nil, "", ErrNoPage
		}
	}
	switch part {
	case "", "open":
		runs, next, err = l.latestOpen(ctx, q, at, id, limit)
		if err != nil || next != "" {
			return runs, next, err
		}
		more, next, err := l.latestEnded(ctx, q, math.MaxInt64, limit-len(runs))
		return append(runs, more...), next, err
	case "ended":
		return l.latestEnded(ctx, q, at, limit)
	}
	return nil, "", ErrNoPage
}

// latestOpen gives those of the index that moved before a time, in nanoseconds
// since 1970, or at it and come after an id.
func (l *Log) latestOpen(ctx context.Context, q Query, at int64, after string, limit int) (runs []event.Run, next string, err error) {
	all, err := l.view.entries(ctx, l.bus)
	if err != nil {
		return nil, "", err
	}
	maps.DeleteFunc(all, func(id string, e runEntry) bool {
		moved := e.Updated.UnixNano()
		return moved > at || moved == at && id <= after || !strings.HasPrefix(id, q.Prefix) || !q.state(e.State, e.Updated)
	})
	ids := slices.SortedFunc(maps.Keys(all), func(a, b string) int {
		return cmp.Or(all[b].Updated.Compare(all[a].Updated), cmp.Compare(a, b))
	})
	for n := 0; n < len(ids); {
		if len(runs) >= limit || n >= maxLoaded {
			last := ids[n-1]
			return runs, fmt.Sprintf("open.%d.%s", all[last].Updated.UnixNano(), last), nil
		}
		some := ids[n:min(n+min(loadAtOnce, limit-len(runs)), len(ids))]
		records, err := l.loadAll(ctx, some)
		if err != nil {
			return nil, "", err
		}
		for _, rec := range records {
			if q.takes(rec.Run) {
				runs = append(runs, rec.Run)
			}
		}
		n += len(some)
	}
	return runs, "", nil
}

// latestEnded gives the entries of ENDED before a sequence, from the newest on.
func (l *Log) latestEnded(ctx context.Context, q Query, before int64, limit int) (runs []event.Run, next string, err error) {
	state, err := l.bus.State(ctx, bus.Ended)
	if err != nil {
		return nil, "", fmt.Errorf("read the ends of runs: %w", err)
	}
	if before < 1 {
		return nil, "", ErrNoPage
	}
	end := min(uint64(before), state.Last+1)
	if state.Messages == 0 {
		return nil, "", nil
	}
	for looked := 0; end > state.First; {
		begin := max(state.First, end-min(end, readBack))
		some, old, err := l.endsBetween(ctx, q, begin, end)
		if err != nil {
			return nil, "", err
		}
		for _, e := range slices.Backward(some) {
			if len(runs) >= limit || looked >= maxLook {
				return runs, "ended." + strconv.FormatUint(end, 10), nil
			}
			end, looked = e.sequence, looked+1
			if q.takes(e.Run) {
				runs = append(runs, e.Run)
			}
		}
		if end = begin; old {
			break
		}
	}
	return runs, "", nil
}

// endsBetween are the entries of ENDED from a sequence to before another; old
// says that all of them, and so all before, were stored before what is asked for
// ended: an entry is stored after its run has ended.
func (l *Log) endsBetween(ctx context.Context, q Query, begin, end uint64) (some []endEntry, old bool, err error) {
	old = !q.Since.IsZero()
	for m, err := range l.bus.Range(ctx, bus.Ended, bus.From{Sequence: max(begin, 1)}) {
		if err != nil {
			return nil, false, fmt.Errorf("read the ends of runs: %w", err)
		}
		if m.Sequence >= end {
			break
		}
		old = old && m.Time.Before(q.Since)
		some = append(some, endEntry{decodeEnding(m), m.Sequence})
	}
	return some, old && len(some) > 0, nil
}
