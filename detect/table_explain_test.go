package detect

import (
	"math"
	"math/rand/v2"
	"testing"
	"time"
)

// What a row's columns contribute sums to its distance, the strange one counts
// most, and with the wishes fulfilled the row is normal.
func TestTableExplains(t *testing.T) {
	table, err := NewTable(TableOptions{Features: []string{"a", "b", "c"}})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := table.Explain([]float64{1, 2, 3}); err == nil {
		t.Error("nothing is learned, and yet it explains")
	}
	r := rand.New(rand.NewPCG(1, 2)) // #nosec G404 -- not a secret
	at := time.Unix(1e9, 0)
	for i := range 600 {
		row := []float64{r.NormFloat64(), 5 + r.NormFloat64(), 0}
		s, err := table.Score(row, at.Add(time.Duration(i)*time.Second))
		if err != nil {
			t.Fatal(err)
		}
		table.Learn(row, s, 0, at.Add(time.Duration(i)*time.Second))
	}
	if _, err := table.Explain([]float64{1}); err == nil {
		t.Error("a row of one number is explained")
	}
	for _, row := range [][]float64{{0, 5, 0}, {0, 30, 0}, {math.NaN(), 5, 1}, {-20, -20, 7}} {
		s, _ := table.Score(row, at.Add(time.Hour))
		w, err := table.Explain(row)
		if err != nil {
			t.Fatal(err)
		}
		sum, odd := 0.0, []float64{row[0], row[1], row[2]}
		for _, f := range w.Features {
			sum += f.Contribution
		}
		if sum != w.Distance {
			t.Errorf("%v: the contributions sum to %v, not %v", row, sum, w.Distance)
		}
		for _, c := range w.Counterfactual {
			odd[c.Name[0]-'a'] = c.To
		}
		if again, _ := table.Score(odd, at.Add(time.Hour)); math.Abs(again.Score-w.After) > 1e-12 {
			t.Errorf("%v: with the wishes %v it has %v, not %v", row, w.Counterfactual, again.Score, w.After)
		}
		if strange := s.Score > 0.7; strange != (len(w.Counterfactual) > 0) || strange && w.Words == "" {
			t.Errorf("%v: score %.3f, wishes %v, %q", row, s.Score, w.Counterfactual, w.Words)
		}
	}
	w, _ := table.Explain([]float64{0, 30, 0})
	if f := w.Features[0]; f.Name != "b" || f.Direction != "new" || *f.Value != 30 || !(*f.Low > 0 && *f.High < 12) || *f.Nearest > 12 {
		t.Errorf("first is %+v", f)
	}
}
