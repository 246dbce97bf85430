package window

import "github.com/firebreak-io/firebreak/detect/pack"

// MaxSample is how many events of a group are known by where they are: the
// first half of them and the newest.
const MaxSample = 16

// Mark is where an event is in the stream: its frame, and its place in that.
type Mark struct {
	Sequence uint64
	Index    int
}

// A mark is packed into a number: the frame, the place, and the lowest bits of
// the event's pane, which are enough as older ones are forgotten.
const (
	paneBits  = 12
	indexBits = 9
	maxIndex  = 1<<indexBits - 1
	maxFrame  = 1<<(64-paneBits-indexBits) - 1
	paneMask  = 1<<paneBits - 1
)

// mark remembers where an event is. When there are too many, one from the middle
// goes.
func (w *Windows) mark(g *group, pane int64, at Mark) {
	if !w.o.Sample || at.Sequence == 0 || w.keep > paneMask || at.Sequence > maxFrame || at.Index < 0 || at.Index > maxIndex {
		return
	}
	m := at.Sequence<<(paneBits+indexBits) | uint64(at.Index)<<paneBits | uint64(pane)&paneMask // #nosec G115 -- the lowest bits
	n := len(g.marks)
	if n == MaxSample {
		copy(g.marks[MaxSample/2:], g.marks[MaxSample/2+1:])
		g.marks[n-1] = m
		return
	}
	if n == cap(g.marks) {
		grown := make([]uint64, n, max(1, 2*n))
		copy(grown, g.marks)
		g.marks = grown
	}
	g.marks = append(g.marks, m)
}

// age is by how many panes a marked event is older than the group's newest.
func (g *group) age(m uint64) int64 { return int64((uint64(g.newest) - m) & paneMask) } // #nosec G115 -- the lowest bits

// unmark forgets what no window needs any more once the group's newest pane is
// later by so many.
func (w *Windows) unmark(g *group, later int64) {
	n := 0
	for _, m := range g.marks {
		if g.age(m)+min(later, w.keep) < w.keep {
			g.marks[n] = m
			n++
		}
	}
	g.marks = g.marks[:n]
}

// Sample is where events of the group's window that ends with a pane are, at
// most [MaxSample] of them: the first and the newest that came.
func (w *Windows) Sample(key Key, end int64) []Mark {
	g := w.find(key)
	if g == nil {
		return nil
	}
	var all []Mark
	for _, m := range g.marks {
		if pane := g.newest - g.age(m); pane > end-w.span && pane <= end {
			all = append(all, Mark{Sequence: m >> (paneBits + indexBits), Index: int(m >> paneBits & maxIndex)})
		}
	}
	return all
}

func (g *group) saveMarks(out *pack.Writer) {
	out.Len(len(g.marks))
	last := uint64(0)
	for _, m := range g.marks {
		out.Int(int64(m - last)) // #nosec G115 -- what it means is known when it is read
		last = m
	}
}

func (g *group) loadMarks(in *pack.Reader) {
	n := in.Count(MaxSample)
	if n == 0 {
		return
	}
	g.marks = make([]uint64, n)
	last := uint64(0)
	for i := range g.marks {
		last += uint64(in.Int()) // #nosec G115 -- as it was written
		g.marks[i] = last
	}
}
