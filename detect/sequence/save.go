package sequence

import (
	"bytes"
	"container/heap"
	"math"

	"github.com/firebreak-io/firebreak/detect/evict"
	"github.com/firebreak-io/firebreak/detect/pack"
)

// Save writes all keys, in the order in which they would be evicted.
func (m *Machine) Save(out *pack.Writer) {
	out.Uint(m.stats.Evicted)
	out.Uint(m.stats.Dropped)
	spaces := m.order.Spaces()
	out.Len(len(spaces))
	for _, id := range spaces {
		out.Uint(id)
	}
	out.Len(len(m.keys))
	for g := range m.order.All {
		saveGroup(out, g)
	}
}

func saveGroup(out *pack.Writer, g *group) {
	out.Fixed(g.key[:])
	out.Len(g.Space())
	out.Bool(g.Often())
	out.Len(g.events)
	out.Int(g.newest)
	for _, all := range g.steps {
		out.Len(len(all))
		for _, e := range all {
			saveEntry(out, e)
		}
	}
	out.Len(len(g.held))
	for _, h := range g.held {
		saveEntry(out, h.End)
		out.Int(h.Until)
		out.Bytes(h.Note)
	}
}

func saveEntry(out *pack.Writer, e Entry) {
	out.Int(e.Time)
	out.Uint(e.Order)
	out.Bytes(e.Data)
}

// Load reads what Save wrote, into a machine without events that has the same
// options. After an error it is of no use.
func (m *Machine) Load(in *pack.Reader) error {
	m.stats.Evicted, m.stats.Dropped = in.Uint(), in.Uint()
	for range in.Count(evict.MaxSpaces) {
		m.order.Index(in.Uint())
	}
	spaces := len(m.order.Spaces())
	for range in.Count(math.MaxInt32) {
		g := &group{steps: make([][]Entry, m.o.Steps)}
		copy(g.key[:], in.Fixed(len(g.key)))
		space, often := in.Len(evict.MaxSpaces), in.Bool()
		if g.events, g.newest = in.Len(2), in.Int(); space >= spaces {
			in.Fail()
			return in.Err()
		}
		g.In(space, often)
		for i := range g.steps {
			for range in.Count(maxEvents) {
				g.steps[i] = append(g.steps[i], loadEntry(in))
			}
		}
		for range in.Count(maxHeld) {
			h := Held{End: loadEntry(in), Until: in.Int(), Note: bytes.Clone(in.Bytes())}
			g.held = append(g.held, h)
			heap.Push(&m.due, timer{h.Until, h.End.Order, g.key})
		}
		if in.Err() != nil {
			return in.Err()
		}
		if m.keys[g.key] != nil {
			in.Fail()
			return in.Err()
		}
		m.keys[g.key] = g
		m.order.Add(g)
	}
	return in.Err()
}

func loadEntry(in *pack.Reader) Entry {
	return Entry{Time: in.Int(), Order: in.Uint(), Data: bytes.Clone(in.Bytes())}
}
