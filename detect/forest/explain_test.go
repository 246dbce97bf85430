package forest

import (
	"math"
	"testing"
	"time"

	"github.com/firebreak-io/firebreak/detect/pack"
)

// cloud is n rows of dims numbers around the origin.
func cloud(n, dims int, seed uint64) []float64 {
	x := make([]float64, n*dims)
	for i := range x {
		seed = mix(seed)
		a := unit(seed)
		seed = mix(seed)
		b := unit(seed)
		seed = mix(seed)
		x[i] = a + b + unit(seed) - 1.5
	}
	return x
}

func TestStranger(t *testing.T) {
	f, err := Fit(cloud(2000, 4, 1), 4, Options{})
	if err != nil {
		t.Fatal(err)
	}
	usual, strange := f.Score([]float64{0, 0, 0, 0}), f.Score([]float64{0, 4, 0, 0})
	if usual > 0.5 || strange < 0.7 {
		t.Errorf("usual %v, strange %v", usual, strange)
	}
	e, err := f.Explain([]float64{0, 4, 0, 0}, 0.5)
	if err != nil {
		t.Fatal(err)
	}
	if e.Features[0].Feature != 1 || e.Features[0].Direction != 1 || !e.Features[0].New {
		t.Errorf("first of %+v", e.Features)
	}
	if len(e.Counterfactual) != 1 || e.Counterfactual[0].Feature != 1 || e.After > 0.5 || e.Nearest == nil {
		t.Errorf("explained as %+v", e)
	}
}

func TestRollingResumes(t *testing.T) {
	o, l := Options{Seed: 3}, Learning{Memory: time.Hour}
	r, err := NewRolling(3, o, l)
	if err != nil {
		t.Fatal(err)
	}
	x := cloud(6000, 3, 2)
	at := time.Unix(1e9, 0)
	for i := range 4000 {
		r.Add(x[i*3:i*3+3], uint64(i%100), at.Add(time.Duration(i)*time.Second))
	}
	r.Hold(7, x[:3], 1, at)
	var w, again pack.Writer
	r.Save(&w)
	s, _ := NewRolling(3, o, l)
	in := pack.NewReader(w.Data)
	s.Load(in)
	if err := in.Done(); err != nil {
		t.Fatal(err)
	}
	s.Save(&again)
	if string(w.Data) != string(again.Data) {
		t.Fatal("saved again it is other bytes")
	}
	t.Log(len(w.Data), "bytes saved,", r.Bytes(), "in memory")
	for i := 4000; i < 6000; i++ {
		row := x[i*3 : i*3+3]
		if a, b := r.Score(row), s.Score(row); a != b {
			t.Fatalf("row %d: %v before, %v after", i, a, b)
		}
		r.Add(row, uint64(i%100), at.Add(time.Duration(i)*time.Second))
		s.Add(row, uint64(i%100), at.Add(time.Duration(i)*time.Second))
	}
}

// What is strange in many features at once needs all of them to be usual again,
// and no other.
func TestCounterfactual(t *testing.T) {
	const dims = 12
	f, err := Fit(cloud(3000, dims, 1), dims, Options{Seed: 2})
	if err != nil {
		t.Fatal(err)
	}
	for many := 1; many <= 6; many++ {
		row := make([]float64, dims)
		for i := range many {
			row[2*i] = 5
		}
		e, err := f.Explain(row, 0.45)
		if err != nil {
			t.Fatal(err)
		}
		changed := append([]float64(nil), row...)
		for _, c := range e.Counterfactual {
			if c.Feature%2 != 0 || c.Feature >= 2*many || c.From != 5 {
				t.Errorf("%d strange: feature %d is changed from %v", many, c.Feature, c.From)
			}
			changed[c.Feature] = c.To
		}
		if n := len(e.Counterfactual); n == 0 || n > many {
			t.Errorf("%d strange: %d changes", many, n)
		}
		if s := f.Score(changed); s != e.After || s > 0.45 {
			t.Errorf("%d strange: after the changes %v, it says %v", many, s, e.After)
		}
		for i, c := range e.Features[:many] {
			if c.Feature%2 != 0 || c.Feature >= 2*many || c.Direction != 1 || c.Depth <= 0 {
				t.Errorf("%d strange: place %d is %+v", many, i, c)
			}
		}
	}
	if e, _ := f.Explain(make([]float64, dims), 0.5); len(e.Counterfactual) != 0 || e.After != e.Score {
		t.Errorf("what is normal needs %v", e.Counterfactual)
	}
}

// Of a row with a missing value the missing one contributes as the usual one
// does, and is shown as missing.
func TestExplainMissing(t *testing.T) {
	f, err := Fit(cloud(1000, 3, 1), 3, Options{})
	if err != nil {
		t.Fatal(err)
	}
	e, err := f.Explain([]float64{math.NaN(), -7, math.Inf(1)}, 0.5)
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range e.Features {
		switch {
		case c.Feature == 0 && (c.Value == c.Value || c.Direction != 0 || c.New):
			t.Errorf("missing: %+v", c)
		case c.Feature == 1 && (c.Direction != -1 || !c.New || c.Low > c.Middle || c.Middle > c.High):
			t.Errorf("low: %+v", c)
		case c.Feature == 2 && (c.Direction != 1 || !c.New):
			t.Errorf("endless: %+v", c)
		}
	}
}

// A feature that was always the same is named before others, which vary and are off
// by less: the cuts inside of the data, which it has none of, do not get all that
// they would take off alone.
func TestExplainWhatNeverVaried(t *testing.T) {
	const dims = 4 // the first is always 0, the others vary
	rows := cloud(2000, dims, 5)
	for i := 0; i < len(rows); i += dims {
		rows[i] = 0
	}
	f, err := Fit(rows, dims, Options{Seed: 1, Units: []float64{4, 4, 4, 4}})
	if err != nil {
		t.Fatal(err)
	}
	e, err := f.Explain([]float64{10, 9, 8, 0}, 0.5)
	if err != nil {
		t.Fatal(err)
	}
	if first := e.Features[0]; first.Feature != 0 {
		t.Errorf("feature %d has %.2f, and what never varied and is farthest off is not first: %+v", first.Feature, first.Depth, e.Features)
	}
}
