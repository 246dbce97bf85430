package baseline

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"math"
	"math/rand/v2"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/firebreak-io/firebreak/detect/pack"
)

var start = time.Date(2026, 3, 2, 0, 0, 0, 0, time.UTC)

func key(n int) (k Key) {
	binary.BigEndian.PutUint64(k[:], uint64(n)) // #nosec G115 -- small
	return k
}

func who(entity, peers int) Who {
	return Who{Entity: key(entity), Peers: key(peers), Label: fmt.Sprintf("entity-%d", entity)}
}

// see lets an entity have a value so often, a minute apart.
func see(s *Store, w Who, v Value, times int, from time.Time) time.Time {
	for range times {
		e := s.Touch(w)
		s.See(e, 0, v, from)
		s.Observe(e, from)
		from = from.Add(time.Minute)
	}
	return from
}

// The backoff: what the entity has is less surprising than what its peers have,
// that less than what others have, and that less than what nobody has.
func TestSurprisalBacksOff(t *testing.T) {
	s := New(Options{Tables: 1})
	own, peers, others, nobody := ValueOf("get", "pods"), ValueOf("list", "pods"), ValueOf("watch", "nodes"), ValueOf("create", "pods/exec")
	now := see(s, who(1, 1), own, 500, start)
	now = see(s, who(2, 1), peers, 500, now)
	now = see(s, who(3, 2), others, 500, now)
	e := s.Touch(who(1, 1))
	last := -1.0
	for i, v := range []Value{own, peers, others, nobody} {
		got := s.Surprisal(e, 0, v, now)
		t.Logf("%s: %.2f bits", v.Text, got)
		if got <= last || s.Novelty(e, 0, v, now) != float64(i) {
			t.Errorf("%s: %.2f bits after %.2f, novelty %v", v.Text, got, last, s.Novelty(e, 0, v, now))
		}
		last = got
	}
	if last < 15 {
		t.Errorf("what nobody ever did has %.1f bits", last)
	}
	if text, of := s.Usual(e, 0); text != "get pods" || of {
		t.Errorf("usual is %q, of its peers: %v", text, of)
	}
	if text, of := s.Usual(s.Touch(who(8, 1)), 0); text == "" || !of {
		t.Errorf("usual of one that did nothing is %q, of its peers: %v", text, of)
	}
	if got := s.Surprisal(s.Touch(who(9, 1)), 0, peers, now); got > 2 {
		t.Errorf("a new one that does as its peers: %.1f bits", got)
	}
}

// What is empty of a value is one of its parts, and no space that people see.
func TestValueOfEmpty(t *testing.T) {
	bare, full := ValueOf("get", "", "pods"), ValueOf("get", "pods")
	if bare.Text != "get pods" || bare.Hash == full.Hash {
		t.Errorf("it is %+v, without it %+v", bare, full)
	}
}

// Who does something new all the time surprises less with it.
func TestSurprisalKnowsWhoIsFickle(t *testing.T) {
	s := New(Options{Tables: 1})
	now := see(s, who(1, 1), ValueOf("a"), 300, start)
	for i := range 300 {
		now = see(s, who(2, 1), ValueOf(fmt.Sprint("v", i)), 1, now)
	}
	steady, fickle := s.Surprisal(s.Touch(who(1, 1)), 0, ValueOf("new"), now), s.Surprisal(s.Touch(who(2, 1)), 0, ValueOf("new"), now)
	if steady < fickle+5 {
		t.Errorf("steady %.1f bits, fickle %.1f", steady, fickle)
	}
}

