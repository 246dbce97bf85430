package forest

import (
	"errors"
	"math"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/firebreak-io/firebreak/detect/pack"
)

// matrix draws rows that are like those of life: even, whole, constant, missing.
func matrix(t *rapid.T, name string) ([]float64, int) {
	dims, n := rapid.IntRange(1, 7).Draw(t, name+" dims"), rapid.IntRange(2, 80).Draw(t, name+" rows")
	x := make([]float64, n*dims)
	for f := range dims {
		kind := rapid.IntRange(0, 4).Draw(t, name+" kind")
		for i := range n {
			v := rapid.Float64Range(-100, 100).Draw(t, name)
			switch {
			case kind == 1:
				v = math.Round(v / 30)
			case kind == 2:
				v = 3
			case kind == 3 && v > 80:
				v = math.NaN()
			}
			x[i*dims+f] = v
		}
	}
	return x, dims
}

func fit(t rapid.TB, x []float64, dims int, o Options) *Forest {
	f, err := Fit(x, dims, o)
	if err != nil {
		t.Fatal(err)
	}
	return f
}

// Contributions sum to the distance from normal, to the bit, in any order.
func TestContributionsSum(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		x, dims := matrix(t, "x")
		f := fit(t, x, dims, Options{Trees: 20, Seed: rapid.Uint64().Draw(t, "seed")})
		row := rapid.SliceOfN(rapid.Float64Range(-300, 300), dims, dims).Draw(t, "row")
		e, err := f.Explain(row, 0.5)
		if err != nil {
			t.Fatal(err)
		}
		var up, down float64
		for i := range e.Features {
			up += e.Features[i].Depth
			down += e.Features[dims-1-i].Depth
		}
		if up != e.Distance || down != e.Distance {
			t.Fatalf("contributions sum to %v and %v, the distance is %v", up, down, e.Distance)
		}
		if math.Abs(e.Usual-e.Depth-e.Distance) > 1e-9 {
			t.Fatalf("usual %v less depth %v is not %v", e.Usual, e.Depth, e.Distance)
		}
		if want := math.Exp2(-e.Depth / path(f.psi)); math.Abs(want-e.Score) > 1e-12 {
			t.Fatalf("depth %v is a score of %v, not %v", e.Depth, want, e.Score)
		}
		if len(e.Counterfactual) > 0 && e.After > 0.5 {
			t.Fatalf("after %v it still has %v", e.Counterfactual, e.After)
		}
	})
}

// The order of features and positive factors change nothing, to the bit: not
// when a forest is fitted, nor when it learns from a stream.
func TestOrderAndScale(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		x, dims := matrix(t, "x")
		distinct(x, dims)
		order := rapid.Permutation(numbers(dims)).Draw(t, "order")
		factor := make([]float64, dims)
		for f := range factor {
			factor[f] = math.Exp2(float64(rapid.IntRange(-20, 20).Draw(t, "factor")))
		}
		y, units := make([]float64, len(x)), make([]float64, dims)
		for i := range x {
			y[i/dims*dims+order[i%dims]] = x[i] * factor[i%dims]
			units[order[i%dims]] = factor[i%dims]
		}
		o := Options{Trees: 10, Seed: rapid.Uint64().Draw(t, "seed"), Units: slices.Repeat([]float64{1}, dims)}
		p := o
		p.Units = units
		if rapid.Bool().Draw(t, "no units") {
			// Then those of features that don't vary are not scaled, so nothing is.
			o.Units, p.Units = nil, nil
			for i := range x {
				y[i/dims*dims+order[i%dims]] = x[i]
			}
		}
		same(t, fit(t, x, dims, o).ScoreAll(nil, x), fit(t, y, dims, p).ScoreAll(nil, y))
		same(t, rolled(t, x, dims, o), rolled(t, y, dims, p))
	})
}

// distinct makes features rise and fall in rows of their own: two that never
// differ in this are told apart by their place.
func distinct(x []float64, dims int) {
	for f := range dims {
		x[f] = 200
		for i := 1; i*dims < len(x) && i < 4; i++ {
			if x[i*dims+f] = 0; f>>(i-1)&1 == 1 {
				x[i*dims+f] = x[(i-1)*dims+f] + 300
			}
		}
	}
}

func numbers(n int) []int {
	v := make([]int, n)
	for i := range v {
		v[i] = i
	}
	return v
}

// rolled are the scores of rows, each before it is learned.
func rolled(t rapid.TB, x []float64, dims int, o Options) []float64 {
	o.Sample = 16
	r, err := NewRolling(dims, o, Learning{Reservoir: 32, Every: 2, WarmUp: 4})
	if err != nil {
		t.Fatal(err)
	}
	scores := make([]float64, len(x)/dims)
	for i := range scores {
		row := x[i*dims : (i+1)*dims]
		scores[i] = r.Score(row)
		r.Add(row, 0, time.Unix(int64(i), 0))
	}
	return scores
}

