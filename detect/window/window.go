package window

import (
	"errors"
	"fmt"
	"time"

	"github.com/firebreak-io/firebreak/detect/evict"
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
	// Exact is for times that are all at the beginning of a pane: then a window
	// is not a pane longer than it says.
	Exact bool
	// Late is how much older than the newest event of its group an event may be
	// and still be counted in the windows that it belongs to, beside those that
	// are within Over anyway.
	Late time.Duration
	// Aggregates are kept for each group.
	Aggregates []Aggregate
	// Sample remembers where some of the events of each group are; see
	// [Windows.Sample]. There is none where the lateness is more than thousands
	// of panes.
	Sample bool
	// MaxGroups is how many groups there are at most; 0 means 100,000.
	// MaxBytes is how many bytes they take, about; 0 means 64 MiB.
	MaxGroups, MaxBytes int
}

// DefaultPanes, DefaultGroups and DefaultBytes are what Options leave open.
const (
	DefaultPanes  = 20
	DefaultGroups = 100_000
	DefaultBytes  = 64 << 20
)

// Windows keeps the window of each group. It is not safe for concurrent use.
type Windows struct {
	o      Options
	pane   int64 // length in nanoseconds
	span   int64 // how many panes a window has
	keep   int64 // how many panes a group holds
	stride int   // numbers of a pane, its own number first
	offset []int // of each aggregate's numbers in a pane, or its place in extra
	apart  bool  // there is an aggregate that needs extra

	groups map[Key]*group
	order  evict.Order[*group]
	stats  Stats
	sum    []float64
	ranked []*bins
	hit    *group // the one that was asked for last
}

// Stats count what was left out since the beginning.
type Stats struct {
	// Groups is how many there are now, Bytes what they take, about.
	Groups, Bytes int
	// Evicted are groups that made room for others while they were in use.
	Evicted uint64
	// Late are events older than the window of their group.
	Late uint64
}

// group is one window. Its panes stand in the order of their numbers.
type group struct {
	key    Key
	events uint32
	bytes  uint32
	newest int64
	cells  []float64
	marks  []uint64
	extra  *extra
	evict.Link[*group]
}

// extra is what does not fit in cells; most rules have none.
type extra struct {
	sets  []distincts
	wide  []unions
	ranks []quantiles
	bases []baseline
}

// groupBytes is what a group takes without cells and extra, with its entry in
// the map; see BenchmarkAdd.
const groupBytes = 184

