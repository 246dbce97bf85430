package baseline

import (
	"github.com/firebreak-io/firebreak/detect/pack"
)

// Save writes all that is remembered.
func (s *Store) Save(out *pack.Writer) {
	out.Uint(s.stats.Evicted)
	for i := range s.all {
		s.all[i].save(out)
	}
	for _, p := range s.spreads {
		out.Float(p.slow)
		out.Float(p.fast)
		out.Float(p.n)
	}
	for _, g := range s.graces {
		out.Float(g.far)
		out.Float(g.n)
	}
	out.Len(len(s.groups))
	for _, k := range s.groupKeys() {
		g := s.groups[k]
		out.Fixed(k[:])
		out.Int(g.last)
		out.Bool(g.prior)
		for i := range g.tables {
			g.tables[i].save(out)
		}
	}
	out.Len(len(s.order.spaces))
	for _, sp := range s.order.spaces {
		out.Uint(sp.id)
	}
	out.Len(len(s.entities))
	for e := range s.order.all {
		e.save(out)
	}
}

// Load reads what Save wrote, into a store that remembers nothing but priors and
// has the same options. After an error it is of no use.
func (s *Store) Load(in *pack.Reader) error {
	s.stats.Evicted = in.Uint()
	for i := range s.all {
		s.all[i] = table{}
		s.all[i].load(in, allValues)
	}
	for i := range s.spreads {
		s.spreads[i] = spread{number(in), number(in), number(in)}
	}
	for i := range s.graces {
		s.graces[i] = grace{number(in), number(in)}
	}
	s.stats.Bytes -= s.grouped
	s.groups, s.grouped = map[Key]*group{}, 0
	for range in.Count(maxGroups) {
		var k Key
		copy(k[:], in.Fixed(len(k)))
		g := &group{last: in.Int(), prior: in.Bool(), tables: make([]table, s.o.Tables)}
		for i := range g.tables {
			g.tables[i].load(in, groupValues)
		}
		if in.Err() != nil {
			return in.Err()
		}
		if s.groups[k] != nil {
			in.Fail()
			return in.Err()
		}
		s.groups[k], g.bytes = g, g.measure()
		s.grouped, s.stats.Bytes = s.grouped+g.bytes, s.stats.Bytes+g.bytes
		s.bounded(in)
	}
	for range in.Count(maxSpaces) {
		s.order.index(in.Uint())
	}
	for range in.Count(s.o.Entities) {
		e := &Entity{tables: make([]table, s.o.Tables), series: make([]series, s.o.Series), sums: make([]sum, s.o.Sums)}
		if e.load(in, len(s.order.spaces)); in.Err() != nil {
			return in.Err()
		}
		if s.entities[e.key] != nil {
			in.Fail()
			return in.Err()
		}
		s.entities[e.key] = e
		s.order.add(e)
		s.size(e)
		s.bounded(in)
	}
	return in.Err()
}

// bounded refuses what no store remembers that has these options: the bound holds
// but for what came last.
func (s *Store) bounded(in *pack.Reader) {
	if s.stats.Bytes > 2*s.o.Bytes {
		in.Fail()
	}
}