func same(t rapid.TB, a, b []float64) {
	for i := range a {
		if a[i] != b[i] && math.Abs(a[i]-b[i]) > 0 {
			t.Fatalf("row %d: %v and %v", i, a[i], b[i])
		}
	}
}

// One at a time or many, and again: the same scores to the bit, between 0 and 1.
func TestSingleAndBatch(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		x, dims := matrix(t, "x")
		o := Options{
			Trees: rapid.IntRange(1, 30).Draw(t, "trees"), Sample: rapid.SampledFrom([]int{2, 30, 256, 300}).Draw(t, "sample"),
			Seed: rapid.Uint64().Draw(t, "seed"), Beyond: rapid.SampledFrom([]float64{None, 0, 0.9}).Draw(t, "beyond"),
		}
		y, wide := matrix(t, "y")
		y = y[:len(y)/wide/dims*dims]
		y = append(y, make([]float64, dims)...)
		y[rapid.IntRange(0, len(y)-1).Draw(t, "odd")] = rapid.SampledFrom([]float64{math.NaN(), math.Inf(1), math.Inf(-1), 1e308}).Draw(t, "value")
		f := fit(t, x, dims, o)
		again := fit(t, x, dims, o).ScoreAll(make([]float64, 1), y)
		for i, score := range f.ScoreAll(nil, y) {
			if one := f.Score(y[i*dims : (i+1)*dims]); one != score || again[i] != score {
				t.Fatalf("row %d: %v alone, %v among others, %v again", i, one, score, again[i])
			}
			if !(score >= 0 && score <= 1) {
				t.Fatalf("score %v", score)
			}
		}
	})
}

// What lies farther out is never less anomalous.
func TestFartherOut(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		x, dims := matrix(t, "x")
		f := fit(t, x, dims, Options{Trees: 20, Seed: rapid.Uint64().Draw(t, "seed")})
		row := append([]float64(nil), x[:dims]...)
		feature, last := rapid.IntRange(0, dims-1).Draw(t, "feature"), 0.0
		for _, v := range []float64{100, 101, 150, 290, 301, 1000, 1e6, 1e300, math.Inf(1)} {
			row[feature] = v
			score := f.Score(row)
			if score < last {
				t.Fatalf("at %v the score is %v, nearer it was %v", v, score, last)
			}
			last = score
		}
	})
}

// A row far from a cloud scores more than any of the cloud.
func TestAlone(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		dims := rapid.IntRange(1, 6).Draw(t, "dims")
		x := cloud(300, dims, rapid.Uint64().Draw(t, "cloud"))
		f := fit(t, x, dims, Options{Seed: rapid.Uint64().Draw(t, "seed")})
		row := make([]float64, dims)
		for i := range row {
			row[i] = 12
		}
		alone := f.Score(row)
		for i, score := range f.ScoreAll(nil, x) {
			if score >= alone {
				t.Fatalf("row %d of the cloud has %v, the one alone %v", i, score, alone)
			}
		}
	})
}

// A snapshot and a restart at any moment change no later score.
func TestResumes(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		x, dims := matrix(t, "x")
		n := len(x) / dims
		o := Options{Trees: 5, Sample: 8, Seed: rapid.Uint64().Draw(t, "seed")}
		l := Learning{Reservoir: 16, Every: 3, WarmUp: 4, Memory: time.Minute, Quarantine: 3}
		a, _ := NewRolling(dims, o, l)
		stop := rapid.IntRange(0, n).Draw(t, "stop")
		b := a
		for i := range n {
			if i == stop {
				b = reopened(t, a, dims, o, l)
			}
			row := x[i*dims : (i+1)*dims]
			for _, r := range []*Rolling{a, b} {
				step(r, row, i)
				if b == a {
					break
				}
			}
			if one, other := a.Score(row), b.Score(row); one != other {
				t.Fatalf("row %d: %v and, after a restart, %v", i, one, other)
			}
		}
		if a.Moved() != b.Moved() || a.Stats() != b.Stats() {
			t.Fatalf("%v %+v and, after a restart, %v %+v", a.Moved(), a.Stats(), b.Moved(), b.Stats())
		}
	})
}

// step does one of the things that can be done.
func step(r *Rolling, row []float64, i int) {
	at := time.Unix(int64(1000+7*i), 0)
	switch {
	case i%11 == 5:
		r.Hold(uint64(i), row, uint64(i%5), at)
	case i%13 == 7:
		r.Release(uint64(i - 2))
	case i%29 == 28:
		r.Purge(uint64(i%5), at.Add(-time.Minute))
	case i%31 == 30:
		r.Approve()
	default:
		r.Add(row, uint64(i%5), at)
	}
}

