package forest

import "math"

// largest is what infinite values count as. It leaves room for a difference.
const largest = math.MaxFloat64 / 4

// farthest bounds how many spans a value is taken to be outside of the box.
const farthest = 1e9

// constant is the share of equal values from which on a feature hardly varies.
const constant = 0.95

// profile is what is known of each feature beside the trees.
type profile struct {
	// low and high are the box of everything that was learned.
	low, high []float64
	// rate is 1/span: how far beyond the box counts as 1.
	rate []float64
	// fill is the usual value, the median: what a missing one counts as.
	fill []float64
	unit []float64
	// given says which of the units were.
	given []bool
	// known says of which features a value was learned. Of the others no value is
	// beyond anything.
	known []bool
}

func newProfile(dims int, units []float64) profile {
	p := profile{
		low: make([]float64, dims), high: make([]float64, dims), rate: make([]float64, dims),
		fill: make([]float64, dims), unit: make([]float64, dims), known: make([]bool, dims), given: make([]bool, dims),
	}
	for f := range dims {
		p.unit[f] = 1
		if p.given[f] = units != nil && units[f] > 0; p.given[f] {
			p.unit[f] = units[f]
		}
	}
	return p
}

// learn takes the columns of rows: box, span and usual value. The box only
// grows; values has room for one column.
func (p *profile) learn(x []float64, values []float64) {
	dims := len(p.low)
	for f := range dims {
		values = values[:0]
		for at := f; at < len(x); at += dims {
			if v := x[at]; v == v {
				values = append(values, v)
			}
		}
		p.column(f, values)
	}
}

func (p *profile) column(f int, values []float64) {
	if len(values) == 0 {
		return
	}
	low, high, apart := outermost(values, p.given[f])
	p.widen(f, low, high)
	p.fill[f] = clamp(nth(values, (len(values)-1)/2))
	same := 0
	for _, v := range values {
		if clamp(v) == p.fill[f] {
			same++
		}
	}
	p.span(f, float64(same) >= float64(constant*float64(len(values))), apart)
}

func (p *profile) widen(f int, low, high float64) {
	if p.known[f] {
		low, high = min(low, p.low[f]), max(high, p.high[f])
	}
	p.low[f], p.high[f], p.known[f] = low, high, true
}

// span sets how far beyond the box counts as 1: a part of the box more for a
// feature whose outermost values lie far apart. What is finer than the last
// digits of the values is no span.
func (p *profile) span(f int, still bool, apart float64) {
	s := float64((p.high[f] - p.low[f]) * float64(1+farther*apart))
	switch {
	case p.given[f]:
		s = p.unit[f]
	case still:
		s = max(s, p.unit[f])
	}
	p.rate[f] = 1 / max(s, float64(1e-9*max(math.Abs(p.low[f]), math.Abs(p.high[f]))), math.SmallestNonzeroFloat64*1e16)
}

// excess is how far a row lies outside of the box, in spans, over all features
// that do, and whether a value is missing or endless.
func (p *profile) excess(row []float64) (far float64, odd bool) {
	low, high := p.low[:len(row)], p.high[:len(row)]
	var sum float64
	for f, v := range row {
		if v < low[f] || v > high[f] {
			out := p.out(f, v)
			far += float64(out * out)
		}
		sum += v - v
	}
	return math.Sqrt(far), sum != 0
}

// out is how far a value lies outside of the box, in spans.
func (p *profile) out(f int, v float64) float64 {
	if !p.known[f] {
		return 0
	}
	return min(farthest, float64(max(p.low[f]-v, v-p.high[f])*p.rate[f]))
}

// mend puts a row into dst without missing and endless values.
func (p *profile) mend(dst, row []float64) []float64 {
	for f, v := range row {
		if v != v {
			v = p.fill[f]
		}
		dst[f] = clamp(v)
	}
	return dst
}

func clamp(v float64) float64 { return max(-largest, min(largest, v)) }

// nth puts values partly in order and gives the one of rank k.
func nth(values []float64, k int) float64 {
	low, high := 0, len(values)-1
	for low < high {
		pivot := middle(values[low], values[low+(high-low)/2], values[high])
		i, j := low, high
		for i <= j {
			for values[i] < pivot {
				i++
			}
			for values[j] > pivot {
				j--
			}
			if i <= j {
				values[i], values[j] = values[j], values[i]
				i++
				j--
			}
		}
		switch {
		case k <= j:
			high = j
		case k >= i:
			low = i
		default:
			return values[k]
		}
	}
	return values[k]
}

func middle(a, b, c float64) float64 { return max(min(a, b), min(max(a, b), c)) }
