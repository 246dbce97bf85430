package detect

import (
	"encoding/json"
	"iter"
	"time"

	"github.com/firebreak-io/firebreak/detect/baseline"
	"github.com/firebreak-io/firebreak/internal/event"
)

const (
	// steady is in how many of its intervals an entity has to have been there.
	steady = 0.9
	// steadyFrom is how many observations it takes to know that.
	steadyFrom = 60
	// maxMissed is how many intervals are looked at that passed at once.
	maxMissed = 60
)

// lastSeen is what is kept of an entity to tell of it when it is silent.
type lastSeen struct {
	Source  event.Source  `json:"s"`
	Cluster string        `json:"c,omitempty"`
	Trust   event.Trust   `json:"t"`
	Object  event.Ref     `json:"o,omitzero"`
	Actor   string        `json:"a,omitempty"`
	At      event.Address `json:"e"`
}

// remark keeps beside an entity what its last interval was of.
func (m *modeller) remark(o *observation) {
	if m.d.Spec.Silent == nil || o.silent || len(o.events) == 0 {
		return
	}
	e := o.env
	data, err := json.Marshal(lastSeen{e.Source, e.Cluster, e.Trust, e.Object, e.Actor.User, o.events[len(o.events)-1]})
	if err == nil {
		o.e.SetNote(string(data))
	}
}

// quietly measures intervals in which nothing came of entities that are nearly
// always there, as far as something came after them.
func (m *modeller) quietly(now time.Time) (found []event.Finding) {
	s, every := m.d.Spec.Silent, m.open.every
	if s == nil || m.open.newest == 0 {
		return nil
	}
	over := (now.UnixNano()-int64(m.open.grace))/int64(every) - 1
	upTo := min(over, m.open.newest-1)
	from := max(m.open.judged+1, upTo-maxMissed)
	m.open.judged = max(m.open.judged, upTo)
	for n := from; n <= upTo; n++ {
		for _, o := range m.missed(n) {
			found = append(found, m.measure(o)...)
		}
	}
	return found
}

// missed are the empty intervals of a number, of those entities that are missed.
// Where all are it is not they that are silent but what tells of them: then none
// is measured, see [modeller.hushed].
func (m *modeller) missed(n int64) (all []*observation) {
	end := m.endOf(n)
	there := 0
	for who, e := range m.steady(end) {
		there++
		if end.Sub(e.Last()) < m.d.Spec.Silent.After.Std() {
			continue
		}
		if o := m.emptied(who, e, end); o != nil {
			o.id = "silent " + text(int(n))
			all = append(all, o)
		}
	}
	if there > 1 && len(all) == there {
		return nil
	}
	return all
}

func (m *modeller) endOf(n int64) time.Time { return time.Unix(0, (n+1)*int64(m.open.every)).UTC() }

// steady gives the entities that are nearly always there, and were it not long
// before a time.
func (m *modeller) steady(at time.Time) iter.Seq2[baseline.Who, *baseline.Entity] {
	return func(yield func(baseline.Who, *baseline.Entity) bool) {
		for who, e := range m.base.All() {
			if at.Sub(e.Last()) > m.d.Spec.Silent.For.Std() || e.Seen() < steadyFrom || e.Presence(m.open.every) < steady {
				continue
			}
			if !yield(who, e) {
				return
			}
		}
	}
}

// back notes that something comes again after nothing did: those that do not yet
// are given as much time as nothing came of any.
func (m *modeller) back(n int64) {
	s, newest := m.d.Spec.Silent, m.open.newest
	if s == nil || newest == 0 || time.Duration(n-newest-1)*m.open.every < s.After.Std() {
		return
	}
	there := 0
	for range m.steady(m.endOf(newest)) {
		there++
	}
	if there > 1 {
		m.open.judged = max(m.open.judged, n-1+int64(s.After.Std()/m.open.every))
	}
}

// hushed says since when nothing comes of any of the entities that are nearly
// always there, and how many those are; of none when something does. Nobody can
// tell then whether they are silent, or their source is.
func (m *modeller) hushed(now time.Time) (since time.Time, entities int) {
	if m.d.Spec.Silent == nil || m.open.newest == 0 {
		return time.Time{}, 0
	}
	for _, e := range m.steady(m.endOf(m.open.newest)) {
		entities++
		if last := e.Last(); last.After(since) {
			since = last
		}
	}
	if now.Sub(since) < m.d.Spec.Silent.After.Std()+m.open.grace {
		return time.Time{}, 0
	}
	return since, entities
}

// emptied is an interval of nothing; nil where too little is known to tell of it.
func (m *modeller) emptied(who baseline.Who, e *baseline.Entity, end time.Time) *observation {
	var seen lastSeen
	if json.Unmarshal([]byte(e.Note()), &seen) != nil {
		return nil
	}
	return &observation{
		who: who, at: end, cells: make([]cell, m.cells), events: []event.Address{seen.At}, silent: true,
		env: &event.Event{
			Source: seen.Source, Cluster: seen.Cluster, Trust: seen.Trust, Object: seen.Object, Actor: event.Actor{User: seen.Actor}, Time: end, Received: end,
		},
	}
}
