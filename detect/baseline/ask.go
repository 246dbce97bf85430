package baseline

import (
	"math"
	"time"
)

// Surprisal is how surprising a value of a category is for an entity, in bits:
// 0 for what it always has.
func (s *Store) Surprisal(e *Entity, category int, v Value, now time.Time) float64 {
	p := s.all[category].share(v.Hash, unknown)
	if g := s.groups[e.peers]; g != nil {
		p = g.tables[category].share(v.Hash, p)
	}
	if !e.InGrace(now) {
		p = e.tables[category].share(v.Hash, p)
	}
	return -math.Log2(max(p, 1e-9))
}

// How new a value is.
const (
	// Known is one that the entity had, NewHere one that its peers had, NewToPeers
	// one that others had, and Unheard one that nobody had.
	Known      = 0.0
	NewHere    = 1.0
	NewToPeers = 2.0
	Unheard    = 3.0
)

// Novelty is how new a value of a category is for an entity. In its time of
// grace, what its peers had is not new.
func (s *Store) Novelty(e *Entity, category int, v Value, now time.Time) float64 {
	g := s.groups[e.peers]
	switch {
	case e.tables[category].has(v.Hash):
		return Known
	case g != nil && g.tables[category].has(v.Hash):
		if e.InGrace(now) {
			return Known
		}
		return NewHere
	case s.all[category].has(v.Hash):
		return NewToPeers
	}
	return Unheard
}

// Usual is the value that an entity has most, or, where it has none, its peers,
// and its share of all that came. The text is empty when nothing came.
func (s *Store) Usual(e *Entity, category int) (text string, share float64) {
	if text, share = e.tables[category].usual(); text != "" {
		return text, share
	}
	if g := s.groups[e.peers]; g != nil {
		return g.tables[category].usual()
	}
	return "", 0
}

// See makes a value one that came. What an entity has that is not established
// counts for itself alone.
func (s *Store) See(e *Entity, category int, v Value, now time.Time) {
	e.tables[category].add(v, 1, now, entityValues)
	if e.Established() {
		s.seeAmong(s.group(e.peers, now), category, v, 1, now)
	}
}

// Prior makes a value one that came so many times for peers, before anything was
// seen: the things that are the same everywhere.
func (s *Store) Prior(peers Key, category int, v Value, times float64) {
	at := time.Unix(0, 1).UTC()
	g := s.group(peers, at)
	g.prior = true
	g.tables[category].prior(v, times, groupValues)
	s.all[category].prior(v, times/8, allValues)
	s.weighGroup(g)
}

// prior adds a value without a time: it counts from the first that has one.
func (t *table) prior(v Value, times float64, most int) {
	i := t.find(v.Hash)
	if i < 0 {
		i = t.place(v.Hash, most)
		t.slots[i] = slot{hash: v.Hash}
		t.fresh++
	}
	t.slots[i].count += float32(times)
	t.total += times
	t.crown(i, v)
}

// Relative is by how many deviations a number of an entity is from what is
// usual at that hour of the week, above 0 when it is larger; false as long as
// too little is known. trust, from 0 to 1, is how much of it is more than chance:
// a share of two is less than one of two thousand.
func (s *Store) Relative(e *Entity, number int, x, trust float64, now time.Time) (float64, bool) {
	q := &e.series[number]
	return q.distance(trust*(squash(x, s.counts(number))-q.expected(now)), deviation(q.variance, q.n, s.spreads[number].slow), e.InGrace(now))
}

// Jump is [Store.Relative] against the last hour.
func (s *Store) Jump(e *Entity, number int, x, trust float64, now time.Time) (float64, bool) {
	q := &e.series[number]
	return q.distance(trust*(squash(x, s.counts(number))-q.fast), deviation(q.fastVariance, q.n, s.spreads[number].fast), e.InGrace(now))
}

// graced is how many times larger deviations are in the time of grace.
const graced = 3

func (s *series) distance(off, dev float64, grace bool) (float64, bool) {
	if s.n < enough || math.IsNaN(off) {
		return 0, false
	}
	if grace {
		dev *= graced
	}
	return min(farthest, max(-farthest, off/max(dev, tiny))), true
}

// farthest bounds a distance in deviations.
const farthest = 1000

// Range is what is usual of a number at a time: within two deviations. It is
// false as long as too little is known.
func (s *Store) Range(e *Entity, number int, now time.Time) (low, high float64, ok bool) {
	q := &e.series[number]
	mid, dev := q.expected(now), 2*max(tiny, deviation(q.variance, q.n, s.spreads[number].slow))
	low, high = unsquash(mid-dev, s.counts(number)), unsquash(mid+dev, s.counts(number))
	if mid >= 0 {
		low = max(0, low)
	}
	return low, high, q.n >= enough
}

// Learn makes a number one that came; trust is as in [Store.Relative].
func (s *Store) Learn(e *Entity, number int, x, trust float64, now time.Time) {
	if !math.IsNaN(x) && !math.IsInf(x, 0) {
		e.series[number].learn(squash(x, s.counts(number)), trust, now, &s.spreads[number], e.InGrace(now))
	}
}

// counts says whether a number is a count.
func (s *Store) counts(number int) bool { return number < len(s.o.Counts) && s.o.Counts[number] }
