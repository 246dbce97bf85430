package window

import (
	"errors"
	"fmt"
	"math"

	"github.com/firebreak-io/firebreak/internal/sketch"
)

// Function is what an aggregate makes of the events of a window.
type Function string

// The functions. Events whose input is not valid are left out, but for Ratio.
const (
	// Count is how many events there are, Distinct how many different texts:
	// exact up to [MaxDistinct], and that from there on.
	Count    Function = "count"
	Distinct Function = "distinct"
	Sum      Function = "sum"
	Avg      Function = "avg"
	Min      Function = "min"
	Max      Function = "max"
	// Quantile is the value at rank Q, within 1 % of it (see
	// [sketch.Quantiles]).
	Quantile Function = "quantile"
	// Rate is events a second, over the whole window.
	Rate Function = "rate"
	// Ratio is the share of valid events among all.
	Ratio Function = "ratio"
)

// MaxDistinct is how many different values one group remembers for one
// aggregate.
const MaxDistinct = 4096

// Aggregate is one number that is kept for each group.
type Aggregate struct {
	Function Function
	// Q is the rank of a quantile, 0 to 1.
	Q float64
}

// Input is what one event gives to one aggregate.
type Input struct {
	// Valid says that there is something: a condition that holds, a number, a
	// value.
	Valid bool
	// Number is for Sum, Avg, Min, Max and Quantile, Hash of the value for
	// Distinct.
	Number float64
	Hash   uint64
}

// Check says what of an aggregate is wrong.
func (a Aggregate) Check() error {
	switch a.Function {
	case Count, Distinct, Sum, Avg, Min, Max, Rate, Ratio:
		return nil
	case Quantile:
		if !(a.Q >= 0 && a.Q <= 1) {
			return fmt.Errorf("quantile %v is not 0 to 1", a.Q)
		}
		return nil
	}
	return errors.New("unknown aggregate " + string(a.Function))
}

// width is how many numbers it keeps in each pane.
func (a Aggregate) width() int {
	switch a.Function {
	case Avg, Ratio:
		return 2
	case Distinct, Quantile:
		return 0
	}
	return 1
}

// fold adds an event to the numbers of its pane; fresh says that the pane has
// none yet.
func (a Aggregate) fold(cell []float64, in Input, fresh bool) {
	switch a.Function {
	case Ratio:
		cell[1]++
		if in.Valid {
			cell[0]++
		}
		return
	case Min, Max:
		if fresh {
			cell[0] = math.NaN()
		}
	}
	if !in.Valid || a.Function != Count && a.Function != Rate && math.IsNaN(in.Number) {
		return
	}
	switch a.Function {
	case Count, Rate:
		cell[0]++
	case Sum:
		cell[0] += in.Number
	case Avg:
		cell[0] += in.Number
		cell[1]++
	case Min:
		if !(cell[0] <= in.Number) {
			cell[0] = in.Number
		}
	case Max:
		if !(cell[0] >= in.Number) {
			cell[0] = in.Number
		}
	}
}

// merge adds the numbers of a pane to those of others.
func (a Aggregate) merge(sum, cell []float64) {
	switch a.Function {
	case Min:
		if !(sum[0] <= cell[0] || math.IsNaN(cell[0])) {
			sum[0] = cell[0]
		}
	case Max:
		if !(sum[0] >= cell[0] || math.IsNaN(cell[0])) {
			sum[0] = cell[0]
		}
	default:
		for i := range sum {
			sum[i] += cell[i]
		}
	}
}

// result is the aggregate of merged numbers. Of nothing, an average, a
// smallest and a largest number are NaN, with which no comparison holds.
func (a Aggregate) result(sum []float64, seconds float64) float64 {
	switch a.Function {
	case Avg, Ratio:
		return sum[0] / sum[1]
	case Rate:
		return sum[0] / seconds
	}
	return sum[0]
}

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
}

const indexFrom = 32

func (d *distincts) add(hash uint64, pane, oldest int64) {
	if at, ok := d.find(hash); ok {
		d.list[at].pane = max(d.list[at].pane, pane)
		return
	}
	if len(d.list) >= MaxDistinct {
		if d.drop(oldest); len(d.list) >= MaxDistinct {
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

func (d *distincts) count(oldest int64) float64 {
	n := 0
	for i := range d.list {
		if d.list[i].pane >= oldest {
			n++
		}
	}
	return float64(n)
}

// quantiles are the sketches of one group, one a pane.
type quantiles struct {
	panes    []int64
	sketches []*sketch.Quantiles
}

func (q *quantiles) add(v float64, pane int64) {
	for i, p := range q.panes {
		if p == pane {
			q.sketches[i].Add(v)
			return
		}
	}
	s := &sketch.Quantiles{}
	s.Add(v)
	q.panes, q.sketches = append(q.panes, pane), append(q.sketches, s)
}

func (q *quantiles) drop(oldest int64) {
	n := 0
	for i, p := range q.panes {
		if p >= oldest {
			q.panes[n], q.sketches[n] = p, q.sketches[i]
			n++
		}
	}
	clear(q.sketches[n:])
	q.panes, q.sketches = q.panes[:n], q.sketches[:n]
}

func (q *quantiles) at(rank float64, oldest int64) float64 {
	all := &sketch.Quantiles{}
	for i, p := range q.panes {
		if p >= oldest {
			all.Merge(q.sketches[i])
		}
	}
	if v, ok := all.At(rank); ok {
		return v
	}
	return math.NaN()
}
