package budget

import (
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/firebreak-io/firebreak/detect/pack"
)

var start = time.Date(2026, 3, 2, 0, 0, 0, 0, time.UTC)

func budgetOf(t testing.TB, o Options) *Budget {
	t.Helper()
	b, err := New(o)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// drifting gives scores whose mean drifts three sigma and has a daily cycle of
// one sigma, so many a day from 40 entities, and the alerts of each quarter of
// what follows half a day of warming up.
func drifting(b *Budget, seed uint64, days, daily int) (quarters [4]int) {
	r := rand.New(rand.NewPCG(seed, 1)) // #nosec G404 -- not a secret
	n := days * daily
	for i := range n {
		at := start.Add(time.Duration(float64(i) / float64(daily) * float64(24*time.Hour)))
		phase := 2 * math.Pi * float64(i) / float64(daily)
		score := r.NormFloat64() + 3*float64(i)/float64(n) + math.Sin(phase)
		entity := r.Uint64N(40)
		warm := i < daily/2
		if d := b.Judge(entity, at, score, Circumstance{Quiet: warm}); d.Found {
			quarters[(i-daily/2)*4/(n-daily/2)]++
		}
		b.Learn(entity, at, score)
	}
	return quarters
}

// What the budget is for: in each quarter of a stream that drifts, the alerts
// are 0.8 to 1.2 of it, in the median of the seeds: three, ten with FIREBREAK_BENCH.
func TestBudgetUnderDrift(t *testing.T) {
	seeds := uint64(3)
	if os.Getenv("FIREBREAK_BENCH") != "" {
		seeds = 10
	}
	for _, c := range []struct {
		o           Options
		days, daily int
		want        float64 // a quarter
	}{
		{Options{P: 0.001, Floor: -100}, 10, 20_000, 47.5},
		{Options{PerDay: 20, Floor: -100}, 12, 10_000, 57.5},
		{Options{PerDay: 5, Floor: -100}, 24, 3_000, 29.4},
		{Options{PerDay: 5, Floor: -100, Clear: 2}, 24, 3_000, 29.4}, // what is the highest is found whatever its p
	} {
		var all [4][]float64
		for seed := range seeds {
			got := drifting(budgetOf(t, c.o), seed, c.days, c.daily)
			for q := range got {
				all[q] = append(all[q], float64(got[q])/c.want)
			}
		}
		for q := range all {
			got := median(all[q])
			t.Logf("%+v: quarter %d: %.2f of the budget", c.o, q+1, got)
			if got < 0.8 || got > 1.2 {
				t.Errorf("%+v: quarter %d: %.2f of the budget", c.o, q+1, got)
			}
		}
	}
}

func median(v []float64) float64 {
	s := newSet(len(v), 1)
	for _, x := range v {
		s.add(item{score: x})
	}
	return s.sorted[len(v)/2]
}

// A storm of high scores spends no more than the budget and what the bucket
// holds, and the threshold is where it was when it is over.
func TestStormIsHeld(t *testing.T) {
	b := budgetOf(t, Options{PerDay: 10, Floor: -100})
	drifting(b, 1, 4, 5_000)
	before := b.Counts()
	at := start.Add(4 * 24 * time.Hour)
	for i := range 24 * 3600 {
		if i%10 == 0 {
			b.Judge(7, at.Add(time.Duration(i)*time.Second), 100, Circumstance{})
			b.Learn(7, at.Add(time.Duration(i)*time.Second), 100)
		}
	}
	after := b.Counts()
	if n := after.Found - before.Found; n > 11+10+5 || n < 1 {
		t.Errorf("%d alerts in a day of storm", n)
	}
	if after.Held == before.Held {
		t.Error("nothing is counted as held")
	}
	if d := b.Judge(8, at.Add(25*time.Hour), 100, Circumstance{}); d.P > 0.01 {
		t.Errorf("after another one's storm p is %v", d.P)
	}
}

// Whoever invents newcomers without end, each as odd as can be, makes no more than
// a fifth of the budget more, and changes nothing for the others.
func TestNewcomersSpendLittle(t *testing.T) {
	const days, daily = 30, 2_000
	found := func(invented int) (known, fresh int, need float64) {
		b, r := budgetOf(t, Options{PerDay: 5, Floor: -100}), rand.New(rand.NewPCG(3, 3)) // #nosec G404 -- not a secret
		for i := range days * daily {
			at := start.Add(time.Duration(i) * 24 * time.Hour / daily)
			warm := i < daily/2
			score, entity := r.NormFloat64(), r.Uint64N(40)
			if b.Judge(entity, at, score, Circumstance{Quiet: warm}).Found {
				known++
			}
			b.Learn(entity, at, score)
			for n := range invented {
				if b.Judge(uint64(1000+n), at, 100, Circumstance{Quiet: warm, Newcomer: true}).Found {
					fresh++
				}
			}
		}
		return known, fresh, b.Need()
	}
	known, _, need := found(0)
	with, fresh, needWith := found(2)
	t.Logf("%d without newcomers; with them %d and %d of theirs, of %d", known, with, fresh, 5*days)
	if all := float64(with+fresh) / (5 * days); all > 1.2 || fresh < days/2 {
		t.Errorf("%.2f of the budget, %d of newcomers", all, fresh)
	}
	if with < known-known/10 || with > known+known/10 || needWith < need/3 || needWith > need*3 {
		t.Errorf("without newcomers %d and p %v, with them %d and %v", known, need, with, needWith)
	}
}

// A rule on the same entity lets a p pass that is ten times as large.
func TestRuleLowersWhatIsNeeded(t *testing.T) {
	found := func(c Circumstance) (bool, Decision) {
		b := budgetOf(t, Options{P: 0.001, Floor: -100})
		drifting(b, 2, 1, 20_000)
		score := b.recent.score(4 * b.Need())
		d := b.Judge(3, start.Add(24*time.Hour), score, c)
		return d.Found, d
	}
	if ok, d := found(Circumstance{}); ok {
		t.Errorf("found alone: %+v", d)
	}
	if ok, d := found(Circumstance{Rule: true}); !ok {
		t.Errorf("not found with a rule: %+v", d)
	}
}

func TestVerdicts(t *testing.T) {
	b := budgetOf(t, Options{PerDay: 10})
	drifting(b, 3, 2, 5_000)
	now := start.Add(48 * time.Hour)
	e := b.Verdict(5, now, false)
	if e.NeedAfter > e.NeedBefore/7 || e.PerDayAfter >= e.PerDayBefore {
		t.Errorf("after a false alarm: %+v", e)
	}
	if d := b.Judge(6, now, 0, Circumstance{}); math.Abs(d.Need/b.Need()-1) > 1e-9 {
		t.Error("another entity needs something else")
	}
	first := b.Verdict(5, now, true)
	if first.NeedAfter <= first.NeedBefore || first.PerDayAfter <= first.PerDayBefore {
		t.Errorf("after a true one: %+v", first)
	}
	for range 100 {
		b.Verdict(5, now, false)
	}
	if got := b.verdict.of(5, now); got != mostFalse {
		t.Errorf("a hundred false alarms: %v", got)
	}
	if got := b.verdict.of(5, now.Add(halfLife)); got != mostFalse/2 {
		t.Errorf("a month later: %v", got)
	}
	if got := b.perDay(); got < 2.5 {
		t.Errorf("less than a quarter of the budget: %v", got)
	}
	for i := range uint64(2 * maxVerdicts) {
		b.Verdict(100+i, now, false)
	}
	if len(b.verdict.entities) > maxVerdicts || b.verdict.of(5, now) == 0 {
		t.Errorf("%d entities, the one of many verdicts at %v", len(b.verdict.entities), b.verdict.of(5, now))
	}
}

// A higher score never has a larger p, p is a share, and the score of an
// exchangeable stream is below p in about a share p of all cases; where few
// entities say what comes beyond, rather in fewer.
func TestPIsConformal(t *testing.T) {
	var below [3]int
	levels := []float64{0.1, 0.01, 0.001}
	const n, seeds = 60_000, 6
	var b *Budget
	for seed := range uint64(seeds) {
		r := rand.New(rand.NewPCG(seed, 9)) // #nosec G404 -- not a secret
		b = budgetOf(t, Options{P: 0.01})
		for i := range n {
			score := r.ExpFloat64()
			for l, level := range levels {
				if i > n/6 && b.P(score) <= level {
					below[l]++
				}
			}
			b.Learn(r.Uint64N(50), start.Add(time.Duration(i)*time.Second), score)
		}
	}
	for l, level := range levels {
		got := float64(below[l]) / (seeds * n * 5 / 6) / level
		t.Logf("p <= %v in %.2f times as many cases", level, got)
		if got < 0.65 || got > 1.25 {
			t.Errorf("p <= %v in %.2f times as many cases", level, got)
		}
	}
	rapid.Check(t, func(t *rapid.T) {
		x, y := rapid.Float64Range(-1, 30).Draw(t, "x"), rapid.Float64Range(-1, 30).Draw(t, "y")
		p, q := b.P(min(x, y)), b.P(max(x, y))
		if q > p || p > 1 || q <= 0 {
			t.Fatalf("p of %v is %v, of %v %v", min(x, y), p, max(x, y), q)
		}
	})
}

func TestSetAgainstAList(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s := newSet(20, 0.25)
		for i := range rapid.IntRange(0, 100).Draw(t, "n") {
			s.add(item{float64(rapid.IntRange(0, 9).Draw(t, "score")), 0, rapid.Uint64Range(0, 5).Draw(t, "entity"), int64(i), rapid.Bool().Draw(t, "high")})
		}
		score := float64(rapid.IntRange(-1, 10).Draw(t, "asked"))
		held, high, above := map[uint64]int{}, map[uint64]int{}, 0
		for _, it := range s.items {
			held[it.entity]++
			if it.high {
				high[it.entity]++
			}
			if it.score >= score {
				above++
			}
		}
		if len(s.items) > 20 || len(s.sorted) != len(s.items) || s.atLeast(score) != above {
			t.Fatalf("%d items, %d sorted, %d at least %v, not %d", len(s.items), len(s.sorted), s.atLeast(score), score, above)
		}
		for e, n := range held {
			if n > 5 || s.held[e] != n || high[e] > mostHigh {
				t.Fatalf("entity %d has %d", e, n)
			}
		}
	})
}