// New makes windows without a group.
func New(o Options) (*Windows, error) {
	if o.Panes == 0 {
		o.Panes = DefaultPanes
	}
	if o.MaxGroups <= 0 {
		o.MaxGroups = DefaultGroups
	}
	if o.MaxBytes <= 0 {
		o.MaxBytes = DefaultBytes
	}
	if o.Panes < 0 || o.Over < time.Duration(o.Panes) || o.Late < 0 {
		return nil, errors.New("a window has a length and at least one pane")
	}
	w := &Windows{o: o, pane: int64(o.Over) / int64(o.Panes), stride: 1, groups: map[Key]*group{}}
	if w.span = int64(o.Panes); w.span > 1 && !o.Exact {
		w.span++ // the newest pane is not over yet
	}
	w.keep = w.span + (int64(o.Late)+w.pane-1)/w.pane
	sets, wide, ranks, bases := 0, 0, 0, 0
	for _, a := range o.Aggregates {
		if err := a.Check(); err != nil {
			return nil, fmt.Errorf("window: %w", err)
		}
		switch a.Function {
		case Distinct:
			w.offset, w.apart, sets = append(w.offset, sets), true, sets+1
			continue
		case Union:
			w.offset, w.apart, wide = append(w.offset, wide), true, wide+1
			continue
		case Quantile:
			w.offset, w.apart, ranks = append(w.offset, ranks), true, ranks+1
			continue
		case Baseline:
			w.apart, bases = true, bases+1
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
func (w *Windows) paneOf(t time.Time) int64 { return floor(t.UnixNano(), w.pane) }

func floor(n, length int64) int64 {
	if n < 0 {
		n -= length - 1 // towards the past
	}
	return n / length
}

// Add takes an event into its group; there is one input for each aggregate.
// The windows that hold it and are not over for longer than Late end with the
// panes first to last: those are the ones to ask for with [Windows.Value]. Of a
// group's newest event it is one. It is false for an event that is too late. Groups of one namespace have a share of
// the room together; 0 is no namespace, to which this does not apply. Where the
// event is may be left out.
func (w *Windows) Add(namespace uint64, key Key, t time.Time, inputs []Input, at Mark) (first, last int64, ok bool) {
	pane := w.paneOf(t)
	g := w.find(key)
	if g == nil {
		g = w.create(namespace, key, pane)
	} else if pane <= g.newest-w.keep {
		w.stats.Late++
		return 0, 0, false
	}
	if g.events++; g.events == 0 {
		g.events-- // full
	}
	w.order.Touch(g, g.events > 1)
	if pane > g.newest {
		w.unmark(g, pane-g.newest)
		g.newest = pane
		w.trim(g)
	}
	w.fold(g, pane, t, inputs)
	w.mark(g, pane, at)
	w.weigh(g)
	return max(pane, g.newest-w.keep+w.span), min(g.newest, pane+w.span-1), true
}

func (w *Windows) fold(g *group, pane int64, t time.Time, inputs []Input) {
	cell, fresh := w.cell(g, pane)
	base := 0
	for i, a := range w.o.Aggregates {
		in := inputs[i]
		switch a.Function {
		case Distinct:
			if in.Valid {
				g.extra.sets[w.offset[i]].add(in.Hash, pane, w.oldest(g))
			}
			continue
		case Union:
			if in.Valid {
				g.extra.wide[w.offset[i]].add(in.Set, pane)
			}
			continue
		case Quantile:
			if in.Valid {
				g.extra.ranks[w.offset[i]].of(pane).take(in)
			}
			continue
		case Baseline:
			if in.Valid {
				g.extra.bases[base].add(floor(t.UnixNano(), int64(w.o.Over)), in.Number)
			}
			base++
		}
		a.fold(cell[w.offset[i]:w.offset[i]+a.width()], in, fresh)
	}
}

func (w *Windows) find(key Key) *group {
	if w.hit == nil || w.hit.key != key {
		w.hit = w.groups[key]
	}
	return w.hit
}

func (w *Windows) create(namespace uint64, key Key, pane int64) *group {
	g := &group{key: key, newest: pane}
	g.In(w.order.Index(namespace), false)
	for {
		least, full := w.order.Room(g.Space(), w.o.MaxGroups)
		if !full {
			break
		}
		w.evict(least)
	}
	if w.apart {
		g.extra = w.newExtra()
	}
	w.groups[key] = g
	w.order.Add(g)
	w.hit = g
	return g
}

func (w *Windows) newExtra() *extra {
	x := &extra{}
	for _, a := range w.o.Aggregates {
		switch a.Function {
		case Distinct:
			x.sets = append(x.sets, distincts{})
		case Union:
			x.wide = append(x.wide, unions{})
		case Quantile:
			x.ranks = append(x.ranks, quantiles{})
		case Baseline:
			x.bases = append(x.bases, baseline{})
		}
	}
	return x
}

// weigh counts what a group takes, and makes room when it is too much.
func (w *Windows) weigh(g *group) {
	n := groupBytes + 8*cap(g.cells) + 8*cap(g.marks)
	if g.extra != nil {
		n += 104 + baselineBytes*len(g.extra.bases)
		for i := range g.extra.sets {
			n += 56 + g.extra.sets[i].bytes()
		}
		for i := range g.extra.wide {
			n += 24 + g.extra.wide[i].bytes()
		}
		for i := range g.extra.ranks {
			n += 24 + g.extra.ranks[i].bytes()
		}
	}
	w.stats.Bytes += n - int(g.bytes)
	g.bytes = uint32(n) // #nosec G115 -- panes and sets are bounded
	for w.stats.Bytes > w.o.MaxBytes && len(w.groups) > 1 {
		least := w.order.Least()
		if least == g {
			break // the next one will be another's turn
		}
		w.evict(least)
	}
}

func (w *Windows) evict(g *group) {
	w.stats.Evicted++
	w.remove(g)
}

// Evict makes room: it forgets the group that is missed least.
func (w *Windows) Evict() {
	if len(w.groups) > 0 {
		w.evict(w.order.Least())
	}
}

func (w *Windows) remove(g *group) {
	w.order.Remove(g)
	delete(w.groups, g.key)
	w.stats.Bytes -= int(g.bytes)
	w.hit = nil
}

// oldest is the number of the oldest pane that a group holds.
func (w *Windows) oldest(g *group) int64 { return g.newest - w.keep + 1 }

// trim forgets the panes that no window needs any more.
func (w *Windows) trim(g *group) {
	oldest := w.oldest(g)
	n := 0
	for n < len(g.cells) && int64(g.cells[n]) < oldest {
		n += w.stride
	}
	if n > 0 {
		g.cells = append(g.cells[:0], g.cells[n:]...)
	}
	if g.extra == nil {
		return
	}
	for i := range g.extra.sets {
		g.extra.sets[i].drop(oldest)
	}
	for i := range g.extra.wide {
		g.extra.wide[i].drop(oldest)
	}
	for i := range g.extra.ranks {
		g.extra.ranks[i].drop(oldest)
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
		grown := make([]float64, len(g.cells), 2*len(g.cells)+w.stride)
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
