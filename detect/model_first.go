package detect

import (
	"cmp"
	"slices"
)

// strangestFirst puts what is measured at the same time in order of its scores, so
// that the budget goes to what is strangest and not to who came first in the
// interval: an attack makes controllers busy, too. Entities that nobody knows come
// last, in their order; they have a budget of their own.
func (m *modeller) strangestFirst(all []*observation) {
	if len(all) < 2 {
		return
	}
	type scored struct {
		o     *observation
		score float64
	}
	order := make([]scored, len(all))
	for i, o := range all {
		order[i].o = o
		if o.e = m.base.Find(o.who.Entity); o.e != nil {
			m.now = o
			m.fill(o)
			order[i].score = m.forest.Score(m.row)
		}
	}
	m.now = nil
	slices.SortStableFunc(order, func(a, b scored) int {
		if c := a.o.at.Compare(b.o.at); c != 0 {
			return c
		}
		return cmp.Compare(b.score, a.score)
	})
	for i := range order {
		all[i] = order[i].o
	}
}
