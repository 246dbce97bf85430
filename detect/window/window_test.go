package window

import (
	"encoding/binary"
	"fmt"
	"math"
	"runtime"
	"testing"
	"time"

	"pgregory.net/rapid"
)

var start = time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)

// all has each aggregate once, and two of a kind.
var all = []Aggregate{
	{Function: Count}, {Function: Distinct}, {Function: Sum}, {Function: Avg}, {Function: Min}, {Function: Max},
	{Function: Quantile, Q: 0.5}, {Function: Rate}, {Function: Ratio}, {Function: Distinct}, {Function: Quantile, Q: 0.9}, {Function: Count},
}

// past is an event as the oracle remembers it.
type past struct {
	pane   int64
	inputs []Input
}

// oracle keeps every event and looks at all of them.
type oracle struct {
	o      Options
	events map[Key][]past
	newest map[Key]int64
}

func (o *oracle) add(key Key, t time.Time, inputs []Input) bool {
	length := int64(o.o.Over) / int64(o.o.Panes)
	pane := int64(math.Floor(float64(t.UnixNano()) / float64(length)))
	if newest, ok := o.newest[key]; ok && pane <= newest-int64(o.o.Panes) {
		return false
	} else if !ok || pane > newest {
		o.newest[key] = pane
	}
	o.events[key] = append(o.events[key], past{pane, append([]Input{}, inputs...)})
	return true
}

func (o *oracle) value(key Key, i int) float64 {
	var numbers []float64
	different := map[uint64]bool{}
	valid, total := 0.0, 0.0
	for _, e := range o.events[key] {
		if e.pane <= o.newest[key]-int64(o.o.Panes) {
			continue
		}
		total++
		if in := e.inputs[i]; in.Valid {
			valid++
			numbers = append(numbers, in.Number)
			different[in.Hash] = true
		}
	}
	sum, low, high := 0.0, math.NaN(), math.NaN()
	for _, n := range numbers {
		sum += n
		if !(low <= n) {
			low = n
		}
		if !(high >= n) {
			high = n
		}
	}
	switch o.o.Aggregates[i].Function {
	case Count:
		return valid
	case Distinct:
		return float64(len(different))
	case Sum:
		return sum
	case Avg:
		return sum / valid
	case Min:
		return low
	case Max:
		return high
	case Rate:
		return valid / o.o.Over.Seconds()
	case Ratio:
		return valid / total
	}
	return math.NaN()
}

func TestAgainstOracle(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		o := Options{Over: time.Minute, Panes: rapid.SampledFrom([]int{1, 4, 20}).Draw(t, "panes"), Aggregates: all}
		w, err := New(o)
		if err != nil {
			t.Fatal(err)
		}
		naive := &oracle{o: o, events: map[Key][]past{}, newest: map[Key]int64{}}
		at := start
		for range rapid.IntRange(1, 120).Draw(t, "events") {
			at = at.Add(time.Duration(rapid.IntRange(-30_000, 40_000).Draw(t, "step")) * time.Millisecond)
			key := Key{byte(rapid.IntRange(0, 2).Draw(t, "key"))}
			inputs := make([]Input, len(all))
			for i := range inputs {
				// Whole numbers: sums do not depend on the order.
				inputs[i] = Input{
					Valid: rapid.Bool().Draw(t, "valid"), Number: float64(rapid.IntRange(-5, 5).Draw(t, "number")),
					Hash: uint64(rapid.IntRange(0, 6).Draw(t, "hash")), //nolint:gosec // not negative
				}
			}
			if got, want := w.Add(key, at, inputs), naive.add(key, at, inputs); got != want {
				t.Fatalf("taken is %v, want %v", got, want)
			}
			for i, a := range all {
				if a.Function == Quantile {
					continue
				}
				got, want := w.Value(key, i), naive.value(key, i)
				if got != want && !(math.IsNaN(got) && math.IsNaN(want)) {
					t.Fatalf("%s is %v, want %v", a.Function, got, want)
				}
			}
		}
	})
}

func TestQuantileSlides(t *testing.T) {
	w, err := New(Options{Over: time.Minute, Aggregates: []Aggregate{{Function: Quantile, Q: 0.5}, {Function: Quantile, Q: 1}}})
	if err != nil {
		t.Fatal(err)
	}
	for i := range 100 {
		v := Input{Valid: true, Number: float64(i + 1)}
		w.Add(Key{}, start, []Input{v, v})
	}
	if got := w.Value(Key{}, 0); math.Abs(got-50) > 1.5 {
		t.Errorf("median is %v", got)
	}
	v := Input{Valid: true, Number: 7}
	w.Add(Key{}, start.Add(2*time.Minute), []Input{v, v})
	if got := w.Value(Key{}, 1); math.Abs(got-7) > 0.1 {
		t.Errorf("after the old values left, the largest is %v", got)
	}
}

