package detect

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/firebreak-io/firebreak/internal/event"
)

// stateEvery is how often the states of models are told at most, while they say
// nothing that somebody waits for.
const stateEvery = 5 * time.Second

// stateOfModels is what was said of models last.
type stateOfModels struct {
	at     time.Time
	urgent string
	states []event.ModelState
}

// states says how models stand, for those who ask; see bus.SnapshotModels. Data
// is nil when it is too early for it.
func (w *Worker) states(sequence uint64, now time.Time) (data []byte, next stateOfModels, err error) {
	all := w.Engine.Models()
	next = stateOfModels{w.saves.told.at, urgent(all), all}
	if len(all) == 0 && w.saves.told.at.IsZero() || now.Sub(next.at) < stateEvery && next.urgent == w.saves.told.urgent {
		return nil, next, nil
	}
	next.at = now
	data, err = json.Marshal(struct {
		Sequence uint64             `json:"sequence"`
		Models   []event.ModelState `json:"models"`
	}{sequence, append([]event.ModelState{}, all...)})
	if err != nil {
		return nil, next, fmt.Errorf("save states of models: %w", err)
	}
	return data, next, nil
}

// urgent is what of the states is told at once: what people said, and what began
// to hold.
func urgent(all []event.ModelState) string {
	var text []byte
	for _, s := range all {
		text = fmt.Appendf(text, "%s %s %v %v %v %v %d %d %d %d;", s.Name, s.Version, s.Ready, s.Pinned, s.Anew != nil && s.Anew.Unpinned, s.Silent > 0, s.Anchors, s.Budget.True, s.Budget.False, s.Budget.Found)
	}
	return string(text)
}

// Models is how the models stood when the last snapshot was saved. It may be
// called at any time; what it gives is not to be changed.
func (w *Worker) Models() []event.ModelState {
	if all := w.models.Load(); all != nil {
		return *all
	}
	return nil
}

// Hears is an error while nothing comes of any of the entities that a model nearly
// always sees something of; it names the models. It may be called at any time.
func (w *Worker) Hears(context.Context) error {
	var all []error
	for _, s := range w.Models() {
		if s.Silent > 0 {
			all = append(all, fmt.Errorf("model %s: nothing comes of any of %d entities since %s", s.Name, s.Silent, s.SilentSince.UTC().Format(time.RFC3339)))
		}
	}
	return errors.Join(all...)
}