// In the time of grace what peers have is no surprise; afterwards it is.
func TestRolloutOpensGrace(t *testing.T) {
	s := New(Options{Tables: 1})
	now := see(s, who(1, 1), ValueOf("old"), 300, start)
	now = see(s, who(2, 1), ValueOf("new"), 300, now)
	e := s.Touch(who(1, 1))
	if e.Rollout(ValueOf("sha256:1"), now, time.Hour) {
		t.Error("the first version opens a time of grace")
	}
	before := s.Surprisal(e, 0, ValueOf("new"), now)
	if !e.Rollout(ValueOf("sha256:2"), now, time.Hour) || !e.InGrace(now) {
		t.Error("a new version opens none")
	}
	if got := s.Surprisal(e, 0, ValueOf("new"), now); got > 2 || before < 6 || s.Novelty(e, 0, ValueOf("new"), now) != Known {
		t.Errorf("%.1f bits before, %.1f in grace", before, got)
	}
	if e.InGrace(now.Add(time.Hour)) || e.Rollout(ValueOf("sha256:1"), now.Add(2*time.Hour), time.Hour) {
		t.Error("grace does not end, or a known version opens it again")
	}
}

// What is strict is told and learned in the time of grace as ever.
func TestGraceExcusesNothingStrict(t *testing.T) {
	s := New(Options{Tables: 2, Series: 2, StrictTables: []bool{false, true}, StrictSeries: []bool{false, true}})
	e, peer := s.Touch(who(1, 1)), s.Touch(who(2, 1))
	now := start
	for i := range 600 {
		now = now.Add(time.Minute)
		s.Observe(e, now)
		s.Observe(peer, now)
		for k := range 2 {
			s.See(e, k, ValueOf("old"), now)
			s.See(peer, k, ValueOf("new"), now)
			s.Learn(e, k, 10+float64(i*7919%101)/50, Basis{Trust: 1}, now)
		}
	}
	e.Rollout(ValueOf("sha256:1"), now, time.Hour)
	bits := s.Surprisal(e, 1, ValueOf("new"), now)
	far, _ := s.Relative(e, 1, 40, Basis{Trust: 1}, now)
	if !e.Rollout(ValueOf("sha256:2"), now, time.Hour) {
		t.Fatal("no time of grace")
	}
	var after [2]float64
	for k, strict := range []bool{false, true} {
		if got := s.Surprisal(e, k, ValueOf("new"), now); (got == bits) != strict || (s.Novelty(e, k, ValueOf("new"), now) == NewHere) != strict {
			t.Errorf("strict %v: %.1f bits in grace, %.1f before, novelty %v", strict, got, bits, s.Novelty(e, k, ValueOf("new"), now))
		}
		if got, _ := s.Relative(e, k, 40, Basis{Trust: 1}, now); (got == far) != strict {
			t.Errorf("strict %v: %.1f deviations in grace, %.1f before", strict, got, far)
		}
		for range 10 {
			s.Learn(e, k, 1e6, Basis{Trust: 1}, now)
		}
		after[k], _ = s.Relative(e, k, 1e6, Basis{Trust: 1}, now.Add(2*time.Hour))
	}
	if after[1] < 2*after[0] {
		t.Errorf("after ten alike %.2f deviations, %.2f where it is strict", after[0], after[1])
	}
}

func TestPriors(t *testing.T) {
	s := New(Options{Tables: 1})
	v := ValueOf("update", "leases")
	s.Prior(key(1), 0, v, 50)
	got, other := s.Surprisal(s.Touch(who(5, 1)), 0, v, start), s.Surprisal(s.Touch(who(6, 2)), 0, ValueOf("get", "secrets"), start)
	if got > 1 || other < 5 {
		t.Errorf("with a prior %.2f bits, without %.2f", got, other)
	}
}

// daily is a number with a peak at noon and noise.
func daily(r *rand.Rand, at time.Time) float64 {
	return 100 + 80*math.Sin(2*math.Pi*(float64(at.Hour())-6)/24) + 5*r.NormFloat64()
}

