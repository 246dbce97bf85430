package baseline

import (
	"cmp"
	"iter"
	"maps"
	"math"
	"slices"
	"time"
)

// Options say what is remembered.
type Options struct {
	// Tables is how many categories there are, Series how many numbers, Sums how
	// many sums.
	Tables, Series, Sums int
	// Entities and Bytes are the most that are remembered; 0 means 10,000 and
	// 64 MiB. Bytes is an estimate.
	Entities, Bytes int
	// Counts says of each number whether it is a count, or made of one.
	Counts []bool
	// StrictTables and StrictSeries say of each category and number whether a new
	// version does not excuse it: in the time of grace it is told and learned as ever.
	StrictTables, StrictSeries []bool
	// Settle is how long an entity has to be there before it counts for others,
	// 10 minutes if 0.
	Settle time.Duration
}

// What Options leave open.
const (
	DefaultEntities = 10_000
	DefaultBytes    = 64 << 20
)

const (
	// share is the part of all entities that those of one space may have.
	share = 0.5
	// maxGroups is how many peer groups are remembered.
	maxGroups = 1024
	// groupShare is the part of the bytes that groups may take.
	groupShare = 0.25
	maxLabel   = 128
	// unknown is the probability of a value that nobody ever had, among values
	// that nobody ever had.
	unknown = 1.0 / 1024
)

// Store is what is remembered of all entities. It is not safe for concurrent
// use.
type Store struct {
	o        Options
	entities map[Key]*Entity
	order    order
	groups   map[Key]*group
	all      []table
	spreads  []spread
	graces   []grace
	stats    Stats
	// grouped is what groups take of the bytes.
	grouped int
}

// group is what is remembered of peers.
type group struct {
	tables []table
	last   int64
	prior  bool
	bytes  int
	gone   bool
}

// Stats count what is remembered, and what had to go since the beginning.
type Stats struct {
	Entities, Groups, Bytes int
	Evicted                 uint64
}

// Who is the entity that is observed.
type Who struct {
	// Entity and Peers name it and the group that it is compared with.
	Entity, Peers Key
	// Space is a number for what has a share of the room, its namespace or its
	// peers; 0 is none.
	Space uint64
	// Label is its name for people.
	Label string
}

// New makes a store that remembers nothing.
func New(o Options) *Store {
	if o.Entities <= 0 {
		o.Entities = DefaultEntities
	}
	if o.Bytes <= 0 {
		o.Bytes = DefaultBytes
	}
	if o.Settle <= 0 {
		o.Settle = establishedFor
	}
	return &Store{
		o: o, entities: map[Key]*Entity{}, groups: map[Key]*group{},
		all: make([]table, o.Tables), spreads: make([]spread, o.Series), graces: make([]grace, o.Series),
	}
}

// Stats says how full it is.
func (s *Store) Stats() Stats {
	st := s.stats
	st.Entities, st.Groups = len(s.entities), len(s.groups)
	for i := range s.all {
		st.Bytes += s.all[i].bytes()
	}
	return st
}

// All gives the entities, in an order that is the same after Save and Load. They
// must not be touched or observed meanwhile.
func (s *Store) All() iter.Seq2[Who, *Entity] {
	return func(yield func(Who, *Entity) bool) {
		for e := range s.order.all {
			if !yield(Who{e.key, e.peers, s.order.spaces[e.space].id, e.Label}, e) {
				return
			}
		}
	}
}

// Find is an entity, or nil, and changes nothing.
func (s *Store) Find(k Key) *Entity { return s.entities[k] }

// Touch is the entity, made when it is not there. Others may be forgotten for
// it.
func (s *Store) Touch(w Who) *Entity {
	if e := s.entities[w.Entity]; e != nil {
		return e
	}
	e := &Entity{
		Label: cut(w.Label, maxLabel), key: w.Entity, peers: w.Peers,
		tables: make([]table, s.o.Tables), series: make([]series, s.o.Series), sums: make([]sum, s.o.Sums),
	}
	e.space = int32(s.order.index(w.Space)) // #nosec G115 -- below maxSpaces
	if sp := s.order.spaces[e.space]; w.Space != 0 && sp.n >= max(1, int(share*float64(s.o.Entities))) {
		s.evict(sp.least())
	}
	for len(s.entities) >= s.o.Entities {
		s.evict(s.order.least())
	}
	s.entities[e.key] = e
	s.order.add(e)
	s.weigh(e)
	return e
}

