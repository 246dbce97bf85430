package baseline

import (
	"runtime"
	"testing"

	"github.com/firebreak-io/firebreak/detect/pack"
)

// hostile are states that say as much as they can in few bytes, for so many
// tables: peers with large tables, entities with hours of the week.
func hostile(o Options) map[string][]byte {
	head := func(out *pack.Writer) {
		out.Uint(0)
		for range o.Tables {
			(&table{}).save(out)
		}
		for range 3 * o.Series {
			out.Float(0)
		}
	}
	full := &table{since: 1}
	for i := range indexFrom + 1 {
		full.slots = append(full.slots, slot{hash: uint64(i), count: 1})
	}
	var groups, entities pack.Writer
	head(&groups)
	groups.Len(maxGroups)
	for i := range maxGroups {
		groups.Fixed([]byte{byte(i), byte(i >> 8), 15: 0})
		groups.Int(0)
		groups.Bool(false)
		for range o.Tables {
			full.save(&groups)
		}
	}
	groups.Len(0)
	groups.Len(0)
	head(&entities)
	entities.Len(0)
	entities.Len(1)
	entities.Uint(0)
	entities.Len(o.Entities)
	e := &Entity{tables: make([]table, o.Tables), series: make([]series, o.Series)}
	for i := range e.series {
		e.series[i].hours = new([hoursOfWeek]hour)
	}
	for i := range o.Entities {
		e.key = Key{byte(i), byte(i >> 8)}
		e.save(&entities)
	}
	return map[string][]byte{"groups": groups.Data, "entities": entities.Data}
}

// What a state makes a store take is bounded by what the state itself is, and by
// what the store may take.
func TestHostileState(t *testing.T) {
	o := Options{Tables: 8, Series: 8, Entities: 10_000, Bytes: 16 << 20}
	for name, data := range hostile(o) {
		var before, after runtime.MemStats
		runtime.GC()
		runtime.ReadMemStats(&before)
		s := New(o)
		err := s.Load(pack.NewReader(data))
		runtime.ReadMemStats(&after)
		took := after.TotalAlloc - before.TotalAlloc
		t.Logf("%s: %d bytes take %d, %v", name, len(data), took, err)
		if took > 20*uint64(len(data)) || took > 8*uint64(o.Bytes) {
			t.Errorf("%s: %d bytes take %d", name, len(data), took)
		}
	}
}

// Peers count for the bytes that a store may take.
func TestGroupsAreBounded(t *testing.T) {
	s := New(Options{Tables: 2, Series: 1, Entities: 4000, Bytes: 2 << 20, Settle: 1})
	now := start
	for i := range 40_000 {
		now = now.Add(1e9)
		e := s.Touch(Who{Entity: key(i % 2000), Peers: key(i % 2000), Label: "x"})
		for c := range 2 {
			s.See(e, c, ValueOf(string(rune('a'+i%7919))), now)
		}
		s.Observe(e, now)
	}
	if s.grouped > 1<<19+4096 || len(s.groups) < 10 || s.Stats().Bytes > 2<<20+1<<19 {
		t.Errorf("%d groups take %d of %d bytes", len(s.groups), s.grouped, s.Stats().Bytes)
	}
	sum := 0
	for _, g := range s.groups {
		sum += g.measure()
	}
	if sum != s.grouped {
		t.Errorf("groups take %d, counted are %d", sum, s.grouped)
	}
}
