package approve

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/firebreak-io/firebreak/internal/bus"
	"github.com/firebreak-io/firebreak/internal/event"
)

// ordered is what the last order to a model comes to, for the moments until detectors
// have read it and said so: by their word alone the next order would be judged by what
// was before.
type ordered struct {
	// Sequence is the order's in the stream of events.
	Sequence uint64 `json:"sequence"`
	// Pinned says whether the model is pinned after it.
	Pinned bool `json:"pinned"`
}

func keyOrdered(model string) string { return "model." + model }

// lastOrdered reads it, with its revision; the zero value is that there is none, or
// none that can be read: the detectors' word counts then.
func (d Desk) lastOrdered(ctx context.Context, model string) (o ordered, revision uint64, err error) {
	data, revision, err := d.Bus.Control().Get(ctx, keyOrdered(model))
	if errors.Is(err, bus.ErrNotFound) {
		return ordered{}, 0, nil
	}
	if err == nil && json.Unmarshal(data, &o) != nil {
		return ordered{}, revision, nil
	}
	if err != nil {
		return o, revision, fmt.Errorf("read the last order to model %s: %w", model, err)
	}
	return o, revision, nil
}

// noteOrdered keeps it, unless a later one is kept already.
func (d Desk) noteOrdered(ctx context.Context, model string, o ordered) error {
	data, err := json.Marshal(o)
	if err != nil {
		return fmt.Errorf("keep the last order to model %s: %w", model, err)
	}
	const attempts = 5
	for range attempts {
		last, revision, readErr := d.lastOrdered(ctx, model)
		if readErr != nil || last.Sequence >= o.Sequence {
			return readErr
		}
		if _, err = d.Bus.Control().CompareAndSet(ctx, keyOrdered(model), data, revision); !errors.Is(err, bus.ErrConflict) {
			break
		}
	}
	if err != nil {
		return fmt.Errorf("keep the last order to model %s: %w", model, err)
	}
	return nil
}

// after is how the models stand once the order is read that the detectors have not
// read yet.
func (m Models) after(model string, o ordered) Models {
	if o.Sequence <= m.Sequence {
		return m
	}
	all := m
	all.Models = make([]event.ModelState, len(m.Models))
	for i, s := range m.Models {
		if s.Name == model {
			if s.Pinned = o.Pinned; s.Anew != nil {
				anew := *s.Anew
				anew.Unpinned = false
				s.Anew = &anew
			}
		}
		all.Models[i] = s
	}
	return all
}

// leaves says whether a model is pinned after an order that is not barred.
func (m Models) leaves(o event.ModelOrder) bool {
	s, err := m.named(o.Model)
	switch o.Do {
	case event.ModelPin:
		return true
	case event.ModelUnpin:
		return false
	}
	return err == nil && s.Pinned
}
