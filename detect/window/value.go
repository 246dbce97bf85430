package window

import "time"

// Newest is the pane of a group's newest event: the end of its newest window.
func (w *Windows) Newest(key Key) int64 {
	if g := w.find(key); g != nil {
		return g.newest
	}
	return 0
}

// Value is the i-th aggregate of the group's window that ends with a pane; 0
// for a group that is not there.
func (w *Windows) Value(key Key, i int, end int64) float64 {
	g := w.find(key)
	if g == nil {
		return 0
	}
	a, after := w.o.Aggregates[i], end-w.span
	switch a.Function {
	case Distinct:
		return g.extra.sets[w.offset[i]].count(after, end)
	case Union:
		return g.extra.wide[w.offset[i]].count(after, end)
	case Quantile:
		w.ranked = g.extra.ranks[w.offset[i]].within(w.ranked[:0], after, end)
		return rank(a.Q, w.ranked)
	case Baseline:
		return g.extra.bases[w.place(i)].ratio(w.merged(g, i, after, end)[0])
	}
	return a.result(w.merged(g, i, after, end), w.o.Over.Seconds())
}

// place is how many aggregates of the same function there are before.
func (w *Windows) place(i int) int {
	n := 0
	for _, a := range w.o.Aggregates[:i] {
		if a.Function == w.o.Aggregates[i].Function {
			n++
		}
	}
	return n
}

// merged are an aggregate's numbers over panes.
func (w *Windows) merged(g *group, i int, after, end int64) []float64 {
	a := w.o.Aggregates[i]
	sum, none := w.sum[:a.width()], true
	clear(sum)
	for at := 0; at < len(g.cells); at += w.stride {
		if pane := int64(g.cells[at]); pane <= after || pane > end {
			continue
		}
		cell := g.cells[at+w.offset[i] : at+w.offset[i]+a.width()]
		if none {
			copy(sum, cell)
			none = false
		} else {
			a.merge(sum, cell)
		}
	}
	return sum
}

// Reset forgets a group, so that it has to come to its numbers anew.
func (w *Windows) Reset(key Key) {
	if g := w.find(key); g != nil {
		w.remove(g)
	}
}

// Expire forgets the groups that no event can add to any more, at a time in
// which no event is older than Late: their last event is older than the window
// is long. It looks at no more than limit of them, the longest unused first.
func (w *Windows) Expire(now time.Time, limit int) {
	keep := w.keep
	for _, a := range w.o.Aggregates {
		if a.Function == Baseline {
			keep = max(keep, remembered*int64(w.o.Panes))
		}
	}
	oldest := w.paneOf(now) - keep
	for range limit {
		g := w.stale(oldest)
		if g == nil {
			return
		}
		w.remove(g)
	}
}

// stale is a group that was last used before a pane, if there is one at the
// end of a list.
func (w *Windows) stale(oldest int64) *group {
	for g := range w.order.Oldest {
		if g.newest < oldest {
			return g
		}
	}
	return nil
}
