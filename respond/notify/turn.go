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

// turn says whose page is next where pages go together. It is one record for a
// receiver in the store, so that of several responders one sends.
type turn struct {
	// Paged is when the last page went, Busy until when somebody may be sending
	// one: who dies holds up the others no longer.
	Paged time.Time `json:"paged"`
	Busy  time.Time `json:"busy,omitzero"`

	last uint64
}

func turnSubject(receiver string) string {
	return bus.SubjectSent(event.HashID("receiver", receiver), event.HashID("turn"))
}

// take takes the turn to page; wait says for how long it is too soon, or somebody
// else's. A clock that jumped holds nothing up for longer than a window.
func (a *attempt) take(ctx context.Context, now time.Time) (wait time.Duration, err error) {
	var t turn
	m, err := a.Outbox.store.Last(ctx, turnSubject(a.to.Name))
	if err == nil {
		err = json.Unmarshal(m.Data, &t)
	}
	if err != nil && !errors.Is(err, bus.ErrNotFound) {
		return 0, fmt.Errorf("read when %s was paged: %w", a.to.Name, err)
	}
	t.last = m.Sequence
	if busy := t.Busy.Sub(now); busy > 0 {
		return min(busy, time.Second), nil
	}
	if since := now.Sub(t.Paged); since >= 0 && since < a.to.Limits.Group {
		return a.to.Limits.Group - since, nil
	}
	t.Busy = now.Add(held)
	switch err = a.keep(ctx, &t); {
	case errors.Is(err, bus.ErrConflict):
		return settle, nil
	case err != nil:
		return 0, err
	}
	a.turn = t
	return 0, nil
}

// give ends the turn; paged says that a page went.
func (a *attempt) give(ctx context.Context, paged bool) {
	t := a.turn
	if t.Busy.IsZero() {
		return
	}
	if t.Busy = (time.Time{}); paged {
		t.Paged = a.Outbox.clock()
	}
	// Without the note the next page waits until nobody can be sending this one.
	if err := a.keep(ctx, &t); err != nil {
		a.Logger.WarnContext(ctx, "the next page waits for some seconds", "receiver", a.to.Name, "error", err)
	}
	a.turn = turn{}
}

func (a *attempt) keep(ctx context.Context, t *turn) error {
	data, err := json.Marshal(t)
	if err == nil {
		t.last, err = a.Outbox.store.Append(ctx, turnSubject(a.to.Name), data, t.last)
	}
	if err != nil {
		return fmt.Errorf("note that %s is paged: %w", a.to.Name, err)
	}
	return nil
}
