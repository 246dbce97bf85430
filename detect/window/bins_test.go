package window

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"github.com/firebreak-io/firebreak/detect/pack"
	"github.com/firebreak-io/firebreak/internal/sketch"
)

// numbers of all sizes, of both signs; many of a kind, as rules have them.
func numbers(t *rapid.T) []float64 {
	one := rapid.OneOf(
		rapid.Float64(), rapid.Float64Range(-10, 10), rapid.Float64Range(0, 0.2), rapid.Float64Range(1e5, 1e12),
		rapid.SampledFrom([]float64{0, 1, -1, 86_400, 90_000, math.MaxFloat64, -math.MaxFloat64, math.Inf(1), math.Inf(-1), math.SmallestNonzeroFloat64, leastNumber}),
	)
	return rapid.SliceOfN(one, 1, 200).Draw(t, "numbers")
}

func saneNumber(v float64) float64 {
	if math.Abs(v) < leastNumber {
		return 0
	}
	return max(-mostNumber, min(v, mostNumber))
}

// checkRanks compares quantiles with the sorted numbers.
func checkRanks(t interface{ Fatalf(string, ...any) }, sorted []float64, bound float64, of func(q float64) float64) {
	for _, q := range []float64{0, 0.01, 0.25, 0.5, 0.9, 0.99, 1} {
		want := sorted[int(math.Floor(q*float64(len(sorted)-1)))]
		got := of(q)
		if want == 0 && got != 0 || math.Abs(got/2-want/2) > bound*math.Abs(want/2)*(1+1e-9) {
			t.Fatalf("quantile %v of %d numbers is %v, want %v within %v", q, len(sorted), got, want, bound)
		}
	}
}

// Whatever the numbers and their order, in however many panes: each quantile is
// within one per cent.
func TestQuantilesKeepTheirError(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		all := numbers(t)
		parts := make([]*bins, rapid.IntRange(1, 5).Draw(t, "panes"))
		for i := range parts {
			parts[i] = &bins{}
		}
		for i, v := range all {
			parts[i%len(parts)].add(v, 1)
			all[i] = saneNumber(v)
		}
		var out pack.Writer
		parts[0].save(&out)
		in, again := pack.NewReader(out.Data), &bins{}
		if again.load(in); in.Done() != nil || !slices.Equal(again.list, parts[0].list) {
			t.Fatalf("%v was read as %v: %v", parts[0].list, again.list, in.Done())
		}
		slices.Sort(all)
		checkRanks(t, all, sketch.QuantileError, func(q float64) float64 { return rank(q, parts) })
	})
}

// Numbers all over what a float64 can say take no more room, and cost accuracy
// as the level says.
func TestBinsAreBounded(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	b, other := &bins{}, &bins{}
	var all, most []float64
	for range 300_000 {
		v := math.Float64frombits(random.Uint64())
		if math.IsNaN(v) {
			continue
		}
		b.add(v, 1)
		all = append(all, saneNumber(v))
		if len(b.list) > MaxBins {
			t.Fatalf("%d bins", len(b.list))
		}
	}
	if b.level == 0 || b.level > 7 || errorAt(7) > 0.86 {
		t.Errorf("level %d with an error of %v", b.level, errorAt(b.level))
	}
	for range 1000 {
		v := random.Float64()
		other.add(v, 1)
		most = append(most, v)
	}
	slices.Sort(all)
	checkRanks(t, all, errorAt(b.level), func(q float64) float64 { return rank(q, []*bins{b}) })
	all = append(all, most...)
	slices.Sort(all)
	checkRanks(t, all, errorAt(b.level), func(q float64) float64 { return rank(q, []*bins{other, b}) })
	// Seventeen powers of ten, densely, cost nothing.
	wide := &bins{}
	for v := 1e-6; v < 1e11; v *= 1.01 {
		wide.add(v, 1)
	}
	if wide.level != 0 {
		t.Errorf("level %d", wide.level)
	}
}

// The order in which numbers come is not seen.
func TestBinsOfAnyOrder(t *testing.T) {
	random := rand.New(rand.NewPCG(3, 4))
	var all []float64
	for range 20_000 {
		all = append(all, math.Exp(random.Float64()*300-150))
	}
	a, b := &bins{}, &bins{}
	for _, v := range all {
		a.add(v, 1)
	}
	random.Shuffle(len(all), func(i, j int) { all[i], all[j] = all[j], all[i] })
	for _, v := range all {
		b.add(v, 1)
	}
	if a.level == 0 || a.level != b.level || !slices.Equal(a.list, b.list) {
		t.Errorf("levels %d and %d", a.level, b.level)
	}
}
