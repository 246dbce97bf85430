package sequence

import (
	"bytes"
	"container/heap"
	"container/list"
	"slices"
	"time"
)

func (m *Machine) group(key Key) *group {
	if el, ok := m.keys[key]; ok {
		g := el.Value.(*group)
		g.events = min(g.events+1, 2)
		m.listOf(g).Remove(el)
		g.often = g.often || g.events > 1
		m.keys[key] = m.listOf(g).PushBack(g)
		return g
	}
	for len(m.keys) >= m.o.MaxKeys {
		m.stats.Evicted++
		m.remove(m.least())
	}
	g := &group{key: key, events: 1, steps: make([][]Entry, m.o.Steps)}
	m.keys[key] = m.once.PushBack(g)
	return g
}

func (m *Machine) listOf(g *group) *list.List {
	if g.often {
		return m.often
	}
	return m.once
}

// least is the key that is missed least.
func (m *Machine) least() *group {
	if n := m.once.Len(); n > 0 && (n*10 >= m.often.Len() || m.often.Len() == 0) {
		return m.once.Front().Value.(*group)
	}
	return m.often.Front().Value.(*group)
}

func (m *Machine) remove(g *group) {
	m.listOf(g).Remove(m.keys[g.key])
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
func (m *Machine) Hold(key Key, found []Entry, note []byte) bool {
	end, until := found[len(found)-1], found[0].Time+int64(m.o.Within)
	g := m.group(key)
	defer m.settle(g)
	if slices.ContainsFunc(g.steps[m.last], func(e Entry) bool { return end.before(e) && e.Time <= until }) {
		return false
	}
	if len(g.held) >= maxHeld {
		m.stats.Dropped++
		return false
	}
	if !g.often {
		el := m.keys[key]
		m.once.Remove(el)
		g.often = true
		m.keys[key] = m.often.PushBack(g)
	}
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
		el, ok := m.keys[t.key]
		if !ok {
			continue
		}
		g := el.Value.(*group)
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
	for _, l := range []*list.List{m.once, m.often} {
		for range 100 {
			front := l.Front()
			if front == nil || front.Value.(*group).newest >= oldest || len(front.Value.(*group).held) > 0 {
				break
			}
			m.remove(front.Value.(*group))
		}
	}
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
