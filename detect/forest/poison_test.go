package forest

import (
	"testing"
	"time"
)

// poisoned is the percentile of an attack's score among those of 4,000 normal
// rows, after one of the principals, who has a tenth of 20,000 rows, has
// drifted to the attack in the first half and stayed there: four sigma on two of
// five features. It does much the same all the time.
func poisoned(t testing.TB, seed uint64, share float64) float64 {
	const dims, rows, others = 5, 20000, 90
	r, err := NewRolling(dims, Options{Seed: seed}, Learning{Memory: window, Share: share})
	if err != nil {
		t.Fatal(err)
	}
	state := mix(seed)
	row := make([]float64, dims)
	fill := func() {
		for f := range row {
			row[f] = normal(&state)
		}
	}
	at := time.Unix(1e9, 0)
	for i := range rows {
		fill()
		principal := uint64(2 + i%others)
		if i%10 == 0 {
			principal = 1
			drift := 4 * min(1, 2*float64(i)/rows)
			for f := range row {
				row[f] *= 0.3
			}
			row[2], row[3] = row[2]+drift, row[3]+drift
		}
		r.Add(row, principal, at)
		at = at.Add(time.Second)
	}
	scores := make([]float64, 4000)
	for i := range scores {
		fill()
		scores[i] = r.Score(row)
	}
	clear(row)
	row[2], row[3] = 4, 4
	return rank(scores, r.Score(row))
}

// One who drifts slowly can't teach the forest that an attack is normal.
func TestPoisoning(t *testing.T) {
	t.Logf("%-24s %s", "share of one principal", "percentile of the attack, median")
	for _, c := range []struct {
		share float64
		says  string
	}{{1, "all it wants"}, {0.05, "5 %"}, {0, "2 %, the usual"}} {
		var ranks []float64
		for seed := range seeds() {
			ranks = append(ranks, poisoned(t, seed, c.share))
		}
		t.Logf("%-24s %.1f", c.says, median(ranks))
		if c.share == 0 && median(ranks) < 97 {
			t.Errorf("the attack is at percentile %.1f", median(ranks))
		}
	}
}
