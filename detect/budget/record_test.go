package budget

import (
	"testing"
	"time"
)

// What is clear and higher than all that is known is found though too little is
// known to say how rare it is: of an entity that was found before only what is higher
// than all that was, and not what is below another, nor what is not clear.
func TestRecord(t *testing.T) {
	for name, c := range map[string]struct {
		score, known float64
		circumstance Circumstance
		found        bool
	}{
		"clear and the highest": {score: 0.9, known: 0.6, found: true},
		"lower than another":    {score: 0.9, known: 0.95},
		"not clear":             {score: 0.75, known: 0.6},
		"found before":          {score: 0.9, known: 0.6, circumstance: Circumstance{Before: 1}},
		"found before, and higher than all that was": {score: 0.9, known: 0.6, circumstance: Circumstance{Before: 3, Alike: 3, Highest: true}, found: true},
		"quiet": {score: 0.9, known: 0.6, circumstance: Circumstance{Quiet: true}},
	} {
		t.Run(name, func(t *testing.T) {
			b, at := begun(t, c.known)
			before := b.Counts()
			d := b.Judge(99, at.Add(time.Second), c.score, c.circumstance)
			if !c.circumstance.Quiet && d.P <= d.Need {
				t.Fatalf("p %v needs no record, %v is enough", d.P, d.Need)
			}
			if d.Found != c.found || b.Counts().Helped != before.Helped {
				t.Errorf("found %v, want %v: %+v", d.Found, c.found, d)
			}
		})
	}
}

// begun is three quarters of an hour of scores, of which two entities have all that
// is high: that says little of the rest.
func begun(t *testing.T, highest float64) (*Budget, time.Time) {
	t.Helper()
	b := budgetOf(t, Options{PerDay: 5, Floor: 0.5, Clear: 0.8})
	at, r := start, uint64(1)
	for i := range 2000 {
		at = at.Add(1350 * time.Millisecond)
		r = mix(r)
		who, score := uint64(i%50), 0.3+0.1*float64(r>>11)/(1<<53)
		if i%40 == 7 {
			who, score = uint64(i/40%2), score+(highest-0.4)*float64(i)/2000
		}
		b.Judge(who, at, score, Circumstance{Quiet: true})
		b.Learn(who, at, score)
	}
	return b, at
}

// What was far above the rest while that was low is no higher for that when the rest
// has risen.
func TestRecordIsOfScores(t *testing.T) {
	b, at := begun(t, 0.75)
	for i := range 800 { // the rest rises
		at = at.Add(time.Second)
		b.Judge(uint64(i%50), at, 0.5, Circumstance{Quiet: true})
		b.Learn(uint64(i%50), at, 0.5)
	}
	for i, score := range []float64{0.7, 0.9} {
		if got := b.recent.highest(score); got != (i == 1) {
			t.Errorf("%v is the highest: %v", score, got)
		}
	}
}

// Who spends the budget and its credit on what is clear does not hide what is higher
// than all of it, twice; and what was found of an entity takes its credit only where
// it is alike.
func TestHighestIsFoundWhenAllIsSpent(t *testing.T) {
	judged := func(b *Budget, at time.Time, score float64, c Circumstance) bool {
		return b.Judge(99, at, score, c).Found
	}
	b, at := begun(t, 0.6)
	for range 20 {
		at = at.Add(time.Second)
		b.Judge(98, at, 0.85, Circumstance{})
	}
	if judged(b, at, 0.86, Circumstance{}) {
		t.Fatal("the credit is not spent")
	}
	for i, want := range []bool{true, true, false} {
		if got := judged(b, at, 0.9, Circumstance{Before: 2, Alike: 2, Highest: true}); got != want {
			t.Errorf("higher than all, time %d: found %v", i+1, got)
		}
	}
	for alike, want := range map[int]bool{0: true, 2: false} {
		b, at := begun(t, 0.6)
		judged(b, at.Add(time.Second), 0.85, Circumstance{}) // takes what there is
		if got := judged(b, at.Add(time.Second), 0.99, Circumstance{Alike: alike}); got != want {
			t.Errorf("on credit, with %d alike: found %v", alike, got)
		}
	}
}