// After some days a daily peak is usual and the same number at night is not, and
// a jump is seen at once.
func TestDailyPeakIsUsual(t *testing.T) {
	s, r := New(Options{Series: 1}), rand.New(rand.NewPCG(1, 1)) // #nosec G404 -- not a secret
	e := s.Touch(who(1, 1))
	if _, ok := s.Relative(e, 0, 1, Basis{Trust: 1}, start); ok {
		t.Error("knows what is usual at the start")
	}
	at := start
	for ; at.Before(start.AddDate(0, 0, 10)); at = at.Add(time.Minute) {
		s.Learn(e, 0, daily(r, at), Basis{Trust: 1}, at)
	}
	noon, night := at.Add(12*time.Hour), at
	peak, _ := s.Relative(e, 0, 180, Basis{Trust: 1}, noon)
	odd, _ := s.Relative(e, 0, 180, Basis{Trust: 1}, night)
	if math.Abs(peak) > 3 || odd < 5 {
		t.Errorf("the peak is %.1f deviations off at noon, %.1f at night", peak, odd)
	}
	if jump, ok := s.Jump(e, 0, 300, Basis{Trust: 1}, night); !ok || jump < 5 {
		t.Errorf("a jump is %.1f deviations", jump)
	}
	if low, high, ok := s.Range(e, 0, noon); !ok || low > 180 || high < 180 || high > 300 {
		t.Errorf("usual at noon: %.0f to %.0f", low, high)
	}
	before, _ := s.Relative(e, 0, 1e6, Basis{Trust: 1}, night)
	for range 3 {
		s.Learn(e, 0, 1e6, Basis{Trust: 1}, night)
	}
	if after, _ := s.Relative(e, 0, 1e6, Basis{Trust: 1}, night); after < before/4 {
		t.Errorf("three spikes made themselves usual: %.1f deviations, then %.1f", before, after)
	}
}

// A number that never varied is not a thousand deviations off at its first
// breath, where such numbers do vary elsewhere.
func TestDeviationIsPooled(t *testing.T) {
	s, r := New(Options{Series: 1}), rand.New(rand.NewPCG(1, 1)) // #nosec G404 -- not a secret
	quiet := s.Touch(who(1, 1))
	for i := range 600 {
		at := start.Add(time.Duration(i) * time.Minute)
		s.Learn(quiet, 0, 0, Basis{Trust: 1}, at)
		s.Learn(s.Touch(who(2, 1)), 0, r.Float64()/10, Basis{Trust: 1}, at)
	}
	small, _ := s.Relative(quiet, 0, 0.02, Basis{Trust: 1}, start.Add(600*time.Minute))
	large, _ := s.Relative(quiet, 0, 0.5, Basis{Trust: 1}, start.Add(600*time.Minute))
	if small > 8 || large < 20 || large < 5*small {
		t.Errorf("a little is %.1f deviations, much %.1f", small, large)
	}
}

// A million invented entities change nothing for the real ones: neither are
// those forgotten nor is what is usual another.
func TestFloodChangesNothing(t *testing.T) {
	names := 1_000_000
	if testing.Short() {
		names = 50_000
	}
	build := func() (*Store, time.Time) {
		s := New(Options{Tables: 1, Series: 1, Entities: 2000})
		now := start
		for round := range 30 {
			for real := range 500 {
				e := s.Touch(who(real, real%5))
				s.See(e, 0, ValueOf(fmt.Sprint("does ", real%5, " ", round%3)), now)
				s.Learn(e, 0, float64(real), Basis{Trust: 1}, now)
				s.Observe(e, now)
			}
			now = now.Add(time.Minute)
		}
		return s, now
	}
	answers := func(s *Store, now time.Time) []float64 {
		var all []float64
		for real := range 500 {
			e := s.Find(key(real))
			if e == nil {
				t.Fatalf("entity %d is forgotten", real)
			}
			for v := range 4 {
				all = append(all, s.Surprisal(e, 0, ValueOf(fmt.Sprint("does ", real%5, " ", v)), now))
			}
			z, _ := s.Relative(e, 0, 1, Basis{Trust: 1}, now)
			all = append(all, z)
		}
		return all
	}
	s, now := build()
	want := answers(s, now)
	for i := range names {
		at := now.Add(time.Duration(i) * time.Millisecond)
		for range 1 + i%3 {
			e := s.Touch(who(1_000_000+i, i%7))
			s.See(e, 0, ValueOf(fmt.Sprint("junk ", i)), at)
			s.Observe(e, at)
		}
	}
	got := answers(s, now)
	for i := range want {
		if want[i] != got[i] {
			t.Fatalf("answer %d was %v and is %v", i, want[i], got[i])
		}
	}
	if st := s.Stats(); st.Entities > 2000 || st.Evicted < uint64(names)-2000 {
		t.Errorf("%+v", st)
	}
}

