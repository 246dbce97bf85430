package notify

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/firebreak-io/firebreak/internal/bus"
	"github.com/firebreak-io/firebreak/internal/event"
)

// Answer says that somebody sees to an incident, or that it is over:
// escalations of it are not needed any more.
type Answer struct {
	By   string    `json:"by,omitempty"`
	Time time.Time `json:"time"`
}

func answerSubject(incident string) string {
	return bus.SubjectSent(aboutIncident(incident), event.HashID("answer"))
}

// Answered notes that somebody sees to an incident. The first to do so counts.
func (o *Outbox) Answered(ctx context.Context, incident, by string) error {
	data, err := json.Marshal(Answer{By: by, Time: o.clock()})
	if err != nil {
		return fmt.Errorf("note the answer to %s: %w", incident, err)
	}
	if _, err := o.store.Create(ctx, answerSubject(incident), data); err != nil && !errors.Is(err, bus.ErrExists) {
		return fmt.Errorf("note the answer to %s: %w", incident, err)
	}
	return nil
}

// answer is who sees to an incident, if anybody does.
func (o *Outbox) answer(ctx context.Context, incident string) (a Answer, ok bool, err error) {
	m, err := o.store.Last(ctx, answerSubject(incident))
	if errors.Is(err, bus.ErrNotFound) {
		return a, false, nil
	}
	if err == nil {
		err = json.Unmarshal(m.Data, &a)
	}
	if err != nil {
		return a, false, fmt.Errorf("read the answer to %s: %w", incident, err)
	}
	return a, true, nil
}
