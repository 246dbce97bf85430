package sketch

import (
	"bytes"
	"math"
	"slices"
	"testing"

	"pgregory.net/rapid"
)

// durations draws values as requests have them, over many orders of size.
func durations(t *rapid.T, label string) []float64 {
	exponent := rapid.Float64Range(math.Log(MinValue), math.Log(MaxValue))
	values := rapid.SliceOfN(rapid.OneOf(rapid.Map(exponent, math.Exp), rapid.Just(0.0), rapid.Float64Range(0.001, 0.2)), 0, 300)
	return values.Draw(t, label)
}

func quantilesOf(values []float64) *Quantiles {
	q := &Quantiles{}
	for _, v := range values {
		q.Add(v)
	}
	return q
}

// The merged sketch of any parts tells each quantile within one per cent of the
// value at its rank.
func TestQuantilesKeepTheirError(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var all []float64
		merged := &Quantiles{}
		for range rapid.IntRange(1, 5).Draw(t, "parts") {
			part := durations(t, "values")
			all = append(all, part...)
			merged.Merge(quantilesOf(part))
		}
		if merged.Count() != uint64(len(all)) {
			t.Fatalf("count %d of %d", merged.Count(), len(all))
		}
		slices.Sort(all)
		for _, p := range []float64{0, .01, .5, .9, .99, 1} {
			got, ok := merged.At(p)
			if ok != (len(all) > 0) {
				t.Fatalf("At(%v) of %d values: %v", p, len(all), ok)
			}
			if !ok {
				continue
			}
			want := all[int(math.Floor(p*float64(len(all)-1)))]
			if math.Abs(got-want) > QuantileError*want*1.000001 {
				t.Fatalf("At(%v) is %v, the value at that rank %v", p, got, want)
			}
		}
	})
}

// Neither order nor grouping is seen in the bytes.
func TestQuantilesMergeInAnyOrder(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		a, b, c := durations(t, "a"), durations(t, "b"), durations(t, "c")
		left := quantilesOf(a)
		left.Merge(quantilesOf(b))
		left.Merge(quantilesOf(c))
		right := quantilesOf(c)
		inner := quantilesOf(b)
		inner.Merge(quantilesOf(a))
		right.Merge(inner)
		whole := quantilesOf(slices.Concat(b, a, c))
		if !bytes.Equal(left.append(nil), right.append(nil)) || !bytes.Equal(left.append(nil), whole.append(nil)) {
			t.Fatal("the sketch depends on the order of merging")
		}
	})
}

func TestQuantilesAreBounded(t *testing.T) {
	q := quantilesOf([]float64{math.NaN(), -1, math.Inf(-1), 1e-300, 0, math.Inf(1), 1e300, math.SmallestNonzeroFloat64})
	if q.Count() != 5 {
		t.Errorf("%d values", q.Count())
	}
	low, _ := q.At(0)
	high, _ := q.At(1)
	if low != 0 || math.Abs(high-MaxValue) > QuantileError*MaxValue {
		t.Errorf("from %v to %v", low, high)
	}
	for v := MinValue; v < MaxValue; v *= 1.01 {
		q.Add(v)
	}
	if n := len(q.bins()); n > maxIndex-minIndex+1 {
		t.Errorf("%d bins", n)
	}
	var back Quantiles
	if err := back.decode(q.append(nil)); err != nil {
		t.Error(err)
	}
	if _, ok := q.At(1.1); ok {
		t.Error("a quantile past 1")
	}
}

func FuzzQuantiles(f *testing.F) {
	f.Add(quantilesOf([]float64{0, .001, .02, .02, 3}).append(nil))
	f.Add([]byte{0})
	f.Add([]byte{})
	f.Add([]byte{0x80, 0})
	f.Add([]byte{0, 1, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 1})
	f.Fuzz(func(t *testing.T, data []byte) {
		var q Quantiles
		if q.decode(data) != nil {
			return
		}
		if again := q.append(nil); !bytes.Equal(again, data) {
			t.Fatalf("%x is written %x", data, again)
		}
		var sum Quantiles
		sum.Merge(&q)
		sum.Merge(&q)
		if sum.Count() != 2*q.Count() {
			t.Fatalf("twice %d is %d", q.Count(), sum.Count())
		}
	})
}
