package forest

import (
	"math"
	"testing"
)

// normal is a number from the normal distribution.
func normal(state *uint64) float64 {
	*state = mix(*state)
	u := 1 - unit(*state)
	*state = mix(*state)
	return math.Sqrt(-2*math.Log(u)) * math.Cos(2*math.Pi*unit(*state))
}

const flagDims = 8

// flags are rows of five features that vary, one of them with a long tail, and
// three flags. A normal row sets none; with the chance rare it sets the last; an
// anomaly sets one. All flags tremble by noise.
func flags(n int, anomalies, rare, noise float64, seed uint64) *table {
	state := mix(seed)
	set := &table{dims: flagDims, anomaly: make([]bool, n)}
	chance := func() float64 { state = mix(state); return unit(state) }
	for i := range n {
		row := make([]float64, flagDims)
		for f := range row {
			row[f] = normal(&state)
		}
		row[4] = math.Exp(row[4])
		for f := 5; f < flagDims; f++ {
			row[f] *= noise
		}
		if chance() < rare {
			row[7] = 1
		}
		if set.anomaly[i] = chance() < anomalies; set.anomaly[i] {
			row[5+int(chance()*3)] = 1
		}
		set.x = append(set.x, row...)
	}
	return set
}

// novelty is the AUC of anomalies that set a flag that was never set in
// training, and how much more often than by a forest without cuts beyond the data
// normal rows score above 0.6.
func novelty(t testing.TB, seed uint64, beyond, rare, trained, noise float64) (area, over float64) {
	train, test := flags(4000, 0, rare, trained, seed), flags(5000, 0.02, rare, noise, seed+1000)
	alarms := func(beyond float64) (scores []float64, above float64) {
		f, err := Fit(train.x, flagDims, Options{Seed: seed, Beyond: beyond})
		if err != nil {
			t.Fatal(err)
		}
		scores = f.ScoreAll(nil, test.x)
		for i, score := range scores {
			if score > 0.6 && !test.anomaly[i] {
				above++
			}
		}
		return scores, above / float64(len(scores))
	}
	_, plain := alarms(None)
	scores, above := alarms(beyond)
	return auc(scores, test.anomaly), above - plain
}

// A value never seen on a constant feature is found, and what is merely near a
// constant, or rare but seen, is not.
func TestNovelty(t *testing.T) {
	t.Logf("%-34s %-22s %-22s %s", "AUC, and normal rows above 0.6", "beyond 0.5, the usual", "0.25", "none")
	for _, c := range []struct {
		name                 string
		rare, trained, noise float64
		least                float64
	}{
		{"constant", 0, 0, 0, 0.95},
		{"constant, later trembling 1e-6", 0, 0, 1e-6, 0.95},
		{"constant, later trembling 0.01", 0, 0, 0.01, 0.95},
		{"trembling 1e-9", 0, 1e-9, 1e-9, 0.95},
		{"trembling 0.01", 0, 0.01, 0.01, 0.95},
		{"a flag of three set in 0.2 %", 0.002, 0, 0, 0},
	} {
		var areas, overs [3][]float64
		for seed := range seeds() {
			for i, beyond := range []float64{0, 0.25, None} {
				area, over := novelty(t, seed, beyond, c.rare, c.trained, c.noise)
				areas[i], overs[i] = append(areas[i], area), append(overs[i], over)
			}
		}
		a, o := areas, overs
		t.Logf("%-34s %.4f %+.2f %%         %.4f %+.2f %%         %.4f", c.name,
			median(a[0]), 100*median(o[0]), median(a[1]), 100*median(o[1]), median(a[2]))
		if median(a[0]) < c.least {
			t.Errorf("%s: AUC %.4f", c.name, median(a[0]))
		}
		if median(o[0]) > 0.002 {
			t.Errorf("%s: %.2f %% more of the normal rows above 0.6", c.name, 100*median(o[0]))
		}
	}
}
