package window

import (
	"encoding/binary"

	"github.com/firebreak-io/firebreak/internal/sketch"
)

// MaxDistinct is how many different values one group counts exactly for one
// aggregate. From there on they are counted by a sketch for each pane, with its
// error ([sketch.DistinctError]), until those panes have left the window.
const MaxDistinct = 4096

// seen is one different value with the newest pane that it came in.
type seen struct {
	hash uint64
	pane int64
}

// distincts are the different values of one group.
type distincts struct {
	list []seen
	// index finds a value in a long list.
	index map[uint64]int
	// wide is what takes the list's place when it would be too long.
	wide []wide
	last estimate
}

// estimate is what the sketches together said last: to ask them for each event
// would take a hundred times as long as all else.
type estimate struct {
	end   int64
	count float64
	// adds is how many values came since.
	adds int
}

// wide is the different values of one pane, of which there are many.
type wide struct {
	pane   int64
	values *sketch.Distinct
}

const indexFrom = 32

// What the parts take, about, in bytes.
const (
	seenBytes = 16
	indexed   = 40
	wideBytes = 6 << 10
)

func (d *distincts) bytes() int {
	return cap(d.list)*seenBytes + len(d.index)*indexed + len(d.wide)*wideBytes
}

func (d *distincts) add(hash uint64, pane, oldest int64) {
	if d.wide != nil {
		d.widen(hash, pane)
		return
	}
	if at, ok := d.find(hash); ok {
		d.list[at].pane = max(d.list[at].pane, pane)
		return
	}
	if len(d.list) >= MaxDistinct {
		if d.drop(oldest); len(d.list) >= MaxDistinct {
			for _, s := range d.list {
				d.widen(s.hash, s.pane)
			}
			d.list, d.index = nil, nil
			d.widen(hash, pane)
			return
		}
	}
	d.list = append(d.list, seen{hash, pane})
	if d.index != nil {
		d.index[hash] = len(d.list) - 1
	} else if len(d.list) > indexFrom {
		d.reindex()
	}
}

func (d *distincts) widen(hash uint64, pane int64) {
	d.last.adds++
	text := string(binary.BigEndian.AppendUint64(nil, hash))
	for _, w := range d.wide {
		if w.pane == pane {
			w.values.Add(text)
			return
		}
	}
	w := wide{pane, &sketch.Distinct{}}
	w.values.Add(text)
	d.wide = append(d.wide, w)
}

func (d *distincts) find(hash uint64) (int, bool) {
	if d.index != nil {
		at, ok := d.index[hash]
		return at, ok
	}
	for i := range d.list {
		if d.list[i].hash == hash {
			return i, true
		}
	}
	return 0, false
}

// drop forgets what is older than a pane.
func (d *distincts) drop(oldest int64) {
	if d.wide != nil {
		n := 0
		for _, w := range d.wide {
			if w.pane >= oldest {
				d.wide[n] = w
				n++
			}
		}
		clear(d.wide[n:])
		if d.wide = d.wide[:n]; n == 0 {
			d.wide = nil
		}
		return
	}
	kept := d.list[:0]
	for _, s := range d.list {
		if s.pane >= oldest {
			kept = append(kept, s)
		}
	}
	if len(kept) == len(d.list) {
		return
	}
	d.list = kept
	d.index = nil
	if len(d.list) > indexFrom {
		d.reindex()
	}
}

func (d *distincts) reindex() {
	d.index = make(map[uint64]int, len(d.list))
	for i := range d.list {
		d.index[d.list[i].hash] = i
	}
}

// count is of the panes after one and up to another. Of a window that is not
// the newest it leaves out values that came again later: only their newest pane
// is known.
func (d *distincts) count(after, end int64) float64 {
	if d.wide != nil {
		return d.estimate(after, end)
	}
	n := 0
	for i := range d.list {
		if p := d.list[i].pane; p > after && p <= end {
			n++
		}
	}
	return float64(n)
}

// estimate asks the sketches again when the window is another, or when so many
// values came since that it could matter beside their error.
func (d *distincts) estimate(after, end int64) float64 {
	if d.last.end == end && float64(d.last.adds) < d.last.count/128 {
		return d.last.count
	}
	var all sketch.Distinct
	for _, w := range d.wide {
		if w.pane > after && w.pane <= end {
			all.Merge(w.values)
		}
	}
	d.last = estimate{end: end, count: float64(all.Count())}
	return d.last.count
}
