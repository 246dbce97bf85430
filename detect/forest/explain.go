package forest

import (
	"errors"
	"math"
	"slices"

	"gonum.org/v1/gonum/stat"
)

// Explanation says why a row has its score.
//
// Its measure is depth: how many cuts it takes until the row stands alone.
// Distance is by how much fewer these are than for what is normal. Each
// cut on the row's way through a tree changes the depth that is still to be
// expected: the mean over the rows of the tree's sample that are on the same
// side. What a cut takes away is the contribution of its feature; over the way
// from the root to the leaf they sum to the difference between the depth
// expected at the root, which is that of all rows, and the depth of this row. The
// contribution of a feature is the mean of that over all trees. What the cuts
// beyond the data take off goes to the features that lie outside, by the squares
// of how far each does. A row that both kinds of cuts isolate owes it to neither
// alone: each kind gets the mean of what it takes off before the other and after
// it, which is its Shapley value. All are rounded to 2^-40, so that they sum to
// Distance to the bit, in any order.
type Explanation struct {
	// Score is that of Score.
	Score float64
	// Depth is how many cuts it takes to isolate the row, Usual how many it takes
	// for the rows that the trees were made of.
	Depth, Usual float64
	// Distance is Usual - Depth, up to rounding: the sum of all contributions.
	Distance float64
	// Features are all features, the one that contributes most first.
	Features []Contribution
	// Nearest is the most alike of the remembered rows that are normal, nil if
	// there is none.
	Nearest []float64
	// Counterfactual is the smallest set of changes found after which the row is
	// normal: each sets a feature to its usual value. It is empty if the row is
	// normal, or if nothing less than everything helps.
	Counterfactual []Change
	// After is the score after these changes.
	After float64
}

// Contribution is what one feature has to do with a score.
type Contribution struct {
	// Feature is its number.
	Feature int
	// Depth is by how many cuts it brings the row nearer to standing alone. Below
	// 0 it makes the row more usual.
	Depth float64
	// Value is the row's; NaN is missing.
	Value float64
	// Direction is 1 if the value is above the usual range, -1 if below, 0 inside.
	Direction int
	// Low, Middle and High are the 1st, 50th and 99th percentile of what is
	// remembered.
	Low, Middle, High float64
	// New says that the value lies outside of everything that was learned.
	New bool
}

// Change sets a feature to a usual value.
type Change struct {
	Feature  int
	From, To float64
}

// ErrNothing is returned by Explain before there is anything to compare with.
var ErrNothing = errors.New("forest: nothing learned yet")

// grain is what contributions are rounded to.
const grain = 1 << 40

// Explain says why a row has its score; a row is normal if its score is at most
// normal, such as Threshold. It takes some milliseconds and is for what
// alerts.
func (f *Forest) Explain(row []float64, normal float64) (*Explanation, error) {
	return f.explain(row, normal, f.examples)
}

// Explain says why a row has its score; a row is normal if its score is at most
// normal. It takes some milliseconds and is for what alerts.
func (r *Rolling) Explain(row []float64, normal float64) (*Explanation, error) {
	return r.explain(row, normal, r.pool.x)
}

func (g *grove) explain(row []float64, normal float64, examples []float64) (*Explanation, error) {
	if len(row) != g.dims {
		panic(ErrShape)
	}
	if len(examples) == 0 {
		return nil, ErrNothing
	}
	whole := g.mend(make([]float64, g.dims), row)
	e := &Explanation{Score: g.Score(row)}
	shares, usual := g.shares(whole)
	sum := g.walk(whole)
	inside := sum / float64(g.count)
	e.Depth, e.Usual = inside, usual
	if out, _ := g.excess(whole); out > 0 && g.beyond > 0 {
		e.Depth = g.shortened(inside, out)
		g.shareBeyond(shares, whole, e, out, inside)
	}
	for i, share := range shares {
		c := g.contribution(i, row[i], examples)
		c.Depth = math.Round(share*grain) / grain
		e.Distance += float64(c.Depth)
		e.Features = append(e.Features, c)
	}
	slices.SortStableFunc(e.Features, func(a, b Contribution) int {
		switch {
		case a.Depth > b.Depth:
			return -1
		case a.Depth < b.Depth:
			return 1
		}
		return 0
	})
	e.Nearest = g.nearest(whole, normal, examples)
	e.After = e.Score
	if e.Score > normal {
		e.Counterfactual, e.After = g.counterfactual(whole, normal, e.Features)
	}
	return e, nil
}

// shareBeyond divides what takes a row to its depth between the cuts inside of the
// data, whose shares are given and become less, and those beyond them: it is out of
// the data, and the cuts inside alone leave it at a depth of inside.
func (g *grove) shareBeyond(shares, row []float64, e *Explanation, out, inside float64) {
	part := 0.0 // of what cuts inside take off they still do after those beyond
	if first := e.Usual - inside; math.Abs(first) > 1e-9 {
		part = float64(g.shortened(e.Usual, out)-e.Depth) / first
	}
	part = (1 + part) / 2
	beyond := e.Usual - e.Depth - float64(part*float64(e.Usual-inside))
	for f, v := range row {
		far := max(0, g.out(f, v)) / out
		shares[f] = float64(part*shares[f]) + float64(beyond*float64(far*far))
	}
}

// shares are the contributions of the cuts inside of the data, and the depth
// that is expected of all rows.
func (g *grove) shares(row []float64) (shares []float64, usual float64) {
	shares = make([]float64, g.dims)
	expected := make([]float64, 2<<g.depth)
	count := make([]float64, 2<<g.depth)
	for t := range g.count {
		tree := g.tree(t)
		tree.expect(expected, count)
		usual += expected[1]
		for i := 1; i < len(tree.cuts); {
			next := tree.next(i, row)
			if feature, is := tree.feature(i); is {
				shares[feature] += (expected[i] - expected[next]) / float64(g.count)
			}
			i = next
		}
	}
	return shares, usual / float64(g.count)
}

// expect computes the mean depth of the sample's rows below each cut.
func (t tree) expect(expected, count []float64) {
	n := len(t.depths)
	for i, depth := range t.depths {
		expected[n+i], count[n+i] = depth, float64(t.rows[i])
	}
	for i := n - 1; i > 0; i-- {
		l, r := 2*i, 2*i+1
		count[i] = count[l] + count[r]
		expected[i] = 0
		if count[i] > 0 {
			expected[i] = (float64(expected[l]*count[l]) + float64(expected[r]*count[r])) / count[i]
		}
	}
}

func (g *grove) contribution(f int, v float64, examples []float64) Contribution {
	var values []float64
	for at := f; at < len(examples); at += g.dims {
		if v := examples[at]; v == v {
			values = append(values, v)
		}
	}
	c := Contribution{Feature: f, Value: v, Low: math.NaN(), Middle: math.NaN(), High: math.NaN()}
	if len(values) == 0 {
		return c
	}
	slices.Sort(values)
	c.Low = stat.Quantile(0.01, stat.Empirical, values, nil)
	c.Middle = stat.Quantile(0.5, stat.Empirical, values, nil)
	c.High = stat.Quantile(0.99, stat.Empirical, values, nil)
	switch {
	case v > c.High:
		c.Direction = 1
	case v < c.Low:
		c.Direction = -1
	}
	c.New = g.out(f, v) > 0
	return c
}
