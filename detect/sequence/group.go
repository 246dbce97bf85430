package sequence

import (
	"bytes"
	"container/heap"
	"slices"
	"time"
)

func (m *Machine) group(namespace uint64, key Key) *group {
	if g := m.keys[key]; g != nil {
		g.events = min(g.events+1, 2)
		m.order.Touch(g, g.Often() || g.events > 1)
		return g
	}
	g := &group{key: key, events: 1, steps: make([][]Entry, m.o.Steps)}
	g.In(m.order.Index(namespace), false)
	for {
		least, full := m.order.Room(g.Space(), m.o.MaxKeys)
		if !full {
			break
		}
		m.evict(least)
	}
	m.keys[key] = g
	m.order.Add(g)
	return g
}

func (m *Machine) evict(g *group) {
	m.stats.Evicted++
	m.remove(g)
}

// Evict makes room: it forgets the key that is missed least.
func (m *Machine) Evict() {
	if len(m.keys) > 0 {
		m.evict(m.order.Least())
	}
}

func (m *Machine) remove(g *group) {
	m.order.Remove(g)
	delete(m.keys, g.key)
}

// settle forgets a key of which nothing is kept.
func (m *Machine) settle(g *group) {
	if len(g.held) == 0 && !slices.ContainsFunc(g.steps, func(s []Entry) bool { return len(s) > 0 }) {
		m.remove(g)
	}
}

// prune forgets the events that can't be part of anything any more.
func (m *Machine) prune(g *group) {
	oldest := g.newest - 2*int64(m.o.Within) - int64(m.o.Late)
	for i, all := range g.steps {
		n := 0
		for n < len(all) && all[n].Time < oldest {
			n++
		}
		if n > 0 {
			g.steps[i] = slices.Clone(all[n:])
		}
	}
}

// Hold keeps what [Machine.Add] found until the last step came or its time is
// over. It is false when the last step is there already, or when too much of
// the key is held.
func (m *Machine) Hold(namespace uint64, key Key, found []Entry, note []byte) bool {
	end, until := found[len(found)-1], found[0].Time+int64(m.o.Within)
	g := m.group(namespace, key)
	defer m.settle(g)
	if slices.ContainsFunc(g.steps[m.last], func(e Entry) bool { return end.before(e) && e.Time <= until }) {
		return false
	}
	if len(g.held) >= maxHeld {
		m.stats.Dropped++
		return false
	}
	m.order.Touch(g, true)
	g.held = append(g.held, Held{End: end, Until: until, Note: note})
	heap.Push(&m.due, timer{until, end.Order, key})
	return true
}

// Due gives what was held and whose time is over, so that the last step can't
// come any more, not even late. It forgets keys that were not used for as long.
func (m *Machine) Due(now time.Time) []Held {
	over := now.UnixNano() - int64(m.o.Late)
	var due []Held
	for len(m.due) > 0 && m.due[0].until < over {
		t := heap.Pop(&m.due).(timer)
		g := m.keys[t.key]
		if g == nil {
			continue
		}
		i := slices.IndexFunc(g.held, func(h Held) bool { return h.Until == t.until && h.End.Order == t.order })
		if i < 0 {
			continue
		}
		due = append(due, g.held[i])
		g.held = slices.Delete(g.held, i, i+1)
		m.settle(g)
	}
	m.expire(over - 2*int64(m.o.Within))
	return due
}

// Next is the earliest time at which [Machine.Due] may give something of what is
// held now.
func (m *Machine) Next() (at time.Time, ok bool) {
	if len(m.due) == 0 {
		return at, false
	}
	return time.Unix(0, m.due[0].until+int64(m.o.Late)+1).UTC(), true
}

// expire forgets what is at the end of the lists and too old.
func (m *Machine) expire(oldest int64) {
	for range maxExpire {
		g := m.stale(oldest)
		if g == nil {
			return
		}
		m.remove(g)
	}
}

// maxExpire is how many keys are forgotten at once.
const maxExpire = 200

func (m *Machine) stale(oldest int64) *group {
	for g := range m.order.Oldest {
		if g.newest < oldest && len(g.held) == 0 {
			return g
		}
	}
	return nil
}

// timer is when something that is held is due.
type timer struct {
	until int64
	order uint64
	key   Key
}

// timers is a heap of them.
type timers []timer

func (t timers) Len() int { return len(t) }
func (t timers) Less(i, j int) bool {
	if t[i].until != t[j].until {
		return t[i].until < t[j].until
	}
	if t[i].order != t[j].order {
		return t[i].order < t[j].order
	}
	return bytes.Compare(t[i].key[:], t[j].key[:]) < 0
}
func (t timers) Swap(i, j int) { t[i], t[j] = t[j], t[i] }

// Push is for package heap.
func (t *timers) Push(x any) { *t = append(*t, x.(timer)) }

// Pop is for package heap.
func (t *timers) Pop() any {
	old := *t
	x := old[len(old)-1]
	*t = old[:len(old)-1]
	return x
}
