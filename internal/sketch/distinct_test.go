package sketch

import (
	"bytes"
	"fmt"
	"math"
	"math/rand/v2"
	"testing"

	"pgregory.net/rapid"
)

func distinctOf(from, to int) *Distinct {
	d := &Distinct{}
	for i := from; i < to; i++ {
		d.Add(fmt.Sprintf("10.%d.%d.%d", i>>16, i>>8&255, i&255))
	}
	return d
}

// Small numbers are exact, large ones within four times the standard error; the
// union of parts that overlap is counted as the union.
func TestDistinctKeepsItsError(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		merged := &Distinct{}
		seen := map[int]bool{}
		for range rapid.IntRange(1, 5).Draw(t, "parts") {
			from := rapid.IntRange(0, 5000).Draw(t, "from")
			to := from + rapid.OneOf(rapid.IntRange(0, 60), rapid.IntRange(0, 20_000)).Draw(t, "n")
			merged.Merge(distinctOf(from, to))
			for i := from; i < to; i++ {
				seen[i] = true
			}
		}
		got, want := float64(merged.Count()), float64(len(seen))
		if len(seen) <= MaxExact && got != want {
			t.Fatalf("counted %v of %v", got, want)
		}
		if math.Abs(got-want) > 4*DistinctError*want {
			t.Fatalf("counted %v of %v", got, want)
		}
	})
}

// TestDistinctError is what the documentation says: of many sets two thirds are
// within the standard error.
func TestDistinctError(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2)) // #nosec G404 -- not a secret
	for _, n := range []int{200, 1000, 4000, 10_000, 30_000} {
		var square, worst float64
		const sets = 100
		for range sets {
			d := &Distinct{}
			for range n {
				d.Add(fmt.Sprint(r.Uint64()))
			}
			off := (float64(d.Count()) - float64(n)) / float64(n)
			square, worst = square+off*off, max(worst, math.Abs(off))
		}
		deviation := math.Sqrt(square / sets)
		t.Logf("%d values: standard error %.2f %%, the worst of %d sets %.2f %%", n, 100*deviation, sets, 100*worst)
		if deviation > 1.25*DistinctError {
			t.Errorf("%d values: standard error %v", n, deviation)
		}
	}
}

func TestDistinctMergesInAnyOrder(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		ends := rapid.SliceOfN(rapid.IntRange(0, 400), 6, 6).Draw(t, "ends")
		part := func(i int) *Distinct { return distinctOf(min(ends[i], ends[i+1]), max(ends[i], ends[i+1])) }
		left := part(0)
		left.Merge(part(2))
		left.Merge(part(4))
		inner := part(4)
		inner.Merge(part(2))
		right := part(4)
		right.Merge(inner)
		right.Merge(part(0))
		if !bytes.Equal(left.append(nil), right.append(nil)) {
			t.Fatal("the set depends on the order of merging")
		}
		var back Distinct
		if err := back.decode(left.append(nil)); err != nil || back.Count() != left.Count() {
			t.Fatalf("%d read as %d: %v", left.Count(), back.Count(), err)
		}
	})
}

func FuzzDistinct(f *testing.F) {
	f.Add([]byte{})
	f.Add(distinctOf(0, 3).append(nil))
	f.Add(distinctOf(0, 300).append(nil))
	f.Add([]byte{exactSet, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 1})
	f.Add(append([]byte{registered}, bytes.Repeat([]byte{0xff}, packed)...))
	f.Fuzz(func(t *testing.T, data []byte) {
		var d Distinct
		if d.decode(data) != nil {
			return
		}
		if again := d.append(nil); !bytes.Equal(again, data) {
			t.Fatalf("%x is written %x", data, again)
		}
		var sum Distinct
		sum.Merge(&d)
		sum.Merge(&d)
		if sum.Count() != d.Count() {
			t.Fatalf("merging %d with itself gives %d", d.Count(), sum.Count())
		}
	})
}
