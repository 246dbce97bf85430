package detect

import (
	"math/rand/v2"
	"testing"
	"time"
)

// Rows of nobody in particular are no principal that has a share together: of all of
// them it is known how rare a score is, and one that is far off is anomalous with the
// usual contamination, while about that share of the others is.
func TestRowsOfNobodyAreAllKnown(t *testing.T) {
	table, err := NewTable(TableOptions{Features: []string{"a", "b"}})
	if err != nil {
		t.Fatal(err)
	}
	r, at := rand.New(rand.NewPCG(1, 5)), modelStart // #nosec G404 -- not a secret
	const rows = 900
	score := func(a, b float64) Scored {
		t.Helper()
		s, err := table.Score([]float64{a, b}, at)
		if err != nil {
			t.Fatal(err)
		}
		return s
	}
	anomalous := 0
	for range rows {
		at = at.Add(time.Second)
		a, b := r.NormFloat64(), 5+2*r.NormFloat64()
		s := score(a, b)
		if s.Anomalous {
			anomalous++
		}
		table.Learn([]float64{a, b}, s, 0, at)
	}
	if s := score(9, 40); !s.Anomalous || s.P > 2.0/rows {
		t.Errorf("a row that is far off: %+v", s)
	}
	if s := score(0, 5); s.Anomalous || anomalous == 0 || anomalous > rows/25 {
		t.Errorf("a usual row: %+v; %d of %d were anomalous", s, anomalous, rows)
	}
}