// Observe says that the entity was seen, once all that is learned of the
// observation was given to [Store.See] and [Store.Learn].
func (s *Store) Observe(e *Entity, now time.Time) {
	if e.seen == 0 {
		e.first = now.UnixNano()
	}
	e.last = max(e.last, now.UnixNano())
	if e.seen < math.MaxUint32 {
		e.seen++
	}
	segment := e.segment
	switch {
	case e.seen >= establishedSeen && e.last-e.first >= int64(s.o.Settle):
		segment = settled
	case e.seen > 1:
		segment = max(often, segment)
	}
	if segment == settled && e.segment != settled {
		s.contribute(e, now)
	}
	s.order.move(e, segment)
	s.weigh(e)
}

// contribute makes what an entity had before it was established count for its
// peers and all.
func (s *Store) contribute(e *Entity, now time.Time) {
	g := s.group(e.peers, now)
	for i := range e.tables {
		for _, sl := range e.tables[i].slots {
			v := Value{Hash: sl.hash}
			times := float64(sl.count) / e.tables[i].weight(now)
			s.seeAmong(g, i, v, times, now)
		}
	}
}

func (s *Store) group(k Key, now time.Time) *group {
	g := s.groups[k]
	if g == nil {
		if len(s.groups) >= maxGroups {
			s.dropGroups(func() bool { return len(s.groups) <= maxGroups-maxGroups/16 }) // at once: to sort takes long
		}
		g = &group{tables: make([]table, s.o.Tables), last: now.UnixNano()}
		s.groups[k] = g
		s.weighGroup(g)
	}
	g.last = max(g.last, now.UnixNano())
	return g
}

// dropGroups forgets groups until it is enough: those without a prior that were
// used longest ago first. One stays.
func (s *Store) dropGroups(enough func() bool) {
	oldest := slices.SortedFunc(maps.Keys(s.groups), func(a, b Key) int {
		x, y := s.groups[a], s.groups[b]
		if x.prior != y.prior {
			if y.prior {
				return -1
			}
			return 1
		}
		return cmp.Or(cmp.Compare(x.last, y.last), slices.Compare(a[:], b[:]))
	})
	for _, k := range oldest {
		if enough() || len(s.groups) <= 1 {
			return
		}
		g := s.groups[k]
		s.grouped, s.stats.Bytes, g.gone = s.grouped-g.bytes, s.stats.Bytes-g.bytes, true
		delete(s.groups, k)
		s.stats.Evicted++
	}
}

// seeAmong counts a value for peers and for all.
func (s *Store) seeAmong(g *group, category int, v Value, times float64, now time.Time) {
	t := &g.tables[category]
	before := t.bytes()
	t.add(v, times, now, groupValues)
	s.all[category].add(v, times, now, allValues)
	s.grow(g, t.bytes()-before)
}

// weighGroup counts what a group takes.
func (s *Store) weighGroup(g *group) {
	s.grow(g, g.measure()-g.bytes)
}

func (g *group) measure() int {
	n := groupBytes
	for i := range g.tables {
		n += g.tables[i].bytes()
	}
	return n
}

// grow counts what a group takes more, and makes room when groups take too much.
func (s *Store) grow(g *group, by int) {
	if g.gone {
		return // it made room for itself
	}
	g.bytes, s.grouped, s.stats.Bytes = g.bytes+by, s.grouped+by, s.stats.Bytes+by
	if most := groupShare * float64(s.o.Bytes); by > 0 && float64(s.grouped) > most {
		s.dropGroups(func() bool { return float64(s.grouped) <= 0.9*most }) // at once, not one for each value
	}
}

func (s *Store) groupKeys() []Key {
	return slices.SortedFunc(maps.Keys(s.groups), func(a, b Key) int { return slices.Compare(a[:], b[:]) })
}

// weigh counts what an entity takes, and makes room when it is too much.
func (s *Store) weigh(e *Entity) {
	s.size(e)
	for s.stats.Bytes > s.o.Bytes && len(s.entities) > 1 {
		least := s.order.least()
		if least == e {
			return // the next one will be another's turn
		}
		s.evict(least)
	}
}

// size counts what an entity takes.
func (s *Store) size(e *Entity) {
	n := e.measure()
	s.stats.Bytes += n - e.bytes
	e.bytes = n
}

func (s *Store) evict(e *Entity) {
	s.stats.Evicted++
	s.order.remove(e)
	delete(s.entities, e.key)
	s.stats.Bytes -= e.bytes
}

// Evict makes room of about so many bytes, if there is as much.
func (s *Store) Evict(bytes int) {
	for target := s.stats.Bytes - bytes; s.stats.Bytes > max(0, target) && len(s.entities) > 0; {
		s.evict(s.order.least())
	}
}