// One namespace has no more than its share.
func TestNamespaceHasAShare(t *testing.T) {
	s := New(Options{Tables: 1, Entities: 100})
	for i := range 1000 {
		w := who(i, 1)
		w.Space = 7
		s.Observe(s.Touch(w), start)
	}
	if n := s.Stats().Entities; n != 50 {
		t.Errorf("%d entities of one namespace", n)
	}
}

func TestBytesAreBounded(t *testing.T) {
	s := New(Options{Tables: 2, Series: 2, Bytes: 200_000})
	for i := range 5000 {
		now := start.Add(time.Duration(i) * time.Hour)
		e := s.Touch(who(i%700, i%3))
		for v := range 40 {
			s.See(e, v%2, ValueOf(fmt.Sprint(i, v)), now)
		}
		s.Learn(e, 0, float64(i), Basis{Trust: 1}, now)
		s.Observe(e, now)
	}
	everybody := s.all[0].bytes() + s.all[1].bytes()
	if st := s.Stats(); st.Bytes-everybody > 200_000+10_000 || st.Evicted == 0 {
		t.Errorf("%+v", st)
	}
	if n := len(s.all[0].slots); n > allValues {
		t.Errorf("%d values of all", n)
	}
	s.Evict(150_000)
	if st := s.Stats(); st.Bytes-everybody > 60_000 {
		t.Errorf("after making room: %+v", st)
	}
}

// A frequent value stays in a table through any number of single ones.
func TestTableKeepsWhatIsFrequent(t *testing.T) {
	var tb table
	for i := range 200 {
		for range 10 {
			tb.add(ValueOf(fmt.Sprint("real ", i)), 1, start, groupValues)
		}
	}
	for i := range 100_000 {
		tb.add(ValueOf(fmt.Sprint("junk ", i)), 1, start, groupValues)
	}
	for i := range 200 {
		if !tb.has(ValueOf(fmt.Sprint("real ", i)).Hash) {
			t.Fatalf("value %d is gone", i)
		}
	}
	if len(tb.slots) > groupValues || len(tb.index) != len(tb.slots) {
		t.Errorf("%d slots, %d in the index", len(tb.slots), len(tb.index))
	}
}

// Old counts are forgotten by half in a week, and a year is no overflow.
func TestTableForgets(t *testing.T) {
	var tb table
	tb.add(ValueOf("old"), 64, start, 8)
	later := start.Add(3 * halfLife)
	tb.add(ValueOf("new"), 8, later, 8)
	if a, b := tb.share(ValueOf("old").Hash, 0), tb.share(ValueOf("new").Hash, 0); math.Abs(a/b-1) > 1e-6 {
		t.Errorf("64 of three half-lives ago count %v, 8 of now %v", a, b)
	}
	for w := range 500 {
		tb.add(ValueOf("new"), 1, later.Add(time.Duration(w)*halfLife), 8)
	}
	if p := tb.share(ValueOf("new").Hash, 0); !(p > 0.9 && p <= 1) {
		t.Errorf("after ten years p is %v", p)
	}
}

