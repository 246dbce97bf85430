package baseline

import (
	"math"
	"math/rand/v2"
	"testing"
	"time"
)

// An interval is told at its end: what ends when an hour does is of that hour, and
// not the first of the next.
func TestTheEndOfAnHourIsOfIt(t *testing.T) {
	s, r := New(Options{Series: 1}), rand.New(rand.NewPCG(1, 2)) // #nosec G404 -- not a secret
	e := s.Touch(who(1, 1))
	working := func(end time.Time) float64 {
		if began := end.Add(-5 * time.Minute); began.Hour() >= 9 && began.Hour() < 17 {
			return 20 + 2*r.NormFloat64()
		}
		return 1 + 0.2*r.NormFloat64()
	}
	at := start.Add(5 * time.Minute)
	for ; !at.After(start.AddDate(0, 0, 14)); at = at.Add(5 * time.Minute) {
		s.Learn(e, 0, working(at), Basis{Trust: 1}, at)
	}
	nine, five := start.AddDate(0, 0, 14).Add(9*time.Hour), start.AddDate(0, 0, 14).Add(17*time.Hour)
	for _, c := range []struct {
		end   time.Time
		usual float64
		odd   float64
	}{{nine, 1, 20}, {nine.Add(5 * time.Minute), 20, 1}, {five, 20, 1}, {five.Add(5 * time.Minute), 1, 20}} {
		usual, _ := s.Relative(e, 0, c.usual, Basis{Trust: 1}, c.end)
		odd, _ := s.Relative(e, 0, c.odd, Basis{Trust: 1}, c.end)
		if math.Abs(usual) > 3 || math.Abs(odd) < 4 {
			t.Errorf("at %s %v is %.1f deviations off, and %v %.1f", c.end.Format(time.TimeOnly), c.usual, usual, c.odd, odd)
		}
	}
}

// What a new version does in its time of grace says nothing of how much the
// numbers of others vary.
func TestGraceWidensNobodyElse(t *testing.T) {
	s, r := New(Options{Series: 1}), rand.New(rand.NewPCG(1, 3)) // #nosec G404 -- not a secret
	calm, new := s.Touch(who(1, 1)), s.Touch(who(2, 1))
	at := start
	for range 300 {
		at = at.Add(time.Minute)
		s.Learn(calm, 0, 100+r.NormFloat64(), Basis{Trust: 1}, at)
		s.Learn(new, 0, 100+r.NormFloat64(), Basis{Trust: 1}, at)
	}
	before, _ := s.Relative(calm, 0, 130, Basis{Trust: 1}, at)
	new.Rollout(ValueOf("sha256:1"), at, time.Hour)
	if !new.Rollout(ValueOf("sha256:2"), at, time.Hour) {
		t.Fatal("no time of grace")
	}
	for i := range 30 {
		s.Learn(new, 0, float64(i%2)*1e9, Basis{Trust: 1}, at.Add(time.Duration(i)*time.Minute))
	}
	if after, _ := s.Relative(calm, 0, 130, Basis{Trust: 1}, at); after != before {
		t.Errorf("%.2f deviations before, %.2f after", before, after)
	}
}
