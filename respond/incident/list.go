package incident

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/firebreak-io/firebreak/internal/bus"
	"github.com/firebreak-io/firebreak/internal/event"
)

// List finds incidents for all who read them and do not keep them. It may be used
// concurrently; it remembers the index, so that each call reads only what came
// since the last.
type List struct {
	bus *bus.Bus

	mu    sync.Mutex
	index index
}

// NewList reads the incidents of a bus.
func NewList(b *bus.Bus) *List { return &List{bus: b} }

// open are the ids of the incidents that are not over, in order.
func (l *List) open(ctx context.Context) ([]string, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	kept, err := keptIndex(ctx, l.bus)
	if err != nil {
		return nil, err
	}
	if kept.Open != nil && kept.Sequence > l.index.Sequence {
		l.index = kept
	}
	if _, err := l.index.advance(ctx, l.bus); err != nil {
		return nil, err
	}
	return slices.Sorted(maps.Keys(l.index.Open)), nil
}

// ErrNoPage: that is no place in a list.
var ErrNoPage = errors.New("that is no place in the list of incidents")

// maxLook is how many records are looked at for one page.
const maxLook = 50_000

// Open gives the incidents that are not over, in the order of their
// ids. It reads no others.
func (l *List) Open(ctx context.Context) ([]event.Incident, error) {
	ids, err := l.open(ctx)
	if err != nil {
		return nil, err
	}
	stored, err := loadAll(ctx, l.bus, ids)
	return incidentsOf(stored, func(in event.Incident) bool { return !in.State.Over() }), err
}

func incidentsOf(stored []record, takes func(event.Incident) bool) (list []event.Incident) {
	for _, s := range stored {
		if takes(s.Incident) {
			list = append(list, s.Incident)
		}
	}
	return list
}

// Page gives a page of incidents, at most limit of them, and where the
// next one begins; empty is the end. First come those that are open, by their
// ids; then those that are over, in the order in which that was stored. One that
// ends meanwhile, or of which something is said when it is over, can come twice;
// none is left out that was there from the first page to the last. A page can be
// short, or empty, and not the last. [ErrNoPage] is for a place that is none.
func (l *List) Page(ctx context.Context, q Query, after string, limit int) (list []event.Incident, next string, err error) {
	part, place, _ := strings.Cut(after, ".")
	var from uint64
	switch part {
	case "", "open":
		if q.wants(false) {
			if list, next, err = l.pageOpen(ctx, q, place, limit); err != nil || next != "" {
				return list, next, err
			}
		}
	case "over":
		if from, err = strconv.ParseUint(place, 10, 64); err != nil {
			return nil, "", ErrNoPage
		}
	default:
		return nil, "", ErrNoPage
	}
	if !q.wants(true) {
		return list, "", nil
	}
	over, next, err := l.pageOver(ctx, q, from, limit-len(list))
	return append(list, over...), next, err
}

func (l *List) pageOpen(ctx context.Context, q Query, after string, limit int) (list []event.Incident, next string, err error) {
	ids, err := l.open(ctx)
	if err != nil {
		return nil, "", err
	}
	ids = slices.DeleteFunc(ids, func(id string) bool { return id <= after || !strings.HasPrefix(id, q.Prefix) })
	if len(ids) > limit {
		ids = ids[:limit]
		next = "open." + ids[limit-1]
	}
	stored, err := loadAll(ctx, l.bus, ids)
	return incidentsOf(stored, q.takes), next, err
}

// pageOver goes through the stream: an incident that is over has its
// last records there, in one of which it came to be over.
func (l *List) pageOver(ctx context.Context, q Query, after uint64, limit int) (list []event.Incident, next string, err error) {
	state, err := l.bus.State(ctx, bus.Incidents)
	if err != nil || state.Messages == 0 || after >= state.Last {
		return nil, "", err
	}
	from := bus.From{Sequence: after + 1}
	if after == 0 && !q.Since.IsZero() {
		from = bus.From{Time: q.Since.Add(-time.Hour)} // the clock that closed it may be another one
	}
	at, last, looked := map[string]int{}, after, 0
	for m, err := range l.bus.Range(ctx, bus.Incidents, from) {
		if err != nil {
			return nil, "", fmt.Errorf("read incidents: %w", err)
		}
		if len(list) >= limit || looked >= maxLook {
			return list, "over." + strconv.FormatUint(last, 10), nil
		}
		looked, last = looked+1, m.Sequence
		in := decode(m)
		if !in.State.Over() || !q.takes(in.Incident) {
			continue
		}
		if i, ok := at[in.ID]; ok {
			list[i] = in.Incident
			continue
		}
		at[in.ID] = len(list)
		list = append(list, in.Incident)
	}
	return list, "", nil
}