// step does something drawn to a store, and gives what it says.
func step(s *Store, r *rand.Rand, now time.Time) []float64 {
	e := s.Touch(Who{Entity: key(r.IntN(60)), Peers: key(r.IntN(4)), Space: r.Uint64N(3), Label: "x"})
	v := ValueOf(fmt.Sprint("v", r.IntN(50)))
	x := r.ExpFloat64() * 100
	rel, _ := s.Relative(e, 0, x, Basis{Trust: 1}, now)
	jump, _ := s.Jump(e, 0, x, Basis{Trust: 1}, now)
	out := []float64{s.Surprisal(e, 0, v, now), s.Novelty(e, 0, v, now), rel, jump, float64(s.Stats().Bytes)}
	e.Rollout(ValueOf(fmt.Sprint("image", r.IntN(20))), now, time.Hour)
	s.See(e, 0, v, now)
	s.Learn(e, 0, x, Basis{Trust: 1}, now)
	s.Observe(e, now)
	return out
}

// A store that was saved and loaded answers as the other does, to the bit, and
// forgets the same.
func TestSaveLoad(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		o := Options{Tables: 1, Series: 1, Entities: 40, Bytes: 60_000}
		seed, cut := rapid.Uint64().Draw(t, "seed"), rapid.IntRange(0, 400).Draw(t, "cut")
		r := rand.New(rand.NewPCG(seed, 1)) // #nosec G404 -- not a secret
		a := New(o)
		a.Prior(key(1), 0, ValueOf("v1"), 20)
		now := start
		for range cut {
			now = now.Add(time.Duration(r.IntN(7200)) * time.Second)
			step(a, r, now)
		}
		var out, again pack.Writer
		a.Save(&out)
		b := New(o)
		in := pack.NewReader(out.Data)
		if err := b.Load(in); err != nil || in.Done() != nil {
			t.Fatal(err, in.Done())
		}
		b.Save(&again)
		if !bytes.Equal(out.Data, again.Data) {
			t.Fatal("what was loaded is saved otherwise")
		}
		r2 := rand.New(rand.NewPCG(seed, 2)) // #nosec G404 -- not a secret
		r1 := rand.New(rand.NewPCG(seed, 2)) // #nosec G404 -- not a secret
		for i := range 200 {
			now = now.Add(time.Duration(i%50) * time.Minute)
			x, y := step(a, r1, now), step(b, r2, now)
			for j := range x {
				if x[j] != y[j] {
					t.Fatalf("step %d, answer %d: %v and %v", i, j, x[j], y[j])
				}
			}
		}
	})
}

func FuzzLoad(f *testing.F) {
	o := Options{Tables: 1, Series: 1, Entities: 40}
	s, r := New(o), rand.New(rand.NewPCG(1, 1)) // #nosec G404 -- not a secret
	for i := range 200 {
		step(s, r, start.Add(time.Duration(i)*time.Minute))
	}
	var out pack.Writer
	s.Save(&out)
	f.Add(out.Data)
	f.Add([]byte{0, 1, 2})
	f.Fuzz(func(t *testing.T, data []byte) {
		s := New(o)
		if s.Load(pack.NewReader(data)) != nil {
			return
		}
		r := rand.New(rand.NewPCG(1, 1)) // #nosec G404 -- not a secret
		for i := range 20 {
			for _, v := range step(s, r, start.Add(time.Duration(i)*time.Minute)) {
				if math.IsNaN(v) {
					t.Fatal("an answer is no number")
				}
			}
		}
	})
}

func BenchmarkStep(b *testing.B) {
	s, r := New(Options{Tables: 1, Series: 1}), rand.New(rand.NewPCG(1, 1)) // #nosec G404 -- not a secret
	b.ReportAllocs()
	i := 0
	for b.Loop() {
		step(s, r, start.Add(time.Duration(i)*time.Second))
		i++
	}
	b.ReportMetric(float64(s.Stats().Bytes)/float64(s.Stats().Entities), "B/entity")
}