// A budget that was saved and loaded decides as the other does.
func TestSaveLoad(t *testing.T) {
	o := Options{PerDay: 20, Floor: -100}
	a := budgetOf(t, o)
	for i := range 3_000 { // of one entity alone
		a.Learn(1, start, float64(i%100)/100)
	}
	drifting(a, 4, 2, 5_000)
	a.Verdict(3, start.Add(48*time.Hour), false)
	var out pack.Writer
	a.Save(&out)
	b := budgetOf(t, o)
	in := pack.NewReader(out.Data)
	if err := b.Load(in); err != nil || in.Done() != nil {
		t.Fatal(err, in.Done())
	}
	r := rand.New(rand.NewPCG(5, 5)) // #nosec G404 -- not a secret
	for i := range 5_000 {
		at, score, entity := start.Add(48*time.Hour+time.Duration(i)*10*time.Second), r.NormFloat64()*2+3, r.Uint64N(40)
		if x, y := a.Judge(entity, at, score, Circumstance{}), b.Judge(entity, at, score, Circumstance{}); x != y {
			t.Fatalf("score %d: %+v and %+v", i, x, y)
		}
		a.Learn(entity, at, score)
		b.Learn(entity, at, score)
	}
}

func TestNewRefuses(t *testing.T) {
	for _, o := range []Options{{}, {PerDay: -1}, {PerDay: 1, P: 0.1}, {P: 0.5}, {Contamination: 0.6}, {P: math.NaN()}} {
		if _, err := New(o); err == nil {
			t.Errorf("%+v is taken", o)
		}
	}
}

