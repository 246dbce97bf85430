package sequence

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/firebreak-io/firebreak/detect/pack"
)

// arrival is an event as the oracle sees it.
type arrival struct {
	Entry
	steps uint
}

// oracle tries all ways to choose an event for each step.
type oracle struct {
	o      Options
	events []arrival // since the last match
	nots   []arrival
}

func (o *oracle) positive() int {
	if o.o.Not {
		return o.o.Steps - 1
	}
	return o.o.Steps
}

// complete says whether there is a sequence, and gives its best one: of those
// that begin latest.
func (o *oracle) complete() (first, last Entry, ok bool) {
	var choose func(chosen []arrival)
	choose = func(chosen []arrival) {
		step := len(chosen)
		if step == o.positive() {
			low, high := chosen[0].Entry, chosen[0].Entry
			for _, c := range chosen {
				if c.before(low) {
					low = c.Entry
				}
				if high.before(c.Entry) {
					high = c.Entry
				}
			}
			if high.Time-low.Time <= int64(o.o.Within) {
				first, last, ok = low, high, true
			}
			return
		}
		for _, e := range o.events {
			if ok || e.steps&(1<<step) == 0 || slices.ContainsFunc(chosen, func(c arrival) bool { return c.Order == e.Order }) {
				continue
			}
			if !o.o.Any && step > 0 && !chosen[step-1].before(e.Entry) {
				continue
			}
			choose(append(slices.Clone(chosen), e))
		}
	}
	choose(nil)
	return first, last, ok
}

func (o *oracle) add(e arrival) bool {
	if o.o.Not && e.steps&(1<<(o.o.Steps-1)) != 0 {
		o.nots = append(o.nots, e)
	}
	o.events = append(o.events, e)
	if _, _, ok := o.complete(); !ok {
		return false
	}
	o.events = nil
	return true
}

func TestAgainstOracle(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		o := Options{
			Steps: rapid.IntRange(1, 4).Draw(t, "steps"), Within: 10 * time.Second, Late: 5 * time.Second,
			Any: rapid.Bool().Draw(t, "any"),
		}
		m, err := New(o)
		if err != nil {
			t.Fatal(err)
		}
		random := rand.New(rand.NewPCG(rapid.Uint64().Draw(t, "seed"), 0))
		naive := map[byte]*oracle{1: {o: o}, 2: {o: o}}
		clock := int64(1e12)
		for i := range rapid.IntRange(1, 24).Draw(t, "events") {
			clock += random.Int64N(4e9)
			e := arrival{Entry{Time: clock - random.Int64N(2)*random.Int64N(5e9), Order: uint64(i)}, uint(random.Uint64N(1 << o.Steps))}
			key := byte(1 + random.IntN(2))
			found := m.Add(0, Key{key}, e.steps, e.Entry)
			if want := naive[key].add(e); (found != nil) != want {
				t.Fatalf("event %d: found %v, want %v", i, found, want)
			}
			for j := 1; j < len(found); j++ {
				if !found[j-1].before(found[j]) {
					t.Fatalf("found in the order %v", found)
				}
			}
			if random.IntN(5) == 0 {
				m = saved(t, m)
			}
		}
	})
}

// A sequence whose last step must not come is found for exactly those events
// that no such step follows, in whatever order they come within the lateness.
func TestNotFollowedAgainstOracle(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		o := Options{Steps: 2, Within: 10 * time.Second, Late: 5 * time.Second, Not: true}
		m, err := New(o)
		if err != nil {
			t.Fatal(err)
		}
		random := rand.New(rand.NewPCG(rapid.Uint64().Draw(t, "seed"), 0))
		clock := int64(1e12)
		var all []arrival
		got := map[uint64]bool{}
		for i := range rapid.IntRange(1, 14).Draw(t, "events") {
			clock += random.Int64N(6e9)
			e := arrival{Entry{Time: clock - random.Int64N(2)*random.Int64N(5e9), Order: uint64(i)}, 1 << random.UintN(2)}
			all = append(all, e)
			for _, h := range m.Due(time.Unix(0, clock)) {
				got[h.End.Order] = true
			}
			if found := m.Add(0, Key{}, e.steps, e.Entry); found != nil {
				m.Hold(0, Key{}, found, nil)
			}
			if random.IntN(5) == 0 {
				m = saved(t, m)
			}
		}
		for _, h := range m.Due(time.Unix(0, clock+60e9)) {
			got[h.End.Order] = true
		}
		for _, a := range all {
			want := a.steps == 1 && !slices.ContainsFunc(all, func(b arrival) bool {
				return b.steps == 2 && a.before(b.Entry) && b.Time-a.Time <= int64(o.Within)
			})
			if got[a.Order] != want {
				t.Fatalf("event %d of %v: held to the end is %v, want %v", a.Order, all, got[a.Order], want)
			}
		}
		if len(m.keys) != 0 {
			t.Fatalf("%d keys are left", len(m.keys))
		}
	})
}

