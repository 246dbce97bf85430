package window

import (
	"bytes"
	"encoding/binary"
	"math"
	"math/rand/v2"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/firebreak-io/firebreak/detect/pack"
)

var start = time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)

// all has each aggregate once, and two of a kind.
var all = []Aggregate{
	{Function: Count}, {Function: Distinct}, {Function: Sum}, {Function: Avg}, {Function: Min}, {Function: Max},
	{Function: Quantile, Q: 0.5}, {Function: Rate}, {Function: Ratio}, {Function: Distinct}, {Function: Quantile, Q: 0.9}, {Function: Count},
	{Function: Baseline}, {Function: Sum},
}

// past is an event as the oracle remembers it.
type past struct {
	pane   int64
	at     Mark
	inputs []Input
}

// oracle keeps every event and looks at all of them.
type oracle struct {
	o      Options
	events map[Key][]past
	newest map[Key]int64
}

func (o *oracle) length() int64 { return int64(o.o.Over) / int64(o.o.Panes) }

func (o *oracle) pane(t time.Time) int64 {
	return int64(math.Floor(float64(t.UnixNano()) / float64(o.length())))
}

// span is how many panes a window has.
func (o *oracle) span() int64 {
	if o.o.Panes == 1 || o.o.Exact {
		return int64(o.o.Panes)
	}
	return int64(o.o.Panes) + 1
}

func (o *oracle) late() int64 { return int64(math.Ceil(float64(o.o.Late) / float64(o.length()))) }

func (o *oracle) first(key Key, t time.Time) int64 { return max(o.pane(t), o.newest[key]-o.late()) }

func (o *oracle) add(key Key, t time.Time, inputs []Input, at Mark) bool {
	pane := o.pane(t)
	keep := o.span() + o.late()
	if newest, ok := o.newest[key]; ok && pane <= newest-keep {
		return false
	} else if !ok || pane > newest {
		o.newest[key] = pane
	}
	o.events[key] = append(o.events[key], past{pane, at, append([]Input{}, inputs...)})
	return true
}

// lastIn is whether no later pane has the value too.
func (o *oracle) lastIn(key Key, i int, e past) bool {
	for _, other := range o.events[key] {
		if in := other.inputs[i]; other.pane > e.pane && in.Valid && in.Hash == e.inputs[i].Hash {
			return false
		}
	}
	return true
}

func (o *oracle) value(key Key, i int, end int64) float64 {
	var numbers []float64
	different := map[uint64]bool{}
	valid, total := 0.0, 0.0
	for _, e := range o.events[key] {
		if e.pane <= end-o.span() || e.pane > end {
			continue
		}
		total++
		if in := e.inputs[i]; in.Valid {
			valid++
			numbers = append(numbers, in.Number)
			if o.lastIn(key, i, e) || end == o.newest[key] {
				different[in.Hash] = true
			}
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
		return sum / o.o.Over.Seconds()
	case Ratio:
		return valid / total
	}
	return math.NaN()
}

// same compares all numbers of a group with the oracle's.
func same(t *rapid.T, w *Windows, naive *oracle, key Key, end int64) {
	for i, a := range all {
		if a.Function == Quantile || a.Function == Baseline {
			continue
		}
		got, want := w.Value(key, i, end), naive.value(key, i, end)
		if got != want && !(math.IsNaN(got) && math.IsNaN(want)) {
			t.Fatalf("%s of the window that ends with %d is %v, want %v", a.Function, end, got, want)
		}
	}
}

// sampled checks that a sample is of events of the window, in the order in which
// they came, with the last one; and all of them while there are few.
func (o *oracle) sampled(t *rapid.T, w *Windows, key Key, end int64, last Mark) {
	var in []Mark
	for _, e := range o.events[key] {
		if e.pane > end-o.span() && e.pane <= end {
			in = append(in, e.at)
		}
	}
	got := w.Sample(key, end)
	next := 0
	for _, m := range in {
		if next < len(got) && got[next] == m {
			next++
		}
	}
	if next < len(got) || len(got) > MaxSample || len(got) == 0 || got[len(got)-1] != last {
		t.Fatalf("the sample is %v of %v", got, in)
	}
	if len(o.events[key]) <= MaxSample && len(got) != len(in) {
		t.Fatalf("the sample is %v, though there are no more than %v", got, in)
	}
}

// A window is never shorter than it says, and no more than a pane longer.
func TestNothingWithinIsMissed(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		w, err := New(Options{Over: time.Minute, Aggregates: []Aggregate{{Function: Count}}, Late: 2 * time.Minute})
		if err != nil {
			t.Fatal(err)
		}
		a := start.Add(time.Duration(rapid.IntRange(0, 60_000).Draw(t, "first")) * time.Millisecond)
		apart := time.Duration(rapid.IntRange(0, 80_000).Draw(t, "apart")) * time.Millisecond
		b, in := a.Add(apart), []Input{{Valid: true}}
		if rapid.Bool().Draw(t, "late") {
			a, b = b, a
		}
		w.Add(0, Key{}, a, in, Mark{})
		first, last, _ := w.Add(0, Key{}, b, in, Mark{})
		together := false
		for end := first; end <= last; end++ {
			together = together || w.Value(Key{}, 0, end) == 2
		}
		if apart <= time.Minute && !together || apart > 63*time.Second && together {
			t.Fatalf("%s apart, counted together: %v", apart, together)
		}
	})
}

