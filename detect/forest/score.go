package forest

import (
	"errors"
	"sync"
)

// ErrShape is a panic's value: who scores a row of another length than the
// forest's has made a mistake that no input can cause.
var ErrShape = errors.New("forest: a row of another length")

// block is how many rows are scored together.
const block = 64

// scratch is room for rows with missing values.
var scratch = sync.Pool{New: func() any { return new([]float64) }}

// Score says how strange a row is, from 0 to 1: about 0.5 and less is normal. It
// allocates nothing. The row must have Dims numbers.
func (g *grove) Score(row []float64) float64 {
	if len(row) != g.dims {
		panic(ErrShape)
	}
	excess := g.excess(row)
	if excess == excess {
		return g.score(g.walk(row), excess)
	}
	room, row := g.whole(row)
	s := g.score(g.walk(row), g.excess(row))
	scratch.Put(room)
	return s
}

// whole is row without missing or endless values, and the room that it is in.
func (g *grove) whole(row []float64) (*[]float64, []float64) {
	room := scratch.Get().(*[]float64)
	if cap(*room) < len(row) {
		*room = make([]float64, len(row))
	}
	return room, g.mend(*room, row)
}

// score of the sum of depths over all trees and the excess beyond the box.
func (g *grove) score(sum, excess float64) float64 {
	x := float64(sum * g.norm)
	if excess > 0 && g.beyond > 0 {
		depth := sum / float64(g.trees)
		x = float64(x * (g.shortened(depth, excess) / depth))
	}
	return power(-x)
}

// shortened is the expected depth of a row outside of the box, which is at
// depth by cuts inside of it. At each cut the chance is that it lies beyond the
// data (the share) and between row and box (the part of one span that the row
// is outside of it): the depth is the lesser of depth and the first such cut.
func (g *grove) shortened(depth, excess float64) float64 {
	rate := float64(g.beyond * min(excess, 1))
	if rate < 1e-12 || depth <= 1 {
		return depth
	}
	never := power(float64(depth*logarithm(1-rate)) / ln2)
	return max(1, min(depth, (1-never)/rate))
}

const ln2 = 0.693147180559945309417232121458176568

// ScoreAll puts the score of each row of rows, one after the other, into dst and
// returns it; dst is made longer when it is too short. The scores are those of
// Score to the bit.
func (g *grove) ScoreAll(dst, rows []float64) []float64 {
	n := len(rows) / g.dims
	if len(rows) != n*g.dims {
		panic(ErrShape)
	}
	if cap(dst) < n {
		dst = make([]float64, n)
	}
	dst = dst[:n]
	for from := 0; from < n; from += block {
		to := min(from+block, n)
		g.scoreBlock(dst[from:to], rows[from*g.dims:to*g.dims])
	}
	return dst
}

// scoreBlock scores up to block rows, tree by tree.
func (g *grove) scoreBlock(dst, rows []float64) {
	var excess [block]float64
	for i := range dst {
		excess[i] = g.excess(rows[i*g.dims : (i+1)*g.dims])
		if excess[i] != excess[i] {
			g.scoreEach(dst, rows)
			return
		}
		dst[i] = 0
	}
	g.walkAll(dst, rows)
	for i, sum := range dst {
		dst[i] = g.score(sum, excess[i])
	}
}

func (g *grove) scoreEach(dst, rows []float64) {
	for i := range dst {
		dst[i] = g.Score(rows[i*g.dims : (i+1)*g.dims])
	}
}
