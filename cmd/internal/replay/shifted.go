package replay

import (
	"cmp"
	"slices"

	"github.com/firebreak-io/firebreak/internal/event"
)

// place is an event of a rule's finding.
type place struct {
	detector string
	sequence uint64
	index    int
}

func placesOf(f *event.Finding) []place {
	out := make([]place, len(f.Events))
	for i, at := range f.Events {
		out[i] = place{f.Rule + f.Model, at.Sequence, at.Index}
	}
	return out
}

// shifted takes from what only one side has the findings of one rule that have an
// event in common, as a window has that comes full one event later: they are
// one that changed. The earliest are taken first.
func (c *comparer) shifted() []*Difference {
	before := map[place][]*Difference{}
	for _, d := range c.alone(1) {
		for _, at := range placesOf(d.Finding) {
			before[at] = append(before[at], d)
		}
	}
	var out []*Difference
	taken := map[*Difference]bool{}
	for _, now := range c.alone(0) {
		var other *Difference
		for _, at := range placesOf(now.Finding) {
			for _, d := range before[at] {
				if !taken[d] && (other == nil || earlier(d, other) < 0) {
					other = d
				}
			}
		}
		if other == nil {
			continue
		}
		taken[now], taken[other] = true, true
		now.Change, now.Parts = Changed, parts(now, other)
		out = append(out, now)
	}
	for _, open := range c.open {
		for key, list := range open {
			open[key] = slices.DeleteFunc(list, func(d *Difference) bool { return taken[d] })
		}
	}
	return out
}

// alone are the findings that only one side has, in order.
func (c *comparer) alone(side int) []*Difference {
	var out []*Difference
	for _, list := range c.open[side] {
		for _, d := range list {
			if d.Finding != nil {
				out = append(out, d)
			}
		}
	}
	slices.SortFunc(out, earlier)
	return out
}

func earlier(a, b *Difference) int {
	return cmp.Or(a.at.Compare(b.at), cmp.Compare(a.order, b.order))
}
