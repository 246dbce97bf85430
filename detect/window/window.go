package window

import (
	"errors"
	"fmt"
	"time"
)

// Key names a group: a hash of its values, so that its size does not depend on
// what somebody wrote.
type Key [16]byte

// Options say what is kept.
type Options struct {
	// Over is the length of the window, in event time.
	Over time.Duration
	// Panes is how many parts it has: 1 tumbles, and 0 means 20, which slides.
	Panes int
	// Aggregates are kept for each group.
	Aggregates []Aggregate
	// MaxGroups is how many groups there are at most; 0 means 100,000.
	MaxGroups int
}

// DefaultPanes and DefaultGroups are what Options leave open.
const (
	DefaultPanes  = 20
	DefaultGroups = 100_000
)

// Windows keeps the window of each group. It is not safe for concurrent use.
type Windows struct {
	o      Options
	pane   int64 // length in nanoseconds
	stride int   // numbers of a pane, its own number first
	offset []int // of each aggregate's numbers in a pane

	groups map[Key]*group
	order  order
	stats  Stats
	sum    []float64
}

// Stats count what was left out since the beginning.
type Stats struct {
	// Groups is how many there are now.
	Groups int
	// Evicted are groups that made room for others while they were in use.
	Evicted uint64
	// Late are events older than the window of their group.
	Late uint64
}

// group is one window. Its panes stand in the order of their numbers.
type group struct {
	key    Key
	events uint32
	newest int64
	cells  []float64
	sets   []distincts
	ranks  []quantiles
	link
}

// New makes windows without a group.
func New(o Options) (*Windows, error) {
	if o.Panes == 0 {
		o.Panes = DefaultPanes
	}
	if o.MaxGroups <= 0 {
		o.MaxGroups = DefaultGroups
	}
	if o.Panes < 0 || o.Over < time.Duration(o.Panes) {
		return nil, errors.New("a window has a length and at least one pane")
	}
	w := &Windows{o: o, pane: int64(o.Over) / int64(o.Panes), stride: 1, groups: map[Key]*group{}}
	for _, a := range o.Aggregates {
		if err := a.Check(); err != nil {
			return nil, fmt.Errorf("window: %w", err)
		}
		w.offset = append(w.offset, w.stride)
		w.stride += a.width()
	}
	w.sum = make([]float64, w.stride)
	return w, nil
}

// Stats says how full it is.
func (w *Windows) Stats() Stats {
	s := w.stats
	s.Groups = len(w.groups)
	return s
}

// paneOf is the number of the pane that a time falls into.
func (w *Windows) paneOf(t time.Time) int64 {
	n := t.UnixNano()
	if n < 0 {
		n -= w.pane - 1 // towards the past
	}
	return n / w.pane
}

// Add takes an event into the window of its group; there is one input for each
// aggregate. It is false for an event that is older than the window.
func (w *Windows) Add(key Key, t time.Time, inputs []Input) bool {
	pane := w.paneOf(t)
	g := w.groups[key]
	if g == nil {
		g = w.create(key, pane)
	} else if pane <= g.newest-int64(w.o.Panes) {
		w.stats.Late++
		return false
	}
	g.events++
	w.order.touch(g)
	if pane > g.newest {
		g.newest = pane
		w.trim(g)
	}
	cell, fresh := w.cell(g, pane)
	set, rank := 0, 0
	for i, a := range w.o.Aggregates {
		switch in := inputs[i]; a.Function {
		case Distinct:
			if in.Valid {
				g.sets[set].add(in.Hash, pane, w.oldest(g))
			}
			set++
		case Quantile:
			if in.Valid {
				g.ranks[rank].add(in.Number, pane)
			}
			rank++
		default:
			a.fold(cell[w.offset[i]:w.offset[i]+a.width()], in, fresh)
		}
	}
	return true
}

func (w *Windows) create(key Key, pane int64) *group {
	for len(w.groups) >= w.o.MaxGroups {
		w.stats.Evicted++
		w.remove(w.order.least())
	}
	g := &group{key: key, newest: pane}
	for _, a := range w.o.Aggregates {
		switch a.Function {
		case Distinct:
			g.sets = append(g.sets, distincts{})
		case Quantile:
			g.ranks = append(g.ranks, quantiles{})
		}
	}
	w.groups[key] = g
	w.order.add(g)
	return g
}

func (w *Windows) remove(g *group) {
	w.order.remove(g)
	delete(w.groups, g.key)
}

// oldest is the number of the oldest pane of a group's window.
func (w *Windows) oldest(g *group) int64 { return g.newest - int64(w.o.Panes) + 1 }

// trim forgets the panes that have left the window.
func (w *Windows) trim(g *group) {
	oldest := w.oldest(g)
	n := 0
	for n < len(g.cells) && int64(g.cells[n]) < oldest {
		n += w.stride
	}
	if n > 0 {
		g.cells = append(g.cells[:0], g.cells[n:]...)
	}
	for i := range g.sets {
		g.sets[i].drop(oldest)
	}
	for i := range g.ranks {
		g.ranks[i].drop(oldest)
	}
}

// cell finds the numbers of a pane, or makes room for them in their place.
func (w *Windows) cell(g *group, pane int64) (cell []float64, fresh bool) {
	at := len(g.cells)
	for at > 0 && int64(g.cells[at-w.stride]) >= pane {
		at -= w.stride
	}
	if at < len(g.cells) && int64(g.cells[at]) == pane {
		return g.cells[at : at+w.stride], false
	}
	if len(g.cells)+w.stride > cap(g.cells) {
		grown := make([]float64, len(g.cells), min(2*len(g.cells)+w.stride, (w.o.Panes+1)*w.stride))
		copy(grown, g.cells)
		g.cells = grown
	}
	g.cells = g.cells[:len(g.cells)+w.stride]
	copy(g.cells[at+w.stride:], g.cells[at:])
	cell = g.cells[at : at+w.stride]
	clear(cell)
	cell[0] = float64(pane)
	return cell, true
}

// Value is the i-th aggregate of a group's window; 0 for a group that is not
// there.
func (w *Windows) Value(key Key, i int) float64 {
	g := w.groups[key]
	if g == nil {
		return 0
	}
	a := w.o.Aggregates[i]
	before := 0
	for _, b := range w.o.Aggregates[:i] {
		if b.Function == a.Function {
			before++
		}
	}
	switch a.Function {
	case Distinct:
		return g.sets[before].count(w.oldest(g))
	case Quantile:
		return g.ranks[before].at(a.Q, w.oldest(g))
	}
	sum := w.sum[:a.width()]
	for at := 0; at < len(g.cells); at += w.stride {
		cell := g.cells[at+w.offset[i] : at+w.offset[i]+a.width()]
		if at == 0 {
			copy(sum, cell)
		} else {
			a.merge(sum, cell)
		}
	}
	return a.result(sum, w.o.Over.Seconds())
}

// Reset forgets a group, so that it has to come to its numbers anew.
func (w *Windows) Reset(key Key) {
	if g := w.groups[key]; g != nil {
		w.remove(g)
	}
}

// Expire forgets the groups whose window has ended before a time: their last
// event is older than the window is long. It looks at no more than limit of
// them, the longest unused first.
func (w *Windows) Expire(now time.Time, limit int) {
	oldest := w.paneOf(now) - int64(w.o.Panes)
	for range limit {
		g := w.order.stale(oldest)
		if g == nil {
			return
		}
		w.remove(g)
	}
}
