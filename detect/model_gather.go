package detect

import (
	"slices"

	"github.com/firebreak-io/firebreak/internal/conf"
	"github.com/firebreak-io/firebreak/internal/event"
	"github.com/firebreak-io/firebreak/internal/sketch"
)

// gather adds an event to its interval.
func (m *modeller) gather(e *event.Event, at event.Address, now Moment) {
	if !slices.Contains(m.d.sources, e.Source) {
		return
	}
	var in *interval
	if e.Class == event.ClassLogSummary {
		in = m.gatherSummary(e, now)
	} else {
		in = m.gatherLine(e, now)
	}
	if in == nil {
		return
	}
	in.note(e, at)
	m.back(in.n)
	m.open.came(in.n)
	if m.version != nil {
		version, err := m.version.Text(e)
		if m.failed(err); version != "" {
			in.version = version
		}
	}
	m.open.weigh(in)
	m.soFar(in)
}

// gatherLine adds one event, and of a line that a summary counts too what the
// summary can't tell. Then it is the summary that makes the interval count.
func (m *modeller) gatherLine(e *event.Event, now Moment) *interval {
	if !m.selects(e) {
		return nil
	}
	in := m.intervalOf(e, now)
	if in == nil {
		return nil
	}
	kind := m.kindOf(e)
	in.counted = in.counted || kind < 0 || !m.share.reads
	for _, c := range m.measures {
		if c.cell >= 0 {
			m.add(&in.cells[c.cell], c, weighed{event: e, times: 1}, !c.told.of.has(kind), !c.told.against.has(kind))
		}
	}
	return in
}

// gatherSummary adds what a summary tells.
func (m *modeller) gatherSummary(e *event.Event, now Moment) (in *interval) {
	if !m.share.reads {
		return nil
	}
	s, all, err := m.expand(e)
	if m.failed(err); err != nil {
		return nil
	}
	var selected kindSet
	for _, w := range all {
		if m.share.selected[w.kind] == conf.Open || !m.selects(w.event) {
			continue
		}
		if in == nil {
			if in = m.intervalOf(e, now); in == nil {
				return nil
			}
			in.counted = true
		}
		selected.add(w.kind)
		for _, c := range m.measures {
			if c.cell >= 0 && !c.told.sketched.has(w.kind) {
				m.add(&in.cells[c.cell], c, w, c.told.of.has(w.kind), c.told.against.has(w.kind))
			}
		}
	}
	for _, c := range m.measures {
		if c.cell >= 0 && c.told.sketched&selected != 0 {
			in.cells[c.cell].merge(c, s)
		}
	}
	return in
}

// merge adds the part of a summary that answers a measure.
func (cl *cell) merge(c *measure, s *sketch.Summary) {
	switch c.Name {
	case "quantile":
		cl.ranked().Merge(&s.Latency)
	case "distinct":
		cl.different().Merge(c.told.set(s))
	default: // the sum of bytes
		cl.n += float64(s.Requests())
		cl.sum += float64(s.Sent)
	}
}

func (cl *cell) ranked() *sketch.Quantiles {
	if cl.ranks == nil {
		cl.ranks = &sketch.Quantiles{}
	}
	return cl.ranks
}

func (cl *cell) different() *sketch.Distinct {
	if cl.set == nil {
		cl.set = &sketch.Distinct{}
	}
	return cl.set
}
