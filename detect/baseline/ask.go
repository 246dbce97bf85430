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
	if s.strictTable(category) || !e.InGrace(now) {
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
// grace, what its peers had is not new, unless the category is strict.
func (s *Store) Novelty(e *Entity, category int, v Value, now time.Time) float64 {
	g := s.groups[e.peers]
	switch {
	case e.tables[category].has(v.Hash):
		return Known
	case g != nil && g.tables[category].has(v.Hash):
		if e.InGrace(now) && !s.strictTable(category) {
			return Known
		}
		return NewHere
	case s.all[category].has(v.Hash):
		return NewToPeers
	}
	return Unheard
}

// Usual is the value that an entity has most, or, where it has none, that its peers
// have, which is said. The text is empty when nothing came.
func (s *Store) Usual(e *Entity, category int) (text string, peers bool) {
	if text = e.tables[category].usual(); text != "" {
		return text, false
	}
	if g := s.groups[e.peers]; g != nil {
		text = g.tables[category].usual()
	}
	return text, text != ""
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

// Basis is what a number is made of, as far as that says how much of it is
// chance.
type Basis struct {
	// Trust, from 0 to 1, is how much of its distance counts: an average of two is
	// less than one of two thousand.
	Trust float64
	// Of is of how many events it is the share, 0 if it is no share.
	Of float64
	// Each is what one event adds to it, 0 if it counts none.
	Each float64
}

// chance is the variance that a number has by chance alone around what is
// expected of it: of a share that of draws, of a count that of events that know
// nothing of each other.
func (b Basis) chance(expected float64) float64 {
	switch {
	case b.Of > 0:
		// As if one of so many more had been otherwise: what never happened may.
		const more = 50
		p := (more*min(1, max(0, expected)) + 1) / (more + 2)
		return p * (1 - p) / b.Of
	case b.Each > 0:
		return b.Each / (4 * large)
	}
	return 0
}

// Relative is by how many deviations a number of an entity is from what is
// usual at that hour of the week, above 0 when it is larger; false as long as
// too little is known. In its time of grace it is less, as far as new versions of
// other entities went.
func (s *Store) Relative(e *Entity, number int, x float64, b Basis, now time.Time) (float64, bool) {
	z, ok := s.off(e, number, x, b, now)
	if ok && s.excused(e, number, now) {
		z = s.graces[number].excuse(z)
	}
	return z, ok
}

// off is by how many deviations it is, whatever the version.
func (s *Store) off(e *Entity, number int, x float64, b Basis, now time.Time) (float64, bool) {
	q := &e.series[number]
	return s.distance(q, number, x, q.expected(now), deviation(q.variance, q.n, s.spreads[number].slow), b)
}

// Lasting is by how many deviations a number is off, or, where that is more, the
// last dozen of them were on average, in deviations of such an average: what is a
// little off for long is as odd as what is far off once. What is as usual again
// does not last.
func (s *Store) Lasting(e *Entity, number int, x float64, b Basis, now time.Time) (float64, bool) {
	z, ok := s.Relative(e, number, x, b, now)
	if !ok {
		return z, ok
	}
	q := &e.series[number]
	long := within(q.lasts(z)/q.latelyDeviation(), stillOff*math.Abs(z))
	if long*z > 0 && math.Abs(long) > math.Abs(z) {
		z = within(long, farthest)
	}
	return z, true
}

// Jump is [Store.Relative] against the last hour.
func (s *Store) Jump(e *Entity, number int, x float64, b Basis, now time.Time) (float64, bool) {
	q := &e.series[number]
	z, ok := s.distance(q, number, x, q.fast, deviation(q.fastVariance, q.n, s.spreads[number].fast), b)
	if s.excused(e, number, now) {
		z /= graced
	}
	return z, ok
}

func (s *Store) distance(q *series, number int, x, expected, dev float64, b Basis) (float64, bool) {
	dev = q.wider() * math.Sqrt(float64(dev*dev)+b.chance(expected))
	return q.distance(b.Trust*(squash(x, s.counts(number))-expected), dev)
}

func (s *series) distance(off, dev float64) (float64, bool) {
	if s.n < enough || math.IsNaN(off) {
		return 0, false
	}
	return min(farthest, max(-farthest, off/max(dev, tiny))), true
}

// farthest bounds a distance in deviations.
const farthest = 1000

// Range is what is usual of a number at a time: within two deviations. It is
// false as long as too little is known.
func (s *Store) Range(e *Entity, number int, now time.Time) (low, high float64, ok bool) {
	q := &e.series[number]
	mid, dev := q.expected(now), 2*q.wider()*max(tiny, deviation(q.variance, q.n, s.spreads[number].slow))
	low, high = unsquash(mid-dev, s.counts(number)), unsquash(mid+dev, s.counts(number))
	if mid >= 0 {
		low = max(0, low)
	}
	return low, high, q.n >= enough
}

// Learn makes a number one that came; the basis is as in [Store.Relative].
func (s *Store) Learn(e *Entity, number int, x float64, b Basis, now time.Time) {
	if math.IsNaN(x) || math.IsInf(x, 0) {
		return
	}
	q, g := &e.series[number], &s.graces[number]
	z, ok := s.off(e, number, x, b, now)
	fresh := s.excused(e, number, now)
	quickly := fresh
	if quickly && ok {
		quickly = g.explains(z)
		g.note(z)
	}
	if ok && !quickly {
		q.peaks(z * q.wider())
		q.noteLately(z)
	}
	q.learn(squash(x, s.counts(number)), b.Trust, now, &s.spreads[number], fresh, quickly)
}

// excused says whether a new version excuses a number of an entity now.
func (s *Store) excused(e *Entity, number int, now time.Time) bool {
	return e.InGrace(now) && !said(s.o.StrictSeries, number)
}

func (s *Store) strictTable(category int) bool { return said(s.o.StrictTables, category) }

// counts says whether a number is a count.
func (s *Store) counts(number int) bool { return said(s.o.Counts, number) }

func said(of []bool, i int) bool { return i < len(of) && of[i] }
