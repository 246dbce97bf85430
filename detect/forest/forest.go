package forest

import (
	"fmt"

	"gonum.org/v1/gonum/mat"
)

// Forest is an isolation forest that was fitted to a table. It never changes and
// is safe for concurrent use.
type Forest struct {
	grove
	contamination float64
	offset        float64
	// examples are some of the rows that it was fitted to, for explanations.
	examples []float64
}

// grove is what scores: trees, and what is known of the features.
type grove struct {
	trees
	profile
	dims int
	// psi is of how many rows each tree was made, norm is 1/c(psi)/trees.
	psi  int
	norm float64
	// beyond is the share of cuts beyond the data, as far as the box is trusted.
	beyond float64
}

func newGrove(dims int, o Options) grove {
	return grove{dims: dims, trees: newTrees(o.Trees, o.Depth), profile: newProfile(dims, o.Units), beyond: o.Beyond}
}

// unsure is of how many rows it is as likely as not that what is new to them is
// new because they are few.
const unsure = 256

// trusted is how much of the share of cuts beyond the data counts when the box is
// that of n rows.
func trusted(beyond float64, n int) float64 {
	return float64(beyond*float64(n)) / float64(n+unsure)
}

// of sets of how many rows the trees are made.
func (g *grove) of(psi int) {
	g.psi, g.norm = psi, 1/float64(path(max(psi, 2))*float64(g.count))
}

// examples is how many rows a forest keeps for explanations.
const examples = 256

// Fit makes a forest of the rows of x, which has dims numbers a row, one row
// after the other. x is not kept. The error wraps ErrOptions.
func Fit(x []float64, dims int, o Options) (*Forest, error) {
	if err := o.complete(dims); err != nil {
		return nil, err
	}
	n := len(x) / dims
	if len(x) != n*dims || n < 2 {
		return nil, fmt.Errorf("%w: %d numbers are no two or more rows of %d", ErrOptions, len(x), dims)
	}
	f := &Forest{grove: newGrove(dims, o), contamination: o.Contamination}
	f.learn(x, make([]float64, 0, n))
	f.of(min(o.Sample, n))
	b := newBuilder(dims, f.psi, o.Depth)
	picked := make([]int, 0, f.psi)
	for t := range f.count {
		b.rng.Seed(o.Seed, 2*uint64(t))
		picked = pick(picked, n, f.psi, &b.rng)
		b.build(x, picked, &f.profile, o.Seed, 2*uint64(t)+1, f.tree(t))
	}
	for _, row := range pick(picked, n, min(n, examples), &b.rng) {
		f.examples = append(f.examples, x[row*dims:(row+1)*dims]...)
	}
	f.beyond = trusted(o.Beyond, n)
	f.calibrate(x, o.Contamination)
	return f, nil
}

// FitMatrix is Fit for the rows of a matrix.
func FitMatrix(m mat.Matrix, o Options) (*Forest, error) {
	dense := mat.DenseCopyOf(m)
	_, dims := dense.Dims()
	return Fit(dense.RawMatrix().Data, dims, o)
}

// Dims is how many numbers a row has.
func (g *grove) Dims() int { return g.dims }
