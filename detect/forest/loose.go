package forest

// edge is how many of the outermost values, on either side, say how loosely
// those lie; farther is as how many times their distance the next one may lie
// beyond them by chance.
const (
	edge    = 4
	farther = 4
)

// loose says how far apart the outermost values lie on the looser side, in spans
// of all but those. Where values have long tails the next one often goes beyond
// all before by far, and that is no novelty; where the outermost lie close
// together it is one.
func loose(values []float64) float64 {
	if len(values) < 4*edge {
		return 0
	}
	var low, high [edge]float64 // the outermost first
	for i, v := range values {
		n := min(i, edge)
		if n < edge || v < low[edge-1] {
			insert(&low, n, v, 1)
		}
		if n < edge || v > high[edge-1] {
			insert(&high, n, v, -1)
		}
	}
	inner := clamp(high[edge-1]) - clamp(low[edge-1])
	outer := max(clamp(high[0])-clamp(high[edge-1]), clamp(low[edge-1])-clamp(low[0]))
	switch {
	case outer == 0:
		return 0
	case inner <= 0:
		return 1
	}
	return min(outer/inner, 1e6)
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