func FuzzLoad(f *testing.F) {
	b := budgetOf(f, Options{PerDay: 5})
	drifting(b, 1, 1, 300)
	var out pack.Writer
	b.Save(&out)
	f.Add(out.Data)
	f.Add([]byte{1, 2, 3})
	f.Fuzz(func(t *testing.T, data []byte) {
		b := budgetOf(t, Options{PerDay: 5})
		if b.Load(pack.NewReader(data)) != nil {
			return
		}
		d := b.Judge(1, start, 0.5, Circumstance{})
		b.Learn(1, start, 0.5)
		if !(d.P > 0 && d.P <= 1) {
			t.Fatalf("%+v", d)
		}
	})
}

func BenchmarkJudge(b *testing.B) {
	x := budgetOf(b, Options{PerDay: 5})
	drifting(x, 1, 1, 10_000)
	r := rand.New(rand.NewPCG(5, 5)) // #nosec G404 -- not a secret
	b.ReportAllocs()
	i := 0
	for b.Loop() {
		at := start.Add(24*time.Hour + time.Duration(i)*time.Second)
		i++
		entity, score := r.Uint64N(40), r.Float64()
		x.Judge(entity, at, score, Circumstance{})
		x.Learn(entity, at, score)
	}
}

// BenchmarkDrift prints the table: alerts as a share of the budget, quarter by
// quarter.
func BenchmarkDrift(b *testing.B) {
	for _, o := range []Options{{P: 0.001, Floor: -100}, {PerDay: 20, Floor: -100}} {
		b.Run(fmt.Sprintf("P=%v/PerDay=%v", o.P, o.PerDay), func(b *testing.B) {
			want := 47.5
			if o.PerDay > 0 {
				want = o.PerDay * 9.5 / 4
			}
			for b.Loop() {
				var quarters [4][]float64
				for seed := range uint64(10) {
					for q, n := range drifting(budgetOf(b, o), seed, 10, 20_000) {
						quarters[q] = append(quarters[q], float64(n)/want)
					}
				}
				for q := range quarters {
					b.ReportMetric(median(quarters[q]), fmt.Sprintf("q%d", q+1))
				}
			}
		})
	}
}

// Of a share of scores what is needed is that share, and less after alerts.
func TestNeedOfAContamination(t *testing.T) {
	b, err := New(Options{Contamination: 0.02})
	if err != nil {
		t.Fatal(err)
	}
	if need := b.Need(); math.Abs(need-0.02) > 1e-12 {
		t.Errorf("it needs p %v", need)
	}
	d := b.Judge(1, time.Unix(1, 0), 0.4, Circumstance{Before: 2})
	if need := b.NeedAfter(2); math.Abs(need-d.Need) > 1e-12 {
		t.Errorf("after two it needs p %v, and is judged by %v", need, d.Need)
	}
}
