package baseline

import (
	"bytes"
	"math"
	"testing"
	"time"

	"github.com/firebreak-io/firebreak/detect/pack"
)

// rolledOut is a store in which new versions of ten entities were off, each in each
// minute of half an hour, by as much as they usually are, and what is usual is 10
// and a little. The last entity has just begun with a new version.
func rolledOut(t *testing.T, rollouts int, off float64) (s *Store, e *Entity, now time.Time) {
	t.Helper()
	s, now = New(Options{Series: 1}), start
	numbers := func(e *Entity, n int, off float64) {
		for i := range n {
			now = now.Add(time.Minute)
			s.Observe(e, now)
			s.Learn(e, 0, 10+float64(i*7919%101)/50+off, Basis{Trust: 1}, now)
		}
	}
	for i := range rollouts + 1 {
		e = s.Touch(who(1+i, 1))
		e.Rollout(ValueOf("sha256:1"), now, time.Hour)
		numbers(e, 600, 0)
		if !e.Rollout(ValueOf("sha256:2"), now, time.Hour) {
			t.Fatal("no time of grace")
		}
		if i < rollouts {
			numbers(e, 30, off)
		}
	}
	return s, e, now
}

// A new version excuses what new versions do, and not what none ever did: the
// excuse fades up to twice as far.
func TestGraceExcusesWhatVersionsDo(t *testing.T) {
	s, e, now := rolledOut(t, 10, 3)
	far := s.graces[0].limit()
	if far < outlier || far >= wild {
		t.Fatalf("new versions go %.1f deviations far", far)
	}
	last := 0.0
	for x := 11.0; x < 1e4; x *= 1.05 {
		plain, _ := s.off(e, 0, x, Basis{Trust: 1}, now)
		told, ok := s.Relative(e, 0, x, Basis{Trust: 1}, now)
		under, _ := s.Relative(e, 0, x, Basis{Trust: 1}, now.Add(2*time.Hour)) // its time of grace is over
		switch {
		case !ok || told < last:
			t.Errorf("%v is %.2f deviations off, less than the %.2f of what is less", x, told, last)
		case plain <= far && math.Abs(told-plain/graced) > 1e-9:
			t.Errorf("%v is %.2f deviations off in grace, %.2f without: new versions go %.2f far", x, told, plain, far)
		case plain >= 2*far && told != plain:
			t.Errorf("%v is excused: %.2f deviations instead of %.2f, where new versions go %.2f far", x, told, plain, far)
		case under == 0:
			t.Fatal("nothing is known of it")
		}
		last = told
	}
	if last < 2*far {
		t.Fatalf("%.2f is no test of what goes %.2f far", last, far)
	}
}

// As long as few versions were seen, a new one excuses what is not wild, and what is
// wild twice over not at all; that neither becomes usual within minutes.
func TestGraceOfTheFirstVersions(t *testing.T) {
	s, e, now := rolledOut(t, 1, 3)
	for _, c := range []struct{ x, part float64 }{{16, graced}, {1e4, 1}} {
		plain, _ := s.off(e, 0, c.x, Basis{Trust: 1}, now)
		if told, _ := s.Relative(e, 0, c.x, Basis{Trust: 1}, now); math.Abs(told-plain/c.part) > 1e-9 {
			t.Errorf("%v is %.2f deviations off, %.2f without a new version", c.x, told, plain)
		}
	}
	first, _ := s.Relative(e, 0, 1e4, Basis{Trust: 1}, now)
	for range 5 {
		now = now.Add(time.Minute)
		s.Learn(e, 0, 1e4, Basis{Trust: 1}, now)
	}
	if last, _ := s.Relative(e, 0, 1e4, Basis{Trust: 1}, now); last < first/10 {
		t.Errorf("after five minutes it is %.1f deviations off instead of %.1f", last, first)
	}
}

// What is far beyond any version neither becomes usual within minutes nor an excuse
// for the next.
func TestGraceIsNotTaughtByABurst(t *testing.T) {
	s, e, now := rolledOut(t, 10, 3)
	before := s.graces[0].limit()
	first, _ := s.Relative(e, 0, 1e4, Basis{Trust: 1}, now)
	for range 5 {
		now = now.Add(time.Minute)
		s.Learn(e, 0, 1e4, Basis{Trust: 1}, now)
	}
	after := s.graces[0].limit()
	if last, _ := s.Relative(e, 0, 1e4, Basis{Trust: 1}, now); last < first/10 || after > 2*before {
		t.Errorf("after five minutes it is %.1f deviations off instead of %.1f, and new versions go %.2f far instead of %.2f", last, first, after, before)
	}
}

// How far new versions go is remembered.
func TestGraceIsSaved(t *testing.T) {
	s, e, now := rolledOut(t, 10, 3)
	var out, again pack.Writer
	s.Save(&out)
	other := New(Options{Series: 1})
	if err := other.Load(pack.NewReader(out.Data)); err != nil {
		t.Fatal(err)
	}
	if other.Save(&again); !bytes.Equal(out.Data, again.Data) {
		t.Error("it is saved otherwise")
	}
	want, _ := s.Relative(e, 0, 1e4, Basis{Trust: 1}, now)
	if got, _ := other.Relative(other.Find(e.key), 0, 1e4, Basis{Trust: 1}, now); got != want {
		t.Errorf("%.2f deviations, %.2f before", got, want)
	}
}
