package incident

import (
	"cmp"
	"context"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/firebreak-io/firebreak/internal/bus"
	"github.com/firebreak-io/firebreak/internal/event"
)

// Store is the incidents that are not over, and their record in the INCIDENTS
// stream. Changes that come together are written together: in a storm one
// record takes in many findings. It belongs to the active responder alone, which
// may use it concurrently once [Store.Load] has read what is open.
type Store struct {
	bus *bus.Bus

	mu       sync.Mutex
	open     []event.Incident
	sequence map[string]uint64
	// written is when their newest records were stored, index where they stand.
	written map[string]time.Time
	index   index
	waiting []*change
	writing bool

	// runs are the newest states of the runs of open incidents, by incident;
	// dirty are the incidents that do not show them yet.
	runs  map[string]map[string]event.IncidentRun
	dirty map[string]bool
	// recommended are the playbooks that apply, by incident, in their order.
	recommended map[string][]string
}

// NewStore keeps incidents in a bus. It knows none before it has loaded them.
func NewStore(b *bus.Bus) *Store { return &Store{bus: b} }

// Load reads the incidents that are open, and no others.
func (n *Store) Load(ctx context.Context) error {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.index.Open == nil {
		kept, err := keptIndex(ctx, n.bus)
		if err != nil {
			return err
		}
		n.index = kept
	}
	if _, err := n.index.advance(ctx, n.bus); err != nil {
		return err
	}
	all, err := loadAll(ctx, n.bus, slices.Sorted(maps.Keys(n.index.Open)))
	if err != nil {
		return err
	}
	n.open, n.sequence, n.written = nil, map[string]uint64{}, map[string]time.Time{}
	for _, in := range all {
		if !in.State.Over() && in.Unreadable == "" { // nothing can join what nobody knows
			n.sequence[in.ID], n.written[in.ID] = in.sequence, in.at
			n.open = append(n.open, in.Incident)
		}
	}
	slices.SortFunc(n.open, func(a, b event.Incident) int {
		return cmp.Or(a.Created.Compare(b.Created), cmp.Compare(a.ID, b.ID))
	})
	return nil
}

// Open is how many incidents are open.
func (n *Store) Open() int {
	n.mu.Lock()
	defer n.mu.Unlock()
	return len(n.open)
}

// KeepIndex keeps the index near the end of the stream, so that the next start
// need not read all of it.
func (n *Store) KeepIndex(ctx context.Context) error {
	n.mu.Lock()
	defer n.mu.Unlock()
	if _, err := n.index.advance(ctx, n.bus); err != nil {
		return err
	}
	return n.index.keep(ctx, n.bus)
}

// Unreadable gives the records that were met since it was called last and can't be
// read, the first of them. Their incidents take no findings; they are listed, and
// people can close them.
func (n *Store) Unreadable() []Unreadable {
	n.mu.Lock()
	defer n.mu.Unlock()
	list := n.index.unreadable
	n.index.unreadable = nil
	return list
}

// keep remembers an incident as it was stored, unless nothing can join it any
// more.
func (n *Store) keep(in event.Incident, seq uint64) {
	n.mu.Lock()
	defer n.mu.Unlock()
	at := slices.IndexFunc(n.open, func(o event.Incident) bool { return o.ID == in.ID })
	switch {
	case in.State.Over():
		if at >= 0 {
			n.open = slices.Delete(n.open, at, at+1)
		}
		delete(n.sequence, in.ID)
		delete(n.written, in.ID)
		delete(n.runs, in.ID)
		delete(n.recommended, in.ID)
		return
	case at >= 0:
		n.open[at] = in
	default:
		n.open = append(n.open, in)
	}
	n.sequence[in.ID] = seq
	delete(n.written, in.ID) // it is new
}
