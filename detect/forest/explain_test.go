package forest

import (
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
