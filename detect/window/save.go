package window

import (
	"math"

	"github.com/firebreak-io/firebreak/detect/evict"
	"github.com/firebreak-io/firebreak/detect/pack"
	"github.com/firebreak-io/firebreak/internal/sketch"
)

// maxItems bounds what is read of one group.
const maxItems = 1 << 20

// Save writes all groups, in the order in which they would be evicted.
func (w *Windows) Save(out *pack.Writer) {
	out.Uint(w.stats.Evicted)
	out.Uint(w.stats.Late)
	spaces := w.order.Spaces()
	out.Len(len(spaces))
	for _, id := range spaces {
		out.Uint(id)
	}
	out.Len(len(w.groups))
	for g := range w.order.All {
		w.saveGroup(out, g)
	}
}

func (w *Windows) saveGroup(out *pack.Writer, g *group) {
	out.Fixed(g.key[:])
	out.Len(g.Space())
	out.Bool(g.Often())
	out.Uint(uint64(g.events))
	out.Int(g.newest)
	out.Len(len(g.cells) / w.stride)
	for at := 0; at < len(g.cells); at += w.stride {
		out.Int(g.newest - int64(g.cells[at]))
		for _, v := range g.cells[at+1 : at+w.stride] {
			out.Float(v)
		}
	}
	g.saveMarks(out)
	if g.extra == nil {
		return
	}
	for i := range g.extra.sets {
		g.extra.sets[i].save(out, g.newest)
	}
	for i := range g.extra.wide {
		g.extra.wide[i].save(out, g.newest)
	}
	for i := range g.extra.ranks {
		q := &g.extra.ranks[i]
		out.Len(len(q.panes))
		for j := range q.panes {
			out.Int(g.newest - q.panes[j].pane)
			q.panes[j].save(out)
		}
	}
	for _, b := range g.extra.bases {
		out.Int(b.epoch)
		out.Float(b.count)
		out.Float(b.mean)
		out.Len(b.closed)
	}
}

func (d *distincts) save(out *pack.Writer, newest int64) {
	out.Len(len(d.list))
	for _, s := range d.list {
		out.Uint(s.hash)
		out.Int(newest - s.pane)
	}
	out.Len(len(d.wide))
	if d.wide != nil {
		out.Int(d.last.end)
		out.Float(d.last.count)
		out.Len(d.last.adds)
	}
	for _, w := range d.wide {
		out.Int(newest - w.pane)
		b, _ := w.values.AppendBinary(nil)
		out.Bytes(b)
	}
}

// Load reads what Save wrote, into windows that are empty and have the same
// options. After an error they are of no use.
func (w *Windows) Load(in *pack.Reader) error {
	w.stats.Evicted, w.stats.Late = in.Uint(), in.Uint()
	for range in.Count(evict.MaxSpaces) {
		w.order.Index(in.Uint())
	}
	spaces := len(w.order.Spaces())
	for range in.Count(math.MaxInt32) {
		g := w.loadGroup(in, spaces)
		if in.Err() != nil {
			return in.Err()
		}
		w.groups[g.key] = g
		w.order.Add(g)
		w.weigh(g)
	}
	return in.Err()
}

func (w *Windows) loadGroup(in *pack.Reader, spaces int) *group {
	g := &group{}
	copy(g.key[:], in.Fixed(len(g.key)))
	space, often := in.Len(evict.MaxSpaces), in.Bool()
	if space >= spaces || w.groups[g.key] != nil {
		in.Fail()
		return g
	}
	g.In(space, often)
	g.events = uint32(min(in.Uint(), math.MaxUint32)) // #nosec G115 -- bounded
	g.newest = in.Int()
	panes := in.Count(maxItems)
	g.cells = make([]float64, 0, panes*w.stride)
	for range panes {
		g.cells = append(g.cells, float64(g.newest-in.Int()))
		for range w.stride - 1 {
			g.cells = append(g.cells, in.Float())
		}
	}
	g.loadMarks(in)
	if w.apart {
		g.extra = w.newExtra()
		w.loadExtra(in, g)
	}
	return g
}

func (w *Windows) loadExtra(in *pack.Reader, g *group) {
	for i := range g.extra.sets {
		g.extra.sets[i].load(in, g.newest)
	}
	for i := range g.extra.wide {
		g.extra.wide[i].load(in, g.newest)
	}
	for i := range g.extra.ranks {
		q := &g.extra.ranks[i]
		for range in.Count(maxItems) {
			one := ranked{pane: g.newest - in.Int()}
			one.load(in)
			q.panes = append(q.panes, one)
		}
	}
	for i := range g.extra.bases {
		g.extra.bases[i] = baseline{epoch: in.Int(), count: in.Float(), mean: in.Float(), closed: in.Len(minClosed)}
	}
}

func (d *distincts) load(in *pack.Reader, newest int64) {
	for range in.Count(MaxDistinct) {
		hash := in.Uint()
		d.list = append(d.list, seen{hash, newest - in.Int()})
	}
	if len(d.list) > indexFrom {
		d.reindex()
	}
	n := in.Count(maxItems)
	if n > 0 {
		d.last = estimate{in.Int(), in.Float(), in.Len(math.MaxInt32)}
	}
	for range n {
		w := wide{newest - in.Int(), &sketch.Distinct{}}
		if w.values.UnmarshalBinary(in.Bytes()) != nil {
			in.Fail()
			return
		}
		d.wide = append(d.wide, w)
	}
}
