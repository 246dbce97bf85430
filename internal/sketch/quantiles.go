package sketch

import (
	"encoding/binary"
	"errors"
	"math"
	"slices"

	"github.com/DataDog/sketches-go/ddsketch"
	"github.com/DataDog/sketches-go/ddsketch/mapping"
	"github.com/DataDog/sketches-go/ddsketch/store"
)

// Bounds of the values of [Quantiles], in seconds where they are durations:
// what is smaller counts as zero, what is larger as the largest.
const (
	MinValue = 1e-6
	MaxValue = 86400
)

// QuantileError is the relative error of [Quantiles.At].
const QuantileError = 0.01

// Bounds of what is decoded: the bins of all values between MinValue and
// MaxValue, and counts that float64 holds exactly.
const (
	minIndex = -692
	maxIndex = 570
	maxCount = 1 << 53
)

var errQuantiles = errors.New("malformed quantiles")

// Quantiles tells quantiles of positive values. The zero value is empty. It is
// not safe for concurrent use.
type Quantiles struct {
	s *ddsketch.DDSketch
}

func (q *Quantiles) sketch() *ddsketch.DDSketch {
	if q.s == nil {
		m, err := mapping.NewLogarithmicMapping(QuantileError)
		if err != nil {
			panic(err) // of a constant
		}
		q.s = ddsketch.NewDDSketch(m, store.NewBufferedPaginatedStore(), store.NewBufferedPaginatedStore())
	}
	return q.s
}

// Add adds a value. What is negative or no number is left out.
func (q *Quantiles) Add(v float64) {
	switch {
	case math.IsNaN(v) || v < 0:
		return
	case v < MinValue:
		v = 0
	}
	// The error is for values that can't be indexed, which are cut off here.
	_ = q.sketch().Add(min(v, MaxValue))
}

// Merge adds the values of another one, which does not change.
func (q *Quantiles) Merge(o *Quantiles) {
	if o.Count() == 0 {
		return
	}
	// The error is for another mapping, of which there is none.
	_ = q.sketch().MergeWith(o.s)
}

// Count is how many values were added.
func (q *Quantiles) Count() uint64 {
	if q.s == nil {
		return 0
	}
	return uint64(q.s.GetCount())
}

// At is the value at rank floor(p·(count−1)), counted from 0 in order of size,
// for p from 0 to 1, within [QuantileError]. There is none without values.
func (q *Quantiles) At(p float64) (float64, bool) {
	if q.Count() == 0 || math.IsNaN(p) || p < 0 || p > 1 {
		return 0, false
	}
	v, err := q.s.GetValueAtQuantile(p)
	return v, err == nil
}

// All gives a value within [QuantileError] of so many of those that were added,
// for all of them, from the smallest.
func (q *Quantiles) All(yield func(value float64, count uint64) bool) {
	if q.s == nil {
		return
	}
	if zero := q.s.GetZeroCount(); zero > 0 && !yield(0, uint64(zero)) {
		return
	}
	for _, b := range q.bins() {
		if !yield(q.s.IndexMapping.Value(b.index), b.count) {
			return
		}
	}
}

// bin is one count.
type bin struct {
	index int
	count uint64
}

func (q *Quantiles) bins() []bin {
	var all []bin
	if q.s == nil {
		return nil
	}
	q.s.GetPositiveValueStore().ForEach(func(index int, count float64) bool {
		all = append(all, bin{index, uint64(count)})
		return false
	})
	slices.SortFunc(all, func(a, b bin) int { return a.index - b.index })
	return all
}

// append writes the count of zeros, then of each bin its distance from the one
// before and its count.
func (q *Quantiles) append(b []byte) []byte {
	var zero float64
	if q.s != nil {
		zero = q.s.GetZeroCount()
	}
	b = binary.AppendUvarint(b, uint64(zero))
	last := minIndex - 1
	for _, bin := range q.bins() {
		b = binary.AppendUvarint(b, uint64(bin.index-last)) // #nosec G115 -- sorted, so above zero
		b = binary.AppendUvarint(b, bin.count)
		last = bin.index
	}
	return b
}

// decode reads what append wrote.
func (q *Quantiles) decode(b []byte) error {
	*q = Quantiles{}
	r := reader{b: b}
	zero := r.uvarint()
	total := zero
	if zero > 0 && zero <= maxCount {
		_ = q.sketch().AddWithCount(0, float64(zero))
	}
	for last := uint64(0); r.err == nil && len(r.b) > 0; {
		step, count := r.uvarint(), r.uvarint()
		if step == 0 || count == 0 || step > maxIndex-minIndex+1 || count > maxCount {
			return errQuantiles
		}
		last, total = last+step, total+count
		if last > maxIndex-minIndex+1 || total > maxCount {
			return errQuantiles
		}
		q.sketch().GetPositiveValueStore().AddWithCount(minIndex-1+int(last), float64(count)) // #nosec G115 -- bounded above
	}
	if r.err != nil || total > maxCount {
		return errQuantiles
	}
	return nil
}