func reopened(t rapid.TB, r *Rolling, dims int, o Options, l Learning) *Rolling {
	var w pack.Writer
	r.Save(&w)
	again, err := NewRolling(dims, o, l)
	if err != nil {
		t.Fatal(err)
	}
	in := pack.NewReader(w.Data)
	again.Load(in)
	if err := in.Done(); err != nil {
		t.Fatal(err)
	}
	return again
}

// A forest that was saved is the same.
func TestForestSaved(t *testing.T) {
	x := cloud(500, 4, 9)
	for _, o := range []Options{{}, {Sample: 20, Trees: 7, Contamination: 0.1, Beyond: None}} {
		f := fit(t, x, 4, o)
		var w pack.Writer
		f.Save(&w)
		in := pack.NewReader(w.Data)
		g, err := Load(in)
		if err != nil || in.Done() != nil {
			t.Fatal(err, in.Done())
		}
		same(t, f.ScoreAll(nil, x), g.ScoreAll(nil, x))
		if f.Offset() != g.Offset() {
			t.Errorf("offset %v and %v", f.Offset(), g.Offset())
		}
		a, _ := f.Explain(x[:4], 0.4)
		b, _ := g.Explain(x[:4], 0.4)
		if a.Distance != b.Distance || len(a.Nearest) != len(b.Nearest) {
			t.Errorf("explained as %+v and %+v", a, b)
		}
	}
}

// Nothing is allocated to score or, once it is grown, to learn.
func TestNoAllocation(t *testing.T) {
	const dims = 6
	x := cloud(4096, dims, 1)
	f := fit(t, x, dims, Options{})
	odd := []float64{1, math.NaN(), 3, math.Inf(1), 0, 0}
	dst := make([]float64, 4096)
	r, _ := NewRolling(dims, Options{}, Learning{})
	at := time.Unix(1e9, 0)
	i := 0
	learn := func() {
		row := x[i%4096*dims:][:dims]
		r.Score(row)
		r.Add(row, uint64(i%100+1), at.Add(time.Duration(i)*time.Second))
		i++
	}
	for range 8000 {
		learn()
	}
	for name, do := range map[string]func(){
		"Score": func() { f.Score(x[:dims]) }, "Score of an odd row": func() { f.Score(odd) },
		"ScoreAll": func() { f.ScoreAll(dst, x[:256*dims]) }, "score and learn": learn,
	} {
		if n := testing.AllocsPerRun(500, do); n >= 1 {
			t.Errorf("%s: %v allocations", name, n)
		}
	}
}

func TestRefused(t *testing.T) {
	x := cloud(10, 2, 1)
	for _, o := range []Options{
		{Trees: -1}, {Trees: MaxTrees + 1}, {Sample: 1}, {Sample: MaxSample + 1}, {Depth: 9}, {Depth: -1}, {Beyond: 1},
		{Beyond: math.NaN()}, {Contamination: 0.6}, {Contamination: math.NaN()}, {Units: []float64{1}}, {Units: []float64{1, -1}},
	} {
		if _, err := Fit(x, 2, o); !errors.Is(err, ErrOptions) {
			t.Errorf("%+v: %v", o, err)
		}
	}
	for _, dims := range []int{0, -1, 3, MaxDims + 1, 20} {
		if _, err := Fit(x, dims, Options{}); !errors.Is(err, ErrOptions) {
			t.Errorf("%d features: %v", dims, err)
		}
	}
	for _, l := range []Learning{
		{Reservoir: 255}, {Reservoir: 1 << 17}, {Every: -1}, {Memory: -1}, {Share: 1.1}, {Share: math.NaN()}, {Anchors: 101},
		{Quarantine: -1}, {WarmUp: 1}, {WarmUp: 4096},
	} {
		if _, err := NewRolling(2, Options{}, l); !errors.Is(err, ErrOptions) {
			t.Errorf("%+v: %v", l, err)
		}
	}
}

// Whatever a snapshot says, reading it ends, and what can be read scores.
func FuzzLoad(f *testing.F) {
	o, l := Options{Trees: 3, Sample: 8}, Learning{Reservoir: 16, Every: 2, WarmUp: 4}
	r, _ := NewRolling(2, o, l)
	x := cloud(40, 2, 1)
	for i := range 40 {
		step(r, x[i*2:i*2+2], i)
	}
	var w, v pack.Writer
	r.Save(&w)
	fit(f, x, 2, Options{Trees: 2, Sample: 8}).Save(&v)
	f.Add(w.Data)
	f.Add(v.Data)
	f.Fuzz(func(t *testing.T, data []byte) {
		again, _ := NewRolling(2, o, l)
		in := pack.NewReader(data)
		again.Load(in)
		if in.Done() == nil {
			for i := range 40 {
				step(again, x[i*2:i*2+2], i)
				again.Score(x[i*2 : i*2+2])
			}
			_, _ = again.Explain(x[:2], 0.5)
		}
		if g, err := Load(pack.NewReader(data)); err == nil {
			g.Score(make([]float64, g.Dims()))
		}
	})
}
