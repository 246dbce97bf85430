package detect

import (
	"bytes"
	"cmp"
	"fmt"
	"slices"
	"time"

	"github.com/firebreak-io/firebreak/detect/pack"
	"github.com/firebreak-io/firebreak/internal/event"
)

// Models are the states of the models, by name. It may be called beside nothing
// else.
func (g *Engine) Models() []event.ModelState {
	var all []event.ModelState
	for i := range g.running {
		if m, ok := g.running[i].run.(*modeller); ok {
			all = append(all, m.state(g.now))
		}
	}
	return all
}

func (m *modeller) state(now time.Time) event.ModelState {
	b, s, f, o := m.base.Stats(), m.Stats(), m.forest.Stats(), m.d.Spec.Budget
	st := event.ModelState{
		Name: m.d.name, Version: m.d.version, Measured: m.warm.events, Since: m.warm.since, Last: m.budget.Last(),
		Entities: b.Entities, Groups: b.Groups, Bytes: s.Bytes, Evicted: s.Evicted, Late: s.Late,
		Trees: m.forest.Trees(), Anchors: m.forest.Anchored(), Rows: f.Rows, Reservoir: m.forest.Reservoir(), Principals: f.Principals, Moved: m.forest.Moved(),
		NeedP: m.budget.Need(), Threshold: m.budget.Threshold(), Budget: event.ModelBudget{PerDay: o.AlertsPerDay, P: o.P, Contamination: o.Contamination},
		Quarantined: len(m.forest.Held()), Spilt: m.forest.Spilt(), Pinned: len(m.pinned) > 0, Said: slices.Clone(m.wait.said),
	}
	if now.Before(m.warm.since) { // it was loaded, and no event came yet
		now = m.budget.Last()
	}
	st.Missing, st.MissingTime = m.missing(now)
	st.Ready = st.Missing == 0 && st.MissingTime == 0
	st.SilentSince, st.Silent = m.hushed(now)
	for i := range m.wait.list {
		if !m.wait.list[i].done {
			st.Waiting++
		}
	}
	st.Waiting += m.decided.waiting()
	st.Anew = m.decided.anew(st.Ready)
	c := m.budget.Counts()
	st.Budget.Scores, st.Budget.Found, st.Budget.Held, st.Budget.Helped, st.Budget.True, st.Budget.False = c.Scores, c.Found, c.Held, c.Helped, c.True, c.False
	// Of less than a day nobody knows the rate of a day.
	st.Budget.Rate = float64(c.Found) / max(1, now.Sub(m.warm.since).Hours()/24)
	st.Features = m.named()
	return st
}

// named are the features, those that explained most first.
func (m *modeller) named() []event.ModelFeature {
	var all []event.ModelFeature
	var sum float64
	for _, f := range m.features {
		sum += f.explained
	}
	for _, f := range m.features {
		all = append(all, event.ModelFeature{Name: f.name, Named: f.first, Share: f.explained / max(sum, 1e-9)})
	}
	slices.SortStableFunc(all, func(a, b event.ModelFeature) int { return cmp.Compare(b.Share, a.Share) })
	return all
}

// credit counts what features had to do with a finding.
func (m *modeller) credit(f *event.Finding) {
	var sum float64
	for _, x := range f.Features {
		sum += max(0, x.Contribution)
	}
	for i, x := range f.Features {
		at := slices.IndexFunc(m.features, func(o *feature) bool { return o.name == x.Name })
		if at < 0 || sum <= 0 {
			continue
		}
		m.features[at].explained += max(0, x.Contribution) / sum
		if i == 0 {
			m.features[at].first++
		}
	}
}

// stateHead begins what SaveModel writes.
const stateHead = "firebreak model 2\n"

// SaveModel writes what a model has learned.
func (g *Engine) SaveModel(name string) ([]byte, error) {
	s, m, err := g.modelNamed(name)
	if err != nil {
		return nil, err
	}
	out := pack.Writer{Data: []byte(stateHead)}
	out.Text(s.Memory())
	m.Save(&out)
	return out.Data, nil
}

// LoadModel reads what SaveModel wrote of a model that measures the same, into
// an engine that has seen nothing.
func (g *Engine) LoadModel(name string, data []byte) error {
	s, m, err := g.modelNamed(name)
	if err != nil {
		return err
	}
	switch {
	case bytes.HasPrefix(data, []byte(tableHead)):
		return fmt.Errorf("load model %s: the state is of a table without a model", name)
	case !bytes.HasPrefix(data, []byte(stateHead)):
		return fmt.Errorf("load model %s: this is no state of a model", name)
	}
	in := pack.NewReader(data[len(stateHead):])
	if memory := in.Text(); memory != s.Memory() {
		return fmt.Errorf("load model %s: the state is of a model that measures something else, or of another version of Firebreak: train it again", name)
	}
	if err := m.Load(in); err != nil {
		return fmt.Errorf("load model %s: %w", name, err)
	}
	return nil
}

func (g *Engine) modelNamed(name string) (*slot, *modeller, error) {
	for i := range g.running {
		if m, ok := g.running[i].run.(*modeller); ok && m.d.name == name {
			return &g.running[i], m, nil
		}
	}
	return nil, nil, fmt.Errorf("there is no model %q", name)
}

// Next is when the first of the intervals is over.
func (m *modeller) Next() (time.Time, bool) {
	return time.Unix(0, m.open.due).UTC(), m.open.due != 0
}
