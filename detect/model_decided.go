package detect

import (
	"encoding/json"
	"fmt"
	"slices"
	"time"

	"github.com/firebreak-io/firebreak/detect/baseline"
	"github.com/firebreak-io/firebreak/detect/budget"
	"github.com/firebreak-io/firebreak/internal/event"
)

// deciding is a detector about which people decide things that hold on when it
// can't go on with what it has learned. They are saved apart from that, in a form
// of their own.
type deciding interface {
	saveDecided() []byte
	// resumeDecided takes them beside all else that was saved with them.
	resumeDecided(data []byte) error
	// carryDecided takes them where all else is lost, and keeps what became of them.
	carryDecided(data []byte, now time.Time)
}

// decidedForm changes with what decidedState means. Fields may be added without.
const decidedForm = 1

// decidedState is what people decided about a model, as it is saved.
type decidedState struct {
	Form int `json:"form"`
	// Entity is the digest of what tells entities apart.
	Entity   string          `json:"entity"`
	Pinned   bool            `json:"pinned,omitempty"`
	Anchored bool            `json:"anchored,omitempty"`
	Verdicts budget.Verdicts `json:"verdicts"`
	Said     []string        `json:"said,omitempty"`
	Waiting  []kept          `json:"waiting,omitempty"`
	Own      decided         `json:"own"`
}

// decided is what the rest of a model does not remember of decisions.
type decided struct {
	// Approved is when somebody approved what it has learned.
	Approved time.Time `json:"approved,omitzero"`
	// Anew is what became of decisions when it began anew.
	Anew *event.ModelAnew `json:"anew,omitempty"`
	// Kept are findings from before that, on which a verdict may still come.
	Kept []kept `json:"kept,omitempty"`
}

// kept is a finding of which the row is gone. Its values are not learned for its
// entity until somebody says that it was a false alarm, or it waited long enough.
type kept struct {
	Finding string       `json:"finding"`
	Entity  baseline.Key `json:"entity"`
	Label   string       `json:"label"`
	Until   time.Time    `json:"until"`
	// Right says that somebody said so: nothing waits but its values.
	Right bool `json:"right,omitempty"`
	// Values are hashes, by what they are of; see [modeller.categoryNames].
	Values map[string][]uint64 `json:"values,omitempty"`
}

func (m *modeller) saveDecided() []byte {
	s := decidedState{
		Form: decidedForm, Entity: m.entityDigest(), Pinned: len(m.pinned) > 0, Anchored: m.forest.Anchored() > 0,
		Verdicts: m.budget.Verdicts(), Said: m.wait.said, Own: m.decided,
	}
	names := m.categoryNames()
	for i := range m.wait.list {
		s.Waiting = append(s.Waiting, m.wait.list[i].keep(names))
	}
	data, err := json.Marshal(&s)
	if err != nil {
		return nil // it has nothing that can't be written
	}
	return data
}

// keep is what is kept of a finding that waits; values that are learned are not.
func (w *waits) keep(names []string) kept {
	k := kept{Finding: w.finding, Entity: w.who.Entity, Label: w.who.Label, Until: w.until}
	if w.done {
		return k
	}
	k.Values = map[string][]uint64{}
	for _, v := range w.seen {
		if v.category >= 0 && v.category < len(names) {
			k.Values[names[v.category]] = append(k.Values[names[v.category]], v.Hash)
		}
	}
	return k
}

// entityDigest changes with what tells entities apart.
func (m *modeller) entityDigest() string {
	text, err := json.Marshal(m.d.Spec.Entity)
	if err != nil {
		return ""
	}
	return event.HashID("entity", string(text))
}

// categoryNames say of each category what its values are of: the same feature of
// another form of the model has the same name.
func (m *modeller) categoryNames() []string {
	names := make([]string, m.categories)
	for _, c := range m.measures {
		if c.category >= 0 {
			names[c.category] = m.features[c.feature].name + ": " + c.Text
		}
	}
	return names
}

func readDecided(data []byte) (s decidedState, err error) {
	if err := json.Unmarshal(data, &s); err != nil {
		return s, fmt.Errorf("read what people decided: %w", err)
	}
	if s.Form != decidedForm {
		return s, fmt.Errorf("read what people decided: form %d is not known", s.Form)
	}
	s.Own.Kept = s.Own.Kept[:min(len(s.Own.Kept), maxWaiting)]
	return s, nil
}

func (m *modeller) resumeDecided(data []byte) error {
	s, err := readDecided(data)
	if err == nil {
		m.decided = s.Own
	}
	return err
}

// verdict takes what a person said of a finding from before; nil if it is none of
// those, or somebody said so already.
func (d *decided) verdict(finding string, right bool) *kept {
	i := slices.IndexFunc(d.Kept, func(k kept) bool { return k.Finding == finding && !k.Right })
	if i < 0 {
		return nil
	}
	k := d.Kept[i]
	if d.Kept[i].Right = right; !right || len(k.Values) == 0 {
		d.Kept = slices.Delete(d.Kept, i, i+1)
	}
	return &k
}

// timeout lets values be learned that waited long enough.
func (d *decided) timeout(now time.Time) {
	d.Kept = slices.DeleteFunc(d.Kept, func(k kept) bool { return k.Right && !k.Until.After(now) })
	for i := range d.Kept {
		if k := &d.Kept[i]; !k.Until.After(now) {
			k.Values = nil
		}
	}
}

// waiting is of how many findings the values wait for a verdict.
func (d *decided) waiting() (n int) {
	for _, k := range d.Kept {
		if !k.Right && len(k.Values) > 0 {
			n++
		}
	}
	return n
}

// answered notes that somebody said whether the model is to learn.
func (d *decided) answered() {
	if d.Anew != nil && d.Anew.Unpinned {
		said := *d.Anew
		said.Unpinned = false
		d.Anew = &said
	}
}

// anew is what is told of a model that began anew: while it warms up, and until
// somebody answered for the pin.
func (d *decided) anew(ready bool) *event.ModelAnew {
	if d.Anew == nil || ready && !d.Anew.Unpinned {
		return nil
	}
	said := *d.Anew
	said.Kept, said.Gone = slices.Clone(said.Kept), slices.Clone(said.Gone)
	return &said
}

// withheld says whether what is observed has a value that a finding from before
// keeps from being learned.
func (m *modeller) withheld(o *observation) bool {
	if len(m.decided.Kept) == 0 {
		return false
	}
	names := m.categoryNames()
	for i := range m.decided.Kept {
		k := &m.decided.Kept[i]
		if k.Entity != o.who.Entity {
			continue
		}
		for _, c := range m.measures {
			if c.category >= 0 && slices.ContainsFunc(c.seen, func(v baseline.Value) bool { return slices.Contains(k.Values[names[c.category]], v.Hash) }) {
				return true
			}
		}
	}
	return false
}