// saved writes windows and reads them again.
func saved(t interface{ Fatal(...any) }, w *Windows) *Windows {
	var out, again pack.Writer
	w.Save(&out)
	read, err := New(w.o)
	if err != nil {
		t.Fatal(err)
	}
	in := pack.NewReader(out.Data)
	if err := read.Load(in); err != nil || in.Done() != nil {
		t.Fatal("saved windows can't be read:", err)
	}
	if read.Save(&again); !bytes.Equal(out.Data, again.Data) {
		t.Fatal("windows that were read are not those that were saved")
	}
	return read
}

// someInputs are made of one number: to draw each would take most of the time.
func someInputs(seed uint64) []Input {
	random := rand.New(rand.NewPCG(seed, 1))
	inputs := make([]Input, len(all))
	for i := range inputs {
		// Whole numbers: sums do not depend on the order.
		inputs[i] = Input{Valid: random.IntN(2) == 0, Number: float64(random.IntN(11) - 5), Hash: random.Uint64N(7)}
	}
	return inputs
}

func TestAgainstOracle(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		o := Options{
			Over: time.Minute, Panes: rapid.SampledFrom([]int{1, 4, 20, 60}).Draw(t, "panes"), Exact: rapid.Bool().Draw(t, "exact"), Sample: true,
			Late: time.Duration(rapid.SampledFrom([]int{0, 10, 120}).Draw(t, "late")) * time.Second, Aggregates: all,
		}
		w, err := New(o)
		if err != nil {
			t.Fatal(err)
		}
		naive := &oracle{o: o, events: map[Key][]past{}, newest: map[Key]int64{}}
		at := start
		for n := range rapid.IntRange(1, 80).Draw(t, "events") {
			at = at.Add(time.Duration(rapid.IntRange(-30_000, 40_000).Draw(t, "step")) * time.Millisecond)
			key := Key{byte(rapid.IntRange(0, 2).Draw(t, "key"))}
			inputs := someInputs(rapid.Uint64().Draw(t, "inputs"))
			place := Mark{Sequence: uint64(1 + n/3), Index: n % 3}
			first, last, got := w.Add(uint64(key[0]), key, at, inputs, place)
			if want := naive.add(key, at, inputs, place); got != want {
				t.Fatalf("taken is %v, want %v", got, want)
			}
			if rapid.IntRange(0, 20).Draw(t, "restart") == 0 {
				w = saved(t, w)
			}
			if !got {
				continue
			}
			if want := min(naive.newest[key], naive.pane(at)+naive.span()-1); first != naive.first(key, at) || last != want {
				t.Fatalf("is in windows %d to %d, want %d to %d", first, last, naive.first(key, at), want)
			}
			for _, end := range []int64{first, (first + last) / 2, last} {
				same(t, w, naive, key, end)
				naive.sampled(t, w, key, end, place)
			}
			same(t, w, naive, key, w.Newest(key))
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
		w.Add(0, Key{}, start, []Input{v, v}, Mark{})
	}
	if got := w.Value(Key{}, 0, w.Newest(Key{})); math.Abs(got-50) > 1.5 {
		t.Errorf("median is %v", got)
	}
	v := Input{Valid: true, Number: 7}
	w.Add(0, Key{}, start.Add(2*time.Minute), []Input{v, v}, Mark{})
	if got := w.Value(Key{}, 1, w.Newest(Key{})); math.Abs(got-7) > 0.1 {
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
			w.Add(0, numbered(1, i), start.Add(time.Duration(round)*time.Second), in, Mark{})
		}
	}
	for i := range 50_000 {
		w.Add(0, numbered(2, i), start.Add(10*time.Second), in, Mark{})
	}
	for i := range 100 {
		if got := w.Value(numbered(1, i), 0, w.Newest(numbered(1, i))); got != 5 {
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
		w.Add(0, numbered(1, i), start.Add(time.Duration(i)*10*time.Second), []Input{{Valid: true}}, Mark{})
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
	const many = 20 * MaxDistinct
	for i := range uint64(many) {
		w.Add(0, Key{}, start, []Input{{Valid: true, Hash: i * 0x9e3779b97f4a7c15}}, Mark{})
		if i < MaxDistinct && i%64 == 0 && w.Value(Key{}, 0, w.Newest(Key{})) != float64(i+1) {
			t.Fatalf("%v different values, want %d", w.Value(Key{}, 0, w.Newest(Key{})), i+1)
		}
	}
	w = saved(t, w)
	if got := w.Value(Key{}, 0, w.Newest(Key{})); math.Abs(got-many) > 0.06*many {
		t.Errorf("%v different values", got)
	}
	if n := w.Stats().Bytes; n > 16<<10 {
		t.Errorf("one group takes %d bytes", n)
	}
	w.Add(0, Key{}, start.Add(time.Hour), []Input{{Valid: true, Hash: 1}}, Mark{})
	if got := w.Value(Key{}, 0, w.Newest(Key{})); got != 1 {
		t.Errorf("%v different values an hour later", got)
	}
}

func TestBaseline(t *testing.T) {
	w, err := New(Options{Over: time.Minute, Aggregates: []Aggregate{{Function: Baseline}}})
	if err != nil {
		t.Fatal(err)
	}
	ratio := func() float64 { return w.Value(Key{}, 0, w.Newest(Key{})) }
	at := start.Truncate(time.Minute)
	for minute := range 30 {
		for i := range 10 {
			w.Add(0, Key{}, at.Add(time.Duration(minute)*time.Minute+time.Duration(i)*6*time.Second), []Input{{Valid: true, Number: 1}}, Mark{})
		}
		if got := ratio(); minute < 3 && !math.IsNaN(got) || minute >= 3 && (got < 0.95 || got > 1.15) {
			t.Fatalf("minute %d is %v times the usual", minute, got)
		}
	}
	w = saved(t, w)
	for range 80 {
		w.Add(0, Key{}, at.Add(30*time.Minute), []Input{{Valid: true, Number: 1}}, Mark{})
	}
	if got := ratio(); got < 8 || got > 9.1 {
		t.Errorf("a burst is %v times the usual", got)
	}
	w.Expire(at.Add(45*time.Minute), 10)
	if w.Stats().Groups != 1 {
		t.Error("the baseline was forgotten after a quarter of an hour")
	}
	w.Add(0, Key{}, at.Add(100*time.Hour), []Input{{Valid: true, Number: 1}}, Mark{})
	if got := ratio(); got != 1 {
		t.Errorf("one event after days without is %v times the usual", got)
	}
}

// One namespace has its share, and when there is no room its own groups go.
func TestANamespaceHasAShare(t *testing.T) {
	w, err := New(Options{Over: time.Hour, Aggregates: []Aggregate{{Function: Count}}, MaxGroups: 1000})
	if err != nil {
		t.Fatal(err)
	}
	in := []Input{{Valid: true}}
	for i := range 500 {
		w.Add(1, numbered(1, i), start, in, Mark{})
	}
	if n := w.Stats().Groups; n != 300 {
		t.Errorf("one namespace has %d of 1000 groups", n)
	}
	for i := range 700 {
		w.Add(2+uint64(i%7), numbered(2, i), start, in, Mark{})
	}
	for i := range 50_000 {
		w.Add(1, numbered(1, i), start, in, Mark{})
	}
	for i := range 700 {
		if w.Value(numbered(2, i), 0, w.Newest(numbered(2, i))) != 1 {
			t.Fatalf("group %d of another namespace is gone", i)
		}
	}
}

func TestBytesAreBounded(t *testing.T) {
	w, err := New(Options{Over: time.Hour, Aggregates: []Aggregate{{Function: Distinct}}, MaxBytes: 1 << 20})
	if err != nil {
		t.Fatal(err)
	}
	for i := range 500_000 {
		w.Add(0, numbered(1, i%500), start, []Input{{Valid: true, Hash: uint64(i)}}, Mark{})
		if n := w.Stats().Bytes; n > 1<<20+1<<17 {
			t.Fatalf("%d bytes", n)
		}
	}
	if w.Stats().Evicted == 0 {
		t.Error("nothing was evicted")
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
	binary.LittleEndian.PutUint64(k[8:], uint64(i))
	return k
}
