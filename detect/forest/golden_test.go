package forest

import (
	"math"
	"testing"
	"time"
)

// The same scores to the bit on every machine: these were recorded on one. A
// processor that fuses products into sums, or other instructions for
// logarithms, must not change them.
func TestGolden(t *testing.T) {
	x := cloud(3000, 5, 42)
	x[7] = math.NaN()
	f := fit(t, x, 5, Options{Seed: 1})
	var batch, streamed, told uint64
	far := cloud(500, 5, 43)
	for i := range far {
		far[i] *= 3
	}
	for _, s := range f.ScoreAll(nil, far) {
		batch = mix(batch ^ math.Float64bits(s))
	}
	r, _ := NewRolling(5, Options{Seed: 2, Sample: 64}, Learning{Reservoir: 512, Memory: 10 * time.Minute, Every: 8})
	for i := range 3000 {
		row := x[i*5 : i*5+5]
		streamed = mix(streamed ^ math.Float64bits(r.Score(row)))
		r.Add(row, uint64(i%40), began.Add(time.Duration(i)*time.Second))
	}
	e, err := r.Explain(far[:5], 0.5)
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range e.Features {
		told = mix(told ^ math.Float64bits(c.Depth))
	}
	for _, c := range []struct {
		what      string
		got, want uint64
	}{{"batch", batch, 0xba260f9769af3e23}, {"stream", streamed, 0x7fb0597ae886aad4}, {"explanation", told, 0xcb5f1067484f12c3}} {
		if c.got != c.want {
			t.Errorf("%s: %#x, was %#x", c.what, c.got, c.want)
		}
	}
}
