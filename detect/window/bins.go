package window

import (
	"math"
	"slices"
	"sort"

	"github.com/firebreak-io/firebreak/detect/pack"
	"github.com/firebreak-io/firebreak/internal/sketch"
)

// MaxBins is how many different bins the numbers of one pane have for one
// aggregate. A bin is as wide as [sketch.QuantileError] says: so many of them
// that lie side by side reach over 17 powers of ten. When numbers need more,
// neighbours become one, and the error doubles.
const MaxBins = 2048

// Bounds of the numbers that quantiles are made of: what is nearer to zero
// counts as zero, what is farther from it as the farthest.
const (
	leastNumber = 0x1p-1022
	mostNumber  = math.MaxFloat64
)

// base is the logarithm of how much wider a bin is than the one before it.
// These are the bins of [sketch.Quantiles], so that its numbers find their own.
var base = math.Log((1 + sketch.QuantileError) / (1 - sketch.QuantileError))

// Indices of the bins at level 0, and the level at which even all of them would
// be few enough. Negative numbers have negative indices, zero has zeroIndex.
const (
	zeroIndex = 0
	halfIndex = 1 << 16 // more than there are on either side of one
	maxLevel  = 8
)

// bin is how many numbers lie between two bounds.
type bin struct {
	index int32
	count uint32
}

// bins are the numbers of one pane, sorted by size. The zero value is empty.
// What they are does not depend on the order in which numbers came.
type bins struct {
	list []bin
	// level is how often neighbours became one.
	level uint8
}

// indexOf is the bin of a number at level 0: of positive ones from 1 on.
func indexOf(v float64) int32 {
	size := math.Abs(v)
	if size < leastNumber {
		return zeroIndex
	}
	i := int32(math.Floor(math.Log(min(size, mostNumber))/base)) + halfIndex
	if v < 0 {
		return -i
	}
	return i
}

// raise is the bin at a higher level that a bin is part of. Those of numbers
// that are not zero stay so: halfIndex is a multiple of all widths.
func raise(index int32, by uint8) int32 {
	if index < 0 {
		return -raise(-index, by)
	}
	if index == zeroIndex {
		return zeroIndex
	}
	return max(1, index>>by)
}

// number is within the error of all numbers of a bin.
func number(index int32, level uint8) float64 {
	if index == zeroIndex {
		return 0
	}
	if index < 0 {
		return -number(-index, level)
	}
	half, width := int32(halfIndex), float64(int32(1)<<level)
	low := float64(index-half>>level) * width * base
	// Of the numbers of a bin from a to b, 2ab/(a+b) is the one whose relative
	// distance from both ends is the same.
	v := math.Exp(low) * 2 / (1 + math.Exp(-width*base))
	return min(v, mostNumber)
}

// errorAt is the relative error of quantiles after so many doublings.
func errorAt(level uint8) float64 { return math.Tanh(float64(int32(1)<<level) * base / 2) }

func (b *bins) add(v float64, count uint64) {
	if math.IsNaN(v) || count == 0 {
		return
	}
	b.put(bin{raise(indexOf(v), b.level), uint32(min(count, math.MaxUint32))}) // #nosec G115 -- bounded
	for len(b.list) > MaxBins {
		b.widen()
	}
}

// take adds what an event says.
func (b *bins) take(in Input) {
	if in.Numbers == nil {
		b.add(in.Number, 1)
		return
	}
	for v, count := range in.Numbers.All {
		b.add(v, count)
	}
}

func (b *bins) put(n bin) {
	at, found := slices.BinarySearchFunc(b.list, n.index, func(o bin, index int32) int { return int(o.index) - int(index) })
	if found {
		b.list[at].count = sum32(b.list[at].count, n.count)
		return
	}
	if len(b.list) == cap(b.list) { // by a half, as most have few
		b.list = slices.Grow(b.list, 1+len(b.list)/2)
	}
	b.list = slices.Insert(b.list, at, n)
}

func sum32(a, b uint32) uint32 { return uint32(min(uint64(a)+uint64(b), math.MaxUint32)) } // #nosec G115 -- bounded

// widen makes neighbours one.
func (b *bins) widen() {
	b.level++
	n := 0
	for i := range b.list {
		index := raise(b.list[i].index, 1)
		if n > 0 && b.list[n-1].index == index {
			b.list[n-1].count = sum32(b.list[n-1].count, b.list[i].count)
			continue
		}
		b.list[n] = bin{index, b.list[i].count}
		n++
	}
	b.list = b.list[:n]
}

// binBytes is what one takes.
const binBytes = 8

// rank is the number at floor(q·(n-1)) of all numbers of some bins, in order of
// size; NaN of none.
func rank(q float64, all []*bins) float64 {
	total, level := uint64(0), uint8(0)
	for _, b := range all {
		level = max(level, b.level)
		for _, n := range b.list {
			total += uint64(n.count)
		}
	}
	if total == 0 {
		return math.NaN()
	}
	least, most := int32(math.MaxInt32), int32(math.MinInt32)
	for _, b := range all {
		if n := len(b.list); n > 0 {
			least, most = min(least, raise(b.list[0].index, level-b.level)), max(most, raise(b.list[n-1].index, level-b.level))
		}
	}
	want := uint64(math.Floor(q * float64(total-1)))
	// How many numbers lie at or below a bin is known without putting the
	// lists together: the bin that is looked for is found by halving.
	at := sort.Search(int(most-least), func(i int) bool { return upTo(all, least+int32(i), level) > want }) // #nosec G115 -- bounded
	return number(least+int32(at), level)                                                                   // #nosec G115 -- bounded
}

// upTo is how many numbers lie in a bin of a level, or below it.
func upTo(all []*bins, index int32, level uint8) uint64 {
	n := uint64(0)
	for _, b := range all {
		for _, one := range b.list {
			if raise(one.index, level-b.level) > index {
				break
			}
			n += uint64(one.count)
		}
	}
	return n
}

func (b *bins) save(out *pack.Writer) {
	out.Len(int(b.level))
	out.Len(len(b.list))
	last := int64(0)
	for _, n := range b.list {
		out.Int(int64(n.index) - last)
		out.Uint(uint64(n.count))
		last = int64(n.index)
	}
}

func (b *bins) load(in *pack.Reader) {
	b.level = uint8(in.Len(maxLevel)) // #nosec G115 -- bounded
	n := in.Count(MaxBins)
	b.list = make([]bin, 0, n)
	last := int64(0)
	for i := range n {
		index, count := last+in.Int(), in.Uint()
		if index < -2*halfIndex || index > 2*halfIndex || i > 0 && index <= last || count == 0 || count > math.MaxUint32 {
			in.Fail()
			return
		}
		b.list = append(b.list, bin{int32(index), uint32(count)}) // #nosec G115 -- bounded
		last = index
	}
}
