package forest

// edge is how many of the outermost values, on either side, say how loosely
// those lie; farther is as how many times their distance the next one may lie
// beyond them by chance.
const (
	edge    = 4
	farther = 4
)

// outermost are the lowest and the highest value, or, when trimmed, the last of
// the outermost on either side where there are enough values. And it says how far
// apart those lie on the looser side, in spans of all but them: where values have
// long tails the next one often goes beyond all before by far, and that is no
// novelty; where the outermost lie close together it is one.
func outermost(values []float64, trimmed bool) (least, most, apart float64) {
	var low, high [edge]float64 // the outermost first
	for i, v := range values {
		n := min(i, edge)
		if n < edge || v < low[edge-1] {
			insert(&low, n, clamp(v), 1)
		}
		if n < edge || v > high[edge-1] {
			insert(&high, n, clamp(v), -1)
		}
	}
	if len(values) < 4*edge {
		return low[0], high[0], 0
	}
	inner := high[edge-1] - low[edge-1]
	outer := max(high[0]-high[edge-1], low[edge-1]-low[0])
	switch {
	case outer == 0:
	case inner <= 0:
		apart = 1
	default:
		apart = min(outer/inner, 1e6)
	}
	if trimmed {
		return low[edge-1], high[edge-1], apart
	}
	return low[0], high[0], apart
}

// insert puts v among the first n of the outermost, in order; sign is -1 if the
// highest are first.
func insert(outermost *[edge]float64, n int, v, sign float64) {
	i := min(n, edge-1)
	for ; i > 0 && float64(sign*v) < float64(sign*outermost[i-1]); i-- {
		outermost[i] = outermost[i-1]
	}
	outermost[i] = v
}