// A flood of names that come once leaves those that come often.
func TestFloodEvictsTheUnused(t *testing.T) {
	w, err := New(Options{Over: time.Hour, Aggregates: []Aggregate{{Function: Count}}, MaxGroups: 1000})
	if err != nil {
		t.Fatal(err)
	}
	in := []Input{{Valid: true}}
	for round := range 5 {
		for i := range 100 {
			w.Add(numbered(1, i), start.Add(time.Duration(round)*time.Second), in)
		}
	}
	for i := range 50_000 {
		w.Add(numbered(2, i), start.Add(10*time.Second), in)
	}
	for i := range 100 {
		if got := w.Value(numbered(1, i), 0); got != 5 {
			t.Fatalf("group %d has %v", i, got)
		}
	}
	if s := w.Stats(); s.Groups != 1000 || s.Evicted != 50_000-900 {
		t.Errorf("stats are %+v", s)
	}
}

func TestExpire(t *testing.T) {
	w, err := New(Options{Over: time.Minute, Aggregates: []Aggregate{{Function: Count}}})
	if err != nil {
		t.Fatal(err)
	}
	for i := range 10 {
		w.Add(numbered(1, i), start.Add(time.Duration(i)*10*time.Second), []Input{{Valid: true}})
	}
	w.Expire(start.Add(time.Minute), 100)
	if n := w.Stats().Groups; n != 10 {
		t.Errorf("%d groups, none is old enough", n)
	}
	w.Expire(start.Add(2*time.Minute), 100)
	if n := w.Stats().Groups; n < 3 || n > 5 {
		t.Errorf("%d groups are left of a minute", n)
	}
}

func TestDistinctIsBounded(t *testing.T) {
	w, err := New(Options{Over: time.Minute, Aggregates: []Aggregate{{Function: Distinct}}})
	if err != nil {
		t.Fatal(err)
	}
	for i := range uint64(2 * MaxDistinct) {
		w.Add(Key{}, start, []Input{{Valid: true, Hash: i}})
	}
	if got := w.Value(Key{}, 0); got != MaxDistinct {
		t.Errorf("%v different values", got)
	}
	w.Add(Key{}, start.Add(time.Hour), []Input{{Valid: true, Hash: 1}})
	if got := w.Value(Key{}, 0); got != 1 {
		t.Errorf("%v different values an hour later", got)
	}
}

func TestNewRefuses(t *testing.T) {
	for _, o := range []Options{
		{}, {Over: -time.Second}, {Over: time.Second, Panes: -1}, {Over: 10, Panes: 20},
		{Over: time.Second, Aggregates: []Aggregate{{Function: "mode"}}},
		{Over: time.Second, Aggregates: []Aggregate{{Function: Quantile, Q: math.NaN()}}},
	} {
		if _, err := New(o); err == nil {
			t.Errorf("%+v was taken", o)
		}
	}
}

func numbered(kind byte, i int) Key {
	k := Key{kind}
	binary.LittleEndian.PutUint64(k[8:], uint64(i)) //nolint:gosec // not negative
	return k
}

// BenchmarkAdd is one event into one of so many groups; bytes/group is what a
// group of a count and a distinct takes with all that leads to it.
func BenchmarkAdd(b *testing.B) {
	for _, n := range []int{1000, 1_000_000} {
		b.Run(fmt.Sprintf("groups=%d", n), func(b *testing.B) {
			var before, after runtime.MemStats
			runtime.GC()
			runtime.ReadMemStats(&before)
			w, err := New(Options{Over: time.Hour, Aggregates: []Aggregate{{Function: Count}, {Function: Distinct}}, MaxGroups: n})
			if err != nil {
				b.Fatal(err)
			}
			inputs := []Input{{Valid: true}, {Valid: true}}
			for i := range n {
				w.Add(numbered(1, i), start, inputs)
			}
			runtime.GC()
			runtime.ReadMemStats(&after)
			i := 0
			for b.Loop() {
				i = (i + 7919) % n
				inputs[1].Hash = uint64(i % 8) //nolint:gosec // not negative
				w.Add(numbered(1, i), start.Add(time.Duration(i)*time.Microsecond), inputs)
			}
			b.ReportMetric(float64(after.HeapAlloc-before.HeapAlloc)/float64(n), "bytes/group")
		})
	}
}
