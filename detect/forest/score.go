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

// scratch is room for rows: a row that is mended, or a block of them.
var scratch = sync.Pool{New: func() any { return new([]float64) }}

func room(n int) *[]float64 {
	r := scratch.Get().(*[]float64)
	if cap(*r) < n {
		*r = make([]float64, n)
	}
	*r = (*r)[:n]
	return r
}

// Score says how strange a row is, from 0 to 1: about 0.5 and less is normal. It
// allocates nothing. The row must have Dims numbers.
func (g *grove) Score(row []float64) float64 {
	if len(row) != g.dims {
		panic(ErrShape)
	}
	excess, odd := g.excess(row)
	if !odd {
		return g.score(g.walk(row), excess)
	}
	r := room(g.dims)
	g.mend(*r, row)
	excess, _ = g.excess(*r)
	s := g.score(g.walk(*r), excess)
	scratch.Put(r)
	return s
}

// score of the sum of depths over all trees and the excess beyond the box.
func (g *grove) score(sum, excess float64) float64 {
	x := float64(sum * g.norm)
	if excess > 0 && g.beyond > 0 {
		depth := sum / float64(g.count)
		x = float64(x * (g.shortened(depth, excess) / depth))
	}
	return power(-x)
}

// shortened is the expected depth of a row outside of the box, which is at
// depth by cuts inside of it. At each cut the chance is that it lies beyond the
// data (the share) and between row and box: its distance from the box is the
// greater of two even draws of up to one span. What is farther out than that is
// missed by fewer and fewer of the other cuts too. The depth is the lesser of
// depth and the first such cut.
func (g *grove) shortened(depth, excess float64) float64 {
	rate := float64(g.beyond * float64(excess*excess))
	if excess > 1 {
		rate = 1 - (1-g.beyond)/excess
	}
	if rate < 1e-18 || depth <= 1 {
		return depth
	}
	return max(1, min(depth, missing(float64(depth*lessen(rate)))/rate))
}

// ScoreAll puts the score of each row of rows, one after the other, into dst and
// returns it; dst is made longer when it is too short. The scores are those of
// Score to the bit. With the usual sample it takes a little more than half of the
// time of as many calls of Score.
func (g *grove) ScoreAll(dst, rows []float64) []float64 {
	n := len(rows) / g.dims
	if len(rows) != n*g.dims {
		panic(ErrShape)
	}
	if cap(dst) < n {
		dst = make([]float64, n)
	}
	dst = dst[:n]
	if g.depth != 8 {
		for i := range dst {
			dst[i] = g.Score(rows[i*g.dims : (i+1)*g.dims])
		}
		return dst
	}
	r := room((block + 1) * g.dims)
	for from := 0; from < n; from += block {
		to := min(from+block, n)
		g.scoreBlock(dst[from:to], rows[from*g.dims:to*g.dims], *r)
	}
	scratch.Put(r)
	return dst
}

// scoreBlock scores up to block rows, tree by tree.
func (g *grove) scoreBlock(dst, rows, room []float64) {
	var excess, sums [block]float64
	mended, side := room[:g.dims], room[g.dims:]
	for i := range dst {
		row := rows[i*g.dims : (i+1)*g.dims]
		out, odd := g.excess(row)
		if odd {
			row = mended
			g.mend(row, rows[i*g.dims:(i+1)*g.dims])
			out, _ = g.excess(row)
		}
		excess[i] = out
		// Rows stand side by side, lanes at a time: feature by feature.
		at := side[i/lanes*lanes*g.dims+i%lanes:]
		for f, v := range row {
			at[f*lanes] = v
		}
	}
	g.walkAll(&sums, side[:(len(dst)+lanes-1)/lanes*lanes*g.dims], lanes*g.dims)
	for i := range dst {
		dst[i] = g.score(sums[i], excess[i])
	}
}
