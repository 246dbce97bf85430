package baseline

import (
	"math"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/firebreak-io/firebreak/detect/pack"
)

// A trail is what it says: each number by how many came after it, of as many as
// it is of.
func TestTrailSums(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s := New(Options{Sums: 1})
		e := s.Touch(who(1, 1))
		over := rapid.Float64Range(2, 100).Draw(t, "over")
		all := rapid.SliceOfN(rapid.Float64Range(0, 1e9), 1, 200).Draw(t, "numbers")
		for n, x := range all {
			var want, ones float64
			for i, y := range all[:n+1] {
				w := math.Exp(-float64(n-i) / over)
				want, ones = want+w*y, ones+w
			}
			want = want / ones / (1 - math.Exp(-1/over))
			if got := s.Trail(e, 0, x, over); math.Abs(got-want) > 1e-6*math.Max(1, want) {
				t.Fatalf("number %d: %v, not %v", n, got, want)
			}
			s.Follow(e, 0, x, over)
		}
	})
}

// What always is the same comes to the same from the first one on, whatever time
// goes by; what lasts comes to more with each number, what is over to less.
func TestTrailLasts(t *testing.T) {
	s := New(Options{Sums: 1})
	e := s.Touch(who(1, 1))
	next := func(x float64) float64 {
		v := s.Trail(e, 0, x, 30)
		s.Follow(e, 0, x, 30)
		return v
	}
	usual := next(1000)
	if usual < 30_000 || usual > 31_000 {
		t.Errorf("thirty times a thousand is %v", usual)
	}
	for range 300 {
		if v := next(1000); math.Abs(v-usual) > 1e-6*usual {
			t.Fatalf("%v after %v, and nothing changed", v, usual)
		}
	}
	last := usual
	for range 20 {
		v := next(1500)
		if v <= last {
			t.Fatalf("%v after %v, and there was more", v, last)
		}
		last = v
	}
	if last < 1.2*usual {
		t.Errorf("half as much again twenty times comes to %v of the usual", last/usual)
	}
	if v := next(0); v >= last {
		t.Errorf("%v after %v, and there was nothing", v, last)
	}
}

// What is no number adds nothing, and no number makes it endless; what was saved
// comes to the same.
func TestTrailBounded(t *testing.T) {
	s := New(Options{Sums: 1})
	e := s.Touch(who(1, 1))
	for _, x := range []float64{5, math.NaN(), math.Inf(1), math.MaxFloat64, math.MaxFloat64} {
		s.Follow(e, 0, x, 30)
	}
	s.Observe(e, time.Unix(1e9, 0))
	v := s.Trail(e, 0, math.NaN(), 30)
	if math.IsInf(v, 0) || math.IsNaN(v) {
		t.Errorf("it came to %v", v)
	}
	var out pack.Writer
	s.Save(&out)
	again := New(Options{Sums: 1})
	if err := again.Load(pack.NewReader(out.Data)); err != nil {
		t.Fatal(err)
	}
	if got := again.Trail(again.Find(key(1)), 0, math.NaN(), 30); got != v {
		t.Errorf("%v after a restart, %v before", got, v)
	}
}
