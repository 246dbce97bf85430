package forest

import (
	"errors"
	"fmt"
	"math/bits"
)

// Limits of what a forest may be, so that nobody's document makes it endless.
const (
	MaxTrees  = 1000
	MaxSample = 4096
	MaxDims   = 4096
	// MaxReservoir is of a [Rolling].
	MaxReservoir = 1 << 16
)

// None is the share of cuts beyond the data that means none at all.
const None = -1

// Options say how a forest is made. The zero value means what is usual.
type Options struct {
	// Trees is how many there are: 100 when 0, at most MaxTrees.
	Trees int
	// Sample is how many rows each tree is made of: 256 when 0, at most
	// MaxSample. There may be fewer rows.
	Sample int
	// Depth is how many cuts deep a tree may get: log2(Sample), rounded up, when
	// 0, and never more.
	Depth int
	// Seed decides all draws.
	Seed uint64
	// Beyond is the share of cuts that lie beyond the data, below 1: 0.5 when 0;
	// None gives the forest of the papers.
	Beyond float64
	// Units say of features what is far, one a feature, 0 for where nobody knows:
	// what lies one unit beyond all but the outermost values is as far beyond the
	// data as a value never seen. Where it is not known the data tell, and of a
	// feature that does not vary it is 1.
	Units []float64
	// Contamination is the share of rows that are taken for anomalies, above 0
	// and at most 0.5, and sets the offset by it. When 0 the offset is -0.5, as
	// scikit-learn's "auto".
	Contamination float64
}

// ErrOptions is what all errors about options and the shape of rows wrap.
var ErrOptions = errors.New("bad forest")

func (o *Options) complete(dims int) error {
	usual(&o.Trees, 100)
	usual(&o.Sample, 256)
	usual(&o.Depth, deepest(o.Sample))
	switch {
	case o.Beyond == 0:
		o.Beyond = 0.5
	case o.Beyond < 0:
		o.Beyond = None
	}
	switch {
	case dims < 1 || dims > MaxDims:
		return fmt.Errorf("%w: %d features, there may be 1 to %d", ErrOptions, dims, MaxDims)
	case o.Trees < 1 || o.Trees > MaxTrees:
		return fmt.Errorf("%w: %d trees, there may be 1 to %d", ErrOptions, o.Trees, MaxTrees)
	case o.Sample < 2 || o.Sample > MaxSample:
		return fmt.Errorf("%w: a sample of %d, it may be of 2 to %d rows", ErrOptions, o.Sample, MaxSample)
	case o.Depth < 1 || o.Depth > deepest(o.Sample):
		return fmt.Errorf("%w: depth %d, with a sample of %d it may be 1 to %d", ErrOptions, o.Depth, o.Sample, deepest(o.Sample))
	case !(o.Beyond < 1):
		return fmt.Errorf("%w: a share of %v of the cuts beyond the data, it must be below 1", ErrOptions, o.Beyond)
	case !(o.Contamination >= 0 && o.Contamination <= 0.5):
		return fmt.Errorf("%w: contamination %v, it may be up to 0.5", ErrOptions, o.Contamination)
	}
	return units(o.Units, dims)
}

func units(u []float64, dims int) error {
	if u != nil && len(u) != dims {
		return fmt.Errorf("%w: %d units for %d features", ErrOptions, len(u), dims)
	}
	for i, v := range u {
		if !(v >= 0 && v <= largest) {
			return fmt.Errorf("%w: unit %v of feature %d, it must not be below 0", ErrOptions, v, i)
		}
	}
	return nil
}

func usual(v *int, otherwise int) {
	if *v == 0 {
		*v = otherwise
	}
}

// deepest is log2(sample), rounded up.
func deepest(sample int) int { return bits.Len(uint(max(sample, 2) - 1)) }
