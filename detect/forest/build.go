package forest

import (
	"cmp"
	"math"
	"math/bits"
	"math/rand/v2"
	"slices"
)

// builder makes trees; it keeps its room from tree to tree.
type builder struct {
	dims, depth int
	c           []float64
	rng         rand.PCG
	// columns of the sample, one feature after the other, in canonical order;
	// place[i] is the feature of column i.
	columns []float64
	place   []uint32
	keys    []uint64
	rows    []uint32
	live    []uint32
	size    int
	tree    tree
}

func newBuilder(dims, sample, depth int) *builder {
	return &builder{
		dims: dims, depth: depth, c: paths(sample), columns: make([]float64, dims*sample),
		place: make([]uint32, dims), keys: make([]uint64, dims), rows: make([]uint32, sample), live: make([]uint32, dims),
	}
}

// build makes a tree of the rows whose numbers are in picked, and draws from
// the seeds. Missing values are those of p.
func (b *builder) build(x []float64, picked []int, p *profile, seed, stream uint64, into tree) {
	b.rng.Seed(seed, stream)
	b.size = len(picked)
	for f := range b.dims {
		b.place[f] = uint32(f)
		b.keys[f] = b.key(x, picked, f, p.fill[f])
	}
	slices.SortFunc(b.place, func(i, j uint32) int {
		if c := cmp.Compare(b.keys[i], b.keys[j]); c != 0 {
			return c
		}
		if b.keys[i] != level {
			if c := cmp.Compare(digits(x, picked, b.dims, int(i)), digits(x, picked, b.dims, int(j))); c != 0 {
				return c
			}
		}
		return cmp.Compare(i, j)
	})
	for i, f := range b.place {
		b.live[i] = uint32(i)
		column := b.columns[i*b.size : (i+1)*b.size]
		for j, row := range picked {
			column[j] = value(x[row*b.dims+int(f)], p.fill[f])
		}
	}
	for i := range b.size {
		b.rows[i] = uint32(i)
	}
	b.tree = into
	into.clear()
	b.split(b.rows[:b.size], 1, 0, b.dims)
}

func value(v, fill float64) float64 {
	if v != v {
		return fill
	}
	return clamp(v)
}

// level is the key of features that don't vary; their order is of no meaning.
const level = 0

// key tells features apart by the rows in which they rise and fall: by nothing
// that their place or a positive factor could change.
func (b *builder) key(x []float64, picked []int, f int, fill float64) uint64 {
	var h, word, any uint64
	last := value(x[picked[0]*b.dims+f], fill)
	for i, row := range picked[1:] {
		v := value(x[row*b.dims+f], fill)
		word <<= 2
		if v > last {
			word |= 1
		}
		if v < last {
			word |= 2
		}
		if i&31 == 31 {
			h, any, word = mix(h^word), any|word, 0
		}
		last = v
	}
	if any|word == 0 {
		return level
	}
	return mix(h^word) | 1
}

// digits tells features apart that rise and fall in the same rows: by the digits
// of their values, which a factor that is a power of two doesn't change.
func digits(x []float64, picked []int, dims, f int) uint64 {
	var h uint64
	first := math.MinInt
	for _, row := range picked {
		digits, power := math.Frexp(x[row*dims+f])
		switch {
		case digits == 0 || power == 0 && digits-digits != 0:
			power = first
		case first == math.MinInt:
			first = power
		}
		h = mix(h ^ math.Float64bits(digits) ^ uint64(power-first))
	}
	return h
}

// mix is the finaliser of SplitMix64.
func mix(v uint64) uint64 {
	v += 0x9e3779b97f4a7c15
	v = (v ^ v>>30) * 0xbf58476d1ce4e5b9
	v = (v ^ v>>27) * 0x94d049bb133111eb
	return v ^ v>>31
}

// draw is a number below n.
func draw(rng *rand.PCG, n int) int {
	high, _ := bits.Mul64(rng.Uint64(), uint64(n))
	return int(high)
}

// unit is a number from 0 to below 1.
func unit(v uint64) float64 { return float64(v>>11) * (1.0 / (1 << 53)) }

// split cuts rows at node i, which is depth cuts deep; of the features in live
// the first n may still vary.
func (b *builder) split(rows []uint32, i, depth, n int) {
	if depth == b.depth || len(rows) == 1 {
		b.tree.end(i, depth, len(rows), b.c)
		return
	}
	feature, low, high, n := b.choose(rows, n)
	if n == 0 {
		b.tree.end(i, depth, len(rows), b.c)
		return
	}
	cut := low + float64(unit(b.rng.Uint64())*(high-low))
	if !(cut < high) {
		cut = low
	}
	b.tree.cut(i, int(b.place[feature]), cut)
	m := partition(rows, b.columns[feature*b.size:], cut)
	b.split(rows[:m], 2*i, depth+1, n)
	b.split(rows[m:], 2*i+1, depth+1, n)
}

// choose draws a feature that varies among rows, with its lowest and highest
// value. Those that don't are moved behind the n that may.
func (b *builder) choose(rows []uint32, n int) (feature int, low, high float64, left int) {
	for n > 0 {
		j := draw(&b.rng, n)
		feature := b.live[j]
		column := b.columns[int(feature)*b.size:][:b.size]
		low, high := column[rows[0]], column[rows[0]]
		for _, r := range rows[1:] {
			v := column[r]
			if v < low {
				low = v
			}
			if v > high {
				high = v
			}
		}
		if low < high {
			return int(feature), low, high, n
		}
		n--
		b.live[j], b.live[n] = b.live[n], feature
	}
	return 0, 0, 0, 0
}

// partition puts the rows that go left first and says how many they are.
func partition(rows []uint32, column []float64, cut float64) int {
	m := 0
	for i, r := range rows {
		if column[r] <= cut {
			rows[i], rows[m] = rows[m], r
			m++
		}
	}
	return m
}
