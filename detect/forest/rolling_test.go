package forest

import (
	"testing"
	"time"
)

var began = time.Unix(1_700_000_000, 0)

// taught is a rolling forest that has learned a cloud, one row a second, of
// principals 1 to 100.
func taught(t testing.TB, rows, dims int, l Learning) *Rolling {
	t.Helper()
	r, err := NewRolling(dims, Options{Seed: 1}, l)
	if err != nil {
		t.Fatal(err)
	}
	x := cloud(rows, dims, 3)
	for i := range rows {
		r.Add(x[i*dims:(i+1)*dims], uint64(i%100+1), began.Add(time.Duration(i)*time.Second))
	}
	return r
}

func TestWarmUp(t *testing.T) {
	r := taught(t, 0, 2, Learning{WarmUp: 300})
	if s := r.Score([]float64{1, 2}); s < 0.499 || s > 0.501 {
		t.Errorf("knowing nothing it says %v", s)
	}
	if _, err := r.Explain([]float64{1, 2}, 0.5); err == nil {
		t.Error("it explains what it knows nothing of")
	}
	if ready, missing := r.Ready(); ready || missing != 300 {
		t.Errorf("ready %v, %d missing", ready, missing)
	}
	if ready, missing := taught(t, 299, 2, Learning{WarmUp: 300}).Ready(); ready || missing != 1 {
		t.Errorf("ready %v, %d missing", ready, missing)
	}
	if ready, missing := taught(t, 300, 2, Learning{WarmUp: 300}).Ready(); !ready || missing != 0 {
		t.Errorf("ready %v, %d missing", ready, missing)
	}
}

// Nobody may fill more of the reservoir than its share, but who is alone has all
// of it, and gives it back when others come.
func TestShare(t *testing.T) {
	r := taught(t, 0, 2, Learning{Memory: window})
	x := cloud(20000, 2, 5)
	add := func(i int, principal uint64) { r.Add(x[i*2:i*2+2], principal, began.Add(time.Duration(i)*time.Second)) }
	for i := range 4000 {
		add(i, 1)
	}
	if n := r.pool.has(1); n != 2048 {
		t.Errorf("alone it has %d", n)
	}
	for i := 4000; i < 20000; i++ {
		add(i, uint64(1+i%2*(i%199)))
	}
	for principal, o := range r.pool.owners {
		if o.rows > 41 {
			t.Errorf("%d has %d rows of %d", principal, o.rows, len(r.pool.slots))
		}
		real := 0
		for _, s := range r.pool.slots {
			if s.principal == principal {
				real++
			}
		}
		if real != o.rows {
			t.Errorf("%d has %d rows, not %d", principal, real, o.rows)
		}
	}
	if s := r.Stats(); s.Rows != 2048 || s.Capped == 0 || s.Offered != 20000 {
		t.Errorf("%+v", s)
	}
}

// With equal shares for all, a younger row is likelier to be remembered, as far
// as the memory says.
func TestForgets(t *testing.T) {
	old := func(memory time.Duration) (n int) {
		r, _ := NewRolling(1, Options{}, Learning{Memory: memory})
		for i := range 40000 {
			r.Add([]float64{float64(i)}, 0, began.Add(time.Duration(i)*time.Second))
		}
		for i := range r.pool.slots {
			if r.pool.row(i)[0] < 20000 {
				n++
			}
		}
		return n
	}
	if n := old(0); n < 900 || n > 1150 {
		t.Errorf("without a memory %d of 2048 rows are of the first half", n)
	}
	// exp(-10000/10000) to exp(-30000/10000) of the weight: 12 % of it.
	if n := old(10000 * time.Second); n < 170 || n > 330 {
		t.Errorf("with a memory of a quarter of the time %d of 2048 rows are of the first half", n)
	}
	if n := old(1000 * time.Second); n != 0 {
		t.Errorf("with a short memory %d rows are of the first half", n)
	}
}