func saved(t interface{ Fatal(...any) }, m *Machine) *Machine {
	var out, again pack.Writer
	m.Save(&out)
	read, err := New(m.o)
	if err != nil {
		t.Fatal(err)
	}
	in := pack.NewReader(out.Data)
	if err := read.Load(in); err != nil || in.Done() != nil {
		t.Fatal("can't be read:", err)
	}
	if read.Save(&again); !bytes.Equal(out.Data, again.Data) {
		t.Fatal("what was read is not what was saved")
	}
	return read
}

func TestKeysAreBounded(t *testing.T) {
	m, err := New(Options{Steps: 2, Within: time.Minute, MaxKeys: 100})
	if err != nil {
		t.Fatal(err)
	}
	hot := Key{1}
	m.Add(0, hot, 1, Entry{Time: 1, Order: 1})
	m.Add(0, hot, 1, Entry{Time: 2, Order: 2})
	for i := range 10_000 {
		m.Add(0, Key{2, byte(i >> 8), byte(i)}, 1, Entry{Time: int64(i), Order: uint64(i + 3)})
	}
	if s := m.Stats(); s.Keys != 100 || s.Evicted != 10_000-99 {
		t.Errorf("stats are %+v", s)
	}
	if m.Add(0, hot, 2, Entry{Time: 20_000, Order: 20_000}) == nil {
		t.Error("a flood of keys pushed out one with more events")
	}
	for i := range 100 {
		m.Add(0, hot, 1, Entry{Time: int64(i), Order: uint64(30_000 + i), Data: []byte(fmt.Sprint(i))})
	}
	if n := m.Stats().Dropped; n != 100-maxEvents {
		t.Errorf("%d events were dropped", n)
	}
	m.Due(time.Unix(1000, 0))
	if n := m.Stats().Keys; n != 0 {
		t.Errorf("%d keys are left after all this time", n)
	}
}

// One namespace has its share, and when there is no room its own keys go; what
// is awaited of others stays.
func TestANamespaceHasAShare(t *testing.T) {
	m, err := New(Options{Steps: 2, Within: time.Hour, Not: true, MaxKeys: 1000})
	if err != nil {
		t.Fatal(err)
	}
	for i := range 700 {
		k, e := Key{2, byte(i >> 8), byte(i)}, Entry{Time: int64(i), Order: uint64(i)}
		if found := m.Add(2+uint64(i%7), k, 1, e); found == nil || !m.Hold(2+uint64(i%7), k, found, nil) {
			t.Fatal("is not held")
		}
	}
	for i := range 50_000 {
		k := Key{1, byte(i >> 8), byte(i)}
		e := Entry{Time: int64(i), Order: uint64(1000 + i)}
		m.Hold(1, k, m.Add(1, k, 1, e), nil)
		if i%10_000 == 0 {
			m = saved(t, m)
		}
	}
	if s := m.Stats(); s.Keys != 1000 || s.Evicted != 49_700 {
		t.Errorf("stats are %+v", s)
	}
	others := 0
	for _, h := range m.Due(time.Unix(1<<33, 0)) {
		if h.End.Order < 1000 {
			others++
		}
	}
	if others != 700 || m.Stats().Keys != 0 {
		t.Errorf("%d of 700 of other namespaces are left, and %d keys in the end", others, m.Stats().Keys)
	}
}

func TestNewRefuses(t *testing.T) {
	for _, o := range []Options{
		{}, {Steps: 1}, {Steps: 9, Within: 1}, {Steps: 1, Within: 1, Not: true}, {Steps: 2, Within: 1, Late: -1},
	} {
		if _, err := New(o); err == nil {
			t.Errorf("%+v was taken", o)
		}
	}
}

func FuzzLoad(f *testing.F) {
	o := Options{Steps: 2, Within: time.Minute, Not: true}
	m, err := New(o)
	if err != nil {
		f.Fatal(err)
	}
	m.Hold(0, Key{}, m.Add(0, Key{}, 1, Entry{Time: 5, Order: 1, Data: []byte("x")}), []byte("note"))
	var out pack.Writer
	m.Save(&out)
	f.Add(out.Data)
	f.Fuzz(func(_ *testing.T, data []byte) {
		if m, err := New(o); err == nil && m.Load(pack.NewReader(data)) == nil {
			for g := range m.order.All {
				m.Hold(1, g.key, []Entry{{Time: 5, Order: 3}}, nil)
				break
			}
			m.Add(0, Key{}, 3, Entry{Time: 6, Order: 2})
			m.Next()
			m.Peek(Key{})
			m.Due(time.Unix(1<<33, 0))
			for m.Stats().Keys > 0 {
				m.Evict()
			}
		}
	})
}
