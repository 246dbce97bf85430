package sequence

import (
	"errors"
	"slices"
	"time"

	"github.com/firebreak-io/firebreak/detect/evict"
)

// Key names a group: a hash of its values.
type Key [16]byte

// Options say what is looked for.
type Options struct {
	// Steps is how many there are, 1 to [MaxSteps].
	Steps int
	// Within is the most time from the first event to the last.
	Within time.Duration
	// Any takes the steps in any order; each needs an event of its own.
	Any bool
	// Not turns the last step round: it must not follow the others. What is
	// found then waits, see [Machine.Hold].
	Not bool
	// Late is how much later than others an event may come.
	Late time.Duration
	// MaxKeys is how many keys there are at most; 0 means [DefaultKeys].
	MaxKeys int
}

// Bounds of what one key holds. Of a step's events the newest are kept.
const (
	MaxSteps    = 8
	maxEvents   = 16
	maxHeld     = 16
	DefaultKeys = 100_000
)

// Entry is an event: its time in nanoseconds, its place in the stream, which
// decides between events of one time, and what the caller wants to know of it.
type Entry struct {
	Time  int64
	Order uint64
	Data  []byte
}

func (e Entry) before(o Entry) bool {
	return e.Time < o.Time || e.Time == o.Time && e.Order < o.Order
}

// Machine keeps the events of each key.
type Machine struct {
	o     Options
	last  int // index of the step that must not come, or -1
	keys  map[Key]*group
	order evict.Order[*group]
	due   timers
	stats Stats
}

// Stats count. Evicted are keys that made room for others; Dropped are events
// and held findings that left because one key had too many.
type Stats struct {
	Keys             int
	Evicted, Dropped uint64
}

// group is what is known of one key.
type group struct {
	key    Key
	events int
	evict.Link[*group]
	newest int64
	steps  [][]Entry // sorted
	held   []Held
}

// Held is what was found of a sequence whose last step must not come.
type Held struct {
	// End is the last event of the others, Until the time by which the last
	// step has to come.
	End   Entry
	Until int64
	// Note is the caller's.
	Note []byte
}

// New makes a machine without events.
func New(o Options) (*Machine, error) {
	if o.MaxKeys <= 0 {
		o.MaxKeys = DefaultKeys
	}
	m := &Machine{o: o, last: -1, keys: map[Key]*group{}}
	if o.Not {
		m.last = o.Steps - 1
	}
	if o.Steps < 1 || o.Steps > MaxSteps || o.Not && o.Steps < 2 || o.Within <= 0 || o.Late < 0 {
		return nil, errors.New("a sequence has a time and 1 to 8 steps, or 2 when the last must not come")
	}
	return m, nil
}

// Stats says how full it is.
func (m *Machine) Stats() Stats {
	s := m.stats
	s.Keys = len(m.keys)
	return s
}

// positive is how many steps have to come.
func (m *Machine) positive() int {
	if m.last >= 0 {
		return m.last
	}
	return m.o.Steps
}

// Add takes an event that belongs to the steps whose bits are set. It gives the
// events of a sequence that is complete with it, in the order of their times;
// they and the others of the steps that have to come are then forgotten. Keys of
// one namespace have a share of the room together; 0 is no namespace, to which
// this does not apply.
func (m *Machine) Add(namespace uint64, key Key, steps uint, e Entry) []Entry {
	g := m.group(namespace, key)
	g.newest = max(g.newest, e.Time)
	m.prune(g)
	if m.last >= 0 && steps&(1<<m.last) != 0 {
		m.put(g, m.last, e)
		g.held = slices.DeleteFunc(g.held, func(h Held) bool { return h.End.before(e) && e.Time <= h.Until })
	}
	var found []Entry
	for i := range m.positive() {
		if steps&(1<<i) == 0 {
			continue
		}
		m.put(g, i, e)
		if found == nil && !m.o.Any {
			found = m.chain(g, i, e)
		}
	}
	if m.o.Any {
		found = m.together(g, e)
	}
	if found != nil {
		for i := range m.positive() {
			g.steps[i] = nil
		}
	}
	m.settle(g)
	return found
}

// put keeps the events of a step sorted.
func (m *Machine) put(g *group, step int, e Entry) {
	all := g.steps[step]
	at, _ := slices.BinarySearchFunc(all, e, func(a, b Entry) int {
		if a.before(b) {
			return -1
		}
		return 1
	})
	all = slices.Insert(all, at, e)
	if len(all) > maxEvents {
		m.stats.Dropped++
		all = slices.Delete(all, 0, 1)
	}
	g.steps[step] = all
}

// chain looks for one event of each step, in their order, of which e is one:
// the latest ones before it and the earliest ones after it lie closest.
func (m *Machine) chain(g *group, step int, e Entry) []Entry {
	n := m.positive()
	found := make([]Entry, n)
	found[step] = e
	for i := step - 1; i >= 0; i-- {
		before := slices.IndexFunc(g.steps[i], func(o Entry) bool { return !o.before(found[i+1]) })
		if before < 0 {
			before = len(g.steps[i])
		}
		if before == 0 {
			return nil
		}
		found[i] = g.steps[i][before-1]
	}
	for i := step + 1; i < n; i++ {
		after := slices.IndexFunc(g.steps[i], func(o Entry) bool { return found[i-1].before(o) })
		if after < 0 {
			return nil
		}
		found[i] = g.steps[i][after]
	}
	if found[n-1].Time-found[0].Time > int64(m.o.Within) {
		return nil
	}
	return found
}

// together looks for one event of each step, all of them different, within the
// time. Without e there was none.
func (m *Machine) together(g *group, e Entry) []Entry {
	within := int64(m.o.Within)
	for i := range m.positive() {
		for _, first := range g.steps[i] {
			if first.Time > e.Time || first.Time < e.Time-within {
				continue
			}
			if found := m.assign(g, first.Time, first.Time+within); found != nil {
				slices.SortFunc(found, func(a, b Entry) int {
					if a.before(b) {
						return -1
					}
					return 1
				})
				return found
			}
		}
	}
	return nil
}

// assign gives each step an event of its own between two times.
func (m *Machine) assign(g *group, from, to int64) []Entry {
	taken := map[uint64]int{} // the step that has an event
	chosen := make([]Entry, m.positive())
	var give func(step int, tried map[uint64]bool) bool
	give = func(step int, tried map[uint64]bool) bool {
		for _, e := range g.steps[step] {
			if e.Time < from || e.Time > to || tried[e.Order] {
				continue
			}
			tried[e.Order] = true
			if owner, has := taken[e.Order]; !has || give(owner, tried) {
				taken[e.Order], chosen[step] = step, e
				return true
			}
		}
		return false
	}
	for step := range chosen {
		if !give(step, map[uint64]bool{}) {
			return nil
		}
	}
	return chosen
}
