package budget

import (
	"testing"
	"time"
)

// What is clear and higher than all that is known is found though too little is
// known to say how rare it is: once of an entity, and not what is below another, nor
// what is not clear.
func TestRecord(t *testing.T) {
	start := time.Date(2026, 1, 5, 0, 0, 0, 0, time.UTC)
	for name, c := range map[string]struct {
		score, known float64
		circumstance Circumstance
		found        bool
	}{
		"clear and the highest": {score: 0.9, known: 0.6, found: true},
		"lower than another":    {score: 0.9, known: 0.95},
		"not clear":             {score: 0.75, known: 0.6},
		"found before":          {score: 0.9, known: 0.6, circumstance: Circumstance{Before: 1}},
		"quiet":                 {score: 0.9, known: 0.6, circumstance: Circumstance{Quiet: true}},
	} {
		t.Run(name, func(t *testing.T) {
			b, err := New(Options{PerDay: 5, Floor: 0.5, Clear: 0.8})
			if err != nil {
				t.Fatal(err)
			}
			at, r := start, uint64(1)
			for i := range 2000 { // three quarters of an hour
				at = at.Add(1350 * time.Millisecond)
				r = mix(r)
				who, score := uint64(i%50), 0.3+0.1*float64(r>>11)/(1<<53)
				if i%40 == 7 { // two have all that is high: that says little of the rest
					who, score = uint64(i/40%2), score+(c.known-0.4)*float64(i)/2000
				}
				b.Judge(who, at, score, Circumstance{Quiet: true})
				b.Learn(who, at, score)
			}
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
