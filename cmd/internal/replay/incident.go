package replay

import (
	"cmp"
	"slices"

	"github.com/firebreak-io/firebreak/internal/event"
	"github.com/firebreak-io/firebreak/respond/incident"
)

// incidents are the open ones, found by what findings share with them, so
// that a finding is not held against all of them.
type incidents struct {
	all  []event.Incident
	keys map[string][]int // key → indices in all, oldest first
}

func newIncidents() *incidents { return &incidents{keys: map[string][]int{}} }

// add puts a finding whose subject is of some importance into its incident, by the
// rules of [incident.Group].
func (n *incidents) add(f event.Finding, importance event.Importance) event.Incident {
	alone, _ := incident.Group(nil, f)
	var near []int
	for _, key := range alone.Keys {
		n.keys[key] = slices.DeleteFunc(n.keys[key], func(i int) bool {
			return f.Received.Sub(n.all[i].Updated) > 2*incident.Window
		})
		near = append(near, n.keys[key]...)
	}
	slices.Sort(near)
	near = slices.Compact(near)
	open := make([]event.Incident, len(near))
	for i, at := range near {
		open[i] = n.all[at]
	}
	// The live responder holds them in the order of their creation.
	slices.SortStableFunc(open, func(a, b event.Incident) int { return a.Created.Compare(b.Created) })
	in, _ := incident.GroupInto(open, f, importance)
	at := slices.IndexFunc(near, func(i int) bool { return n.all[i].ID == in.ID })
	if at >= 0 {
		n.all[near[at]] = in
		n.index(in, near[at])
		return in
	}
	n.all = append(n.all, in)
	n.index(in, len(n.all)-1)
	return in
}

func (n *incidents) index(in event.Incident, at int) {
	for _, key := range in.Keys {
		list := n.keys[key]
		if i, found := slices.BinarySearchFunc(list, at, cmp.Compare[int]); !found {
			n.keys[key] = slices.Insert(list, i, at)
		}
	}
}
