package forest

import (
	"math/rand/v2"
	"testing"
	"time"
)

// eleven are the sets over which streams are compared, as far as they are here.
var eleven = map[string]bool{
	"http": true, "cover": true, "mulcross": true, "smtp": true, "shuttle": true, "mammography": true,
	"annthyroid": true, "satellite": true, "breastw": true, "thyroid": true, "pendigits": true,
}

// window is a memory of as many rows as the reservoir has, when one comes a
// second.
const window = 2048 * time.Second

// prefix is how many rows of a shuffled set are taken at most.
const prefix = 100_000

// stream is the AUC when each row is scored and then learned, in the order
// given.
func stream(t testing.TB, set *table, order []int, o Options, l Learning) float64 {
	r, err := NewRolling(set.dims, o, l)
	if err != nil {
		t.Fatal(err)
	}
	scores, anomaly := make([]float64, len(order)), make([]bool, len(order))
	at := time.Unix(1e9, 0)
	for i, row := range order {
		scores[i], anomaly[i] = r.Score(set.row(row)), set.anomaly[row]
		r.Add(set.row(row), 0, at)
		at = at.Add(time.Second)
	}
	return auc(scores, anomaly)
}

func streams(t testing.TB, set *table, shuffled bool, o Options, l Learning) float64 {
	var areas []float64
	for o.Seed = range seeds() {
		order := rand.New(rand.NewPCG(o.Seed, 1)).Perm(set.rows())
		for i := range order {
			if !shuffled {
				order[i] = i
			}
		}
		if shuffled {
			order = order[:min(len(order), prefix)]
		}
		areas = append(areas, stream(t, set, order, o, l))
	}
	return median(areas)
}

// paired is how far a set may be below the plain forest, which has the same trees:
// what is beyond all that came before is called strange, also in sets that say of
// an extreme row that it is normal.
const paired = 0.0005

// What streams is no worse for what it does beside learning: cuts beyond the
// data and anchors.
func TestStreams(t *testing.T) {
	t.Logf("%-12s  %-16s %-16s in the file's order", "", "shuffled", "")
	t.Logf("%-12s  %-8s %-8s %-8s %s", "table", "this", "plain", "this", "plain")
	var sum [4]float64
	n := 0.0
	for _, set := range small(t) {
		if !eleven[set.name] && !set.own() {
			continue
		}
		var a [4]float64
		for i := range a {
			o, l := Options{}, Learning{Memory: window}
			if i%2 == 1 {
				o.Beyond, l.Anchors = None, None
			}
			a[i] = streams(t, set, i < 2, o, l)
			sum[i] += a[i]
		}
		n++
		t.Logf("%-12s  %.4f   %.4f   %.4f   %.4f", set.name, a[0], a[1], a[2], a[3])
		if a[0] < a[1]-paired || a[2] < a[3]-paired {
			t.Errorf("%s: below the plain rolling forest", set.name)
		}
	}
	t.Logf("%-12s  %.4f   %.4f   %.4f   %.4f", "mean", sum[0]/n, sum[1]/n, sum[2]/n, sum[3]/n)
	if slack := 0.0001 * bitOf(!full()); sum[0]/n < sum[1]/n-slack || sum[2]/n < sum[3]/n-slack {
		t.Error("the mean is below the plain rolling forest's")
	}
}
