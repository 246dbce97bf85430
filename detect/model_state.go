package detect

import (
	"fmt"
	"time"

	"github.com/firebreak-io/firebreak/detect/budget"
	"github.com/firebreak-io/firebreak/detect/pack"
)

// ModelState is what there is to say of a model that runs.
type ModelState struct {
	Name    string `json:"name"`
	Version string `json:"version"`
	// Features are what it measures, in order of their names.
	Features []string `json:"features"`
	// Measured are the events or intervals so far, Since the time of the first.
	Measured uint64    `json:"measured"`
	Since    time.Time `json:"since,omitzero"`
	// Missing and MissingTime are what has to be measured yet before it finds
	// anything: nothing when it is ready.
	Missing     int           `json:"missing"`
	MissingTime time.Duration `json:"missing_time"`
	Ready       bool          `json:"ready"`
	// Entities and Groups are what it remembers, in about so many Bytes; Evicted
	// made room, Late came when their interval was over.
	Entities int    `json:"entities"`
	Groups   int    `json:"groups"`
	Bytes    int    `json:"bytes"`
	Evicted  uint64 `json:"evicted"`
	Late     uint64 `json:"late"`
	// NeedP is the p that a finding needs now, Threshold about which score that
	// is.
	NeedP     float64 `json:"need_p"`
	Threshold float64 `json:"threshold"`
	// Budget counts what became of the scores.
	Budget budget.Counts `json:"budget"`
	// Moved is how far the scores of fixed probes have moved since the model was
	// approved, or first full.
	Moved float64 `json:"moved"`
	// Waiting are findings without a verdict whose rows are not learned yet.
	Waiting int `json:"waiting"`
	// Pinned says that it learns no more.
	Pinned bool `json:"pinned"`
	// Said is what the last verdicts changed.
	Said []string `json:"said,omitempty"`
}

// Models are the states of the models, by name. It may be called beside nothing
// else.
func (g *Engine) Models() []ModelState {
	var all []ModelState
	for i := range g.running {
		if m, ok := g.running[i].run.(*modeller); ok {
			all = append(all, m.state(g.now))
		}
	}
	return all
}

func (m *modeller) state(now time.Time) ModelState {
	b, s := m.base.Stats(), m.Stats()
	st := ModelState{
		Name: m.d.name, Version: m.d.version, Features: m.d.Spec.names(), Measured: m.warm.events, Since: m.warm.since,
		Entities: b.Entities, Groups: b.Groups, Bytes: s.Bytes, Evicted: s.Evicted, Late: s.Late,
		NeedP: m.budget.Need(), Threshold: m.budget.Threshold(), Budget: m.budget.Counts(), Moved: m.forest.Moved(),
		Pinned: len(m.pinned) > 0, Said: append([]string(nil), m.wait.said...),
	}
	if now.Before(m.warm.since) { // it was loaded, and no event came yet
		now = m.budget.Last()
	}
	st.Missing, st.MissingTime = m.missing(now)
	st.Ready = st.Missing == 0 && st.MissingTime == 0
	for i := range m.wait.list {
		if !m.wait.list[i].done {
			st.Waiting++
		}
	}
	return st
}

// stateHead begins what SaveModel writes.
const stateHead = "firebreak model 1\n"

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
	if len(data) < len(stateHead) || string(data[:len(stateHead)]) != stateHead {
		return fmt.Errorf("load model %s: this is no state of a model", name)
	}
	in := pack.NewReader(data[len(stateHead):])
	if memory := in.Text(); memory != s.Memory() {
		return fmt.Errorf("load model %s: the state is of a model that measures something else", name)
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
