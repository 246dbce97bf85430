package forest

import (
	"encoding/json"
	"math"
	"os"
	"testing"
)

// foreign is a tree as scikit-learn keeps it.
type foreign struct {
	Feature, Left, Right, Rows []int
	Cut                        []float64
}

// vectors are what testdata/vectors.py recorded.
type vectors struct {
	Dims, Sample  int
	Contamination float64
	Trees         []foreign
	Fitted, Rows  []float64
	Scores        []float64 `json:"score_samples"`
	Offset        float64
	Decision      []float64
	Predict       []int
}

// forest has the same trees.
func (v *vectors) forest(t *testing.T) *Forest {
	t.Helper()
	o := Options{Trees: len(v.Trees), Sample: v.Sample, Beyond: None}
	if err := o.complete(v.Dims); err != nil {
		t.Fatal(err)
	}
	f := &Forest{grove: newGrove(v.Dims, o)}
	f.of(v.Sample)
	c := paths(v.Sample)
	for i, from := range v.Trees {
		into := f.tree(i)
		into.clear()
		from.graft(into, c, 0, 1, 0)
	}
	f.calibrate(v.Fitted, v.Contamination)
	return f
}

func (from *foreign) graft(into tree, c []float64, at, i, depth int) {
	if from.Left[at] < 0 {
		into.end(i, depth, from.Rows[at], c)
		return
	}
	into.cut(i, from.Feature[at], from.Cut[at])
	from.graft(into, c, from.Left[at], 2*i, depth+1)
	from.graft(into, c, from.Right[at], 2*i+1, depth+1)
}

// On the same trees, everything is what scikit-learn says.
func TestLikeScikitLearn(t *testing.T) {
	b, err := os.ReadFile("testdata/vectors.json")
	if err != nil {
		t.Fatal(err)
	}
	var recorded struct{ Cases []vectors }
	if err := json.Unmarshal(b, &recorded); err != nil {
		t.Fatal(err)
	}
	if len(recorded.Cases) == 0 {
		t.Fatal("nothing recorded")
	}
	for n, v := range recorded.Cases {
		f := v.forest(t)
		near(t, n, -1, f.Offset(), v.Offset)
		near(t, n, -1, -f.Threshold(), v.Offset)
		all := f.ScoreAll(nil, v.Rows)
		for i := range v.Scores {
			row := v.Rows[i*v.Dims : (i+1)*v.Dims]
			near(t, n, i, f.ScoreSample(row), v.Scores[i])
			near(t, n, i, -all[i], v.Scores[i])
			near(t, n, i, f.Decision(row), v.Decision[i])
			// On the threshold itself rounding decides.
			if math.Abs(v.Decision[i]) > 1e-9 && f.Predict(row) != v.Predict[i] {
				t.Errorf("case %d, row %d: predicted %d, not %d", n, i, f.Predict(row), v.Predict[i])
			}
		}
	}
}

func near(t *testing.T, n, i int, got, want float64) {
	t.Helper()
	if !(math.Abs(got-want) <= 1e-9) {
		t.Errorf("case %d, row %d: %.12f, not %.12f", n, i, got, want)
	}
}

// The logarithms and powers that are computed here are those of the library, up
// to the last bits.
func TestArithmetic(t *testing.T) {
	for x := 1e-17; x < 1e17; x *= 1.37 {
		if got, want := logarithm(x), math.Log(x); math.Abs(got-want) > 4e-16*max(1, math.Abs(want)) {
			t.Errorf("log %v: %v, not %v", x, got, want)
		}
	}
	for x := -60.0; x <= 0; x += 0.0137 {
		if got, want := power(x), math.Exp2(x); math.Abs(got-want) > 4e-16*want {
			t.Errorf("2^%v: %v, not %v", x, got, want)
		}
	}
	for x := 1e-20; x < 1; x *= 1.37 {
		if got, want := lessen(x), math.Log1p(-x); math.Abs(got-want) > 5e-16*math.Abs(want) {
			t.Errorf("log(1-%v): %v, not %v", x, got, want)
		}
		for _, y := range []float64{-x, -30 * x} {
			if got, want := missing(y), -math.Expm1(y); math.Abs(got-want) > 5e-16*want {
				t.Errorf("1-e^%v: %v, not %v", y, got, want)
			}
		}
	}
	if power(0) != 1 || power(-1) != 0.5 || power(-2000) != 0 {
		t.Errorf("2^0 %v, 2^-1 %v, 2^-2000 %v", power(0), power(-1), power(-2000))
	}
}