// A row in quarantine teaches nothing; released it does, dropped it never does.
func TestQuarantine(t *testing.T) {
	r := taught(t, 3000, 2, Learning{Quarantine: 3})
	attack := []float64{9, -9}
	before, stats := r.Score(attack), r.Stats()
	for id := range uint64(5) {
		r.Hold(id, attack, 7, began)
	}
	if held := r.Held(); len(held) != 3 || held[0].ID != 2 || r.Spilt() != 2 {
		t.Errorf("held %v, spilt %d", held, r.Spilt())
	}
	if r.Score(attack) != before || r.Stats() != stats {
		t.Error("what was held was learned")
	}
	if !r.Drop(3) || r.Drop(3) || r.Drop(0) || r.Release(3) {
		t.Error("dropped twice, or what was not there")
	}
	if !r.Release(4) || r.Release(4) || len(r.Held()) != 1 {
		t.Error("not released once")
	}
	if r.Stats().Offered != stats.Offered+1 || r.Score(attack) >= before {
		t.Errorf("released it is still as new: %v, was %v", r.Score(attack), before)
	}
}

// Anchors stand still until somebody approves, and probes say how far the rest
// has moved.
func TestAnchors(t *testing.T) {
	r := taught(t, 3000, 2, Learning{Anchors: 20, Memory: window})
	x := cloud(12000, 2, 8)
	still := r.trees.cuts[:20<<8]
	if r.anchors() != 0 {
		t.Error("there are anchors that nobody approved")
	}
	if taught(t, 200, 2, Learning{}).Approve() || !r.Approve() {
		t.Error("approved too early, or not at all")
	}
	was := append([]float64(nil), still...)
	little := r.Moved()
	for i := range 6000 {
		r.Add(x[i*2:i*2+2], 0, began.Add(time.Duration(3000+i)*time.Second))
	}
	steady := r.Moved()
	for i := 6000; i < 12000; i++ {
		r.Add([]float64{x[i*2] + 3, x[i*2+1]}, 0, began.Add(time.Duration(3000+i)*time.Second))
	}
	moved := r.Moved()
	if !(little < 0.02 && steady < 0.03 && moved > 2*steady) {
		t.Errorf("moved by %v, by %v while nothing changed, by %v when much did", little, steady, moved)
	}
	for i, v := range still {
		if was[i] != v {
			t.Fatal("an anchor has moved")
		}
	}
	r.Approve()
	if r.Moved() != 0 {
		t.Errorf("approved, and moved by %v", r.Moved())
	}
	same := 0
	for i, v := range still {
		if was[i] == v {
			same++
		}
	}
	if same > len(still)*9/10 {
		t.Error("approved, and the anchors are the same")
	}
}

// What a principal taught can be forgotten.
func TestPurge(t *testing.T) {
	r := taught(t, 3000, 2, Learning{Memory: window, Share: 0.5})
	attack := []float64{3, 3}
	before := r.Score(attack)
	x := cloud(1000, 2, 4)
	from := began.Add(3000 * time.Second)
	for i := range 1000 {
		r.Add([]float64{3 + x[i*2]/9, 3 + x[i*2+1]/9}, 666, from.Add(time.Duration(i)*time.Second))
	}
	if r.Score(attack) > before-0.08 {
		t.Fatalf("it learned nothing: %v, was %v", r.Score(attack), before)
	}
	if n := r.Purge(666, from.Add(time.Hour)); n != 0 {
		t.Errorf("%d rows forgotten that never came", n)
	}
	if n := r.Purge(666, from); n < 100 || r.pool.has(666) != 0 {
		t.Errorf("%d rows forgotten, %d left", n, r.pool.has(666))
	}
	if after := r.Score(attack); after < before-0.03 {
		t.Errorf("after the purge %v, before it came %v", after, before)
	}
	if n := r.Purge(666, from); n != 0 {
		t.Errorf("%d more", n)
	}
}
