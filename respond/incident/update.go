package incident

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"

	"github.com/firebreak-io/firebreak/internal/bus"
	"github.com/firebreak-io/firebreak/internal/event"
)

// Add puts a finding about something of some importance into its incident and
// stores it. The same finding again changes nothing.
func (n *Store) Add(ctx context.Context, f event.Finding, importance event.Importance) (event.Incident, error) {
	return n.write(ctx, &change{of: func(open []event.Incident) (event.Incident, bool) {
		return GroupInto(open, f, importance)
	}})
}

// Begin is [Store.Add] in two parts: it gives the incident as it is about to be stored,
// and stored, which waits until it is and gives it as that came out. Both are nearly
// always the same; where another responder has written meanwhile they need not be. Until
// stored has returned nothing may be on record, or have an effect, that goes by it. Call
// it once, whatever happens.
func (n *Store) Begin(ctx context.Context, f event.Finding, importance event.Importance) (expected event.Incident, stored func() (event.Incident, error)) {
	known, done := make(chan event.Incident, 1), make(chan struct{})
	var in event.Incident
	var err error
	go func() {
		defer close(done)
		in, err = n.write(ctx, &change{of: func(open []event.Incident) (event.Incident, bool) {
			in, changed := GroupInto(open, f, importance)
			select {
			case known <- in:
			default: // it is made again
			}
			return in, changed
		}})
	}()
	select {
	case expected = <-known:
	case <-done:
		expected = in
	}
	return expected, func() (event.Incident, error) {
		<-done
		return in, err
	}
}

// Said takes in what a person said of an incident, which may be over.
// [bus.ErrNotFound] says that there is none. The same again changes nothing.
func (n *Store) Said(ctx context.Context, id string, order event.Input) error {
	_, err := n.update(ctx, id, func(in event.Incident) event.Incident { return said(in, order) })
	return err
}

// SaidOfFinding takes in what somebody said of one finding. A finding may have no
// incident: it was silenced, or its incident is long over; then only the
// detectors learn it.
func (n *Store) SaidOfFinding(ctx context.Context, order event.Input) error {
	id, err := n.holding(ctx, order.Finding)
	if err != nil || id == "" {
		return err
	}
	_, err = n.update(ctx, id, func(in event.Incident) event.Incident { return saidOf(in, order.Finding, order) })
	return err
}

// holding is the incident that has a finding; empty is none.
func (n *Store) holding(ctx context.Context, finding string) (id string, err error) {
	n.mu.Lock()
	for _, in := range n.open {
		if has(in, finding) {
			id = in.ID
		}
	}
	n.mu.Unlock()
	if id != "" {
		return id, nil
	}
	for m, err := range n.bus.LastPerSubject(ctx, bus.SubjectIncident("*")) {
		if err != nil {
			return "", fmt.Errorf("read incidents: %w", err)
		}
		if in := decode(m); has(in.Incident, finding) {
			return in.ID, nil
		}
	}
	return "", nil
}

// update changes an incident, which may be over. [bus.ErrNotFound] says that
// there is none.
func (n *Store) update(ctx context.Context, id string, f func(event.Incident) event.Incident) (event.Incident, error) {
	if err := n.reopen(ctx, id); err != nil {
		return event.Incident{}, err
	}
	in, err := n.write(ctx, &change{of: func(open []event.Incident) (event.Incident, bool) {
		at := slices.IndexFunc(open, func(in event.Incident) bool { return in.ID == id })
		if at < 0 {
			return event.Incident{ID: id}, false // closed since; there is nothing to say of it
		}
		in := f(open[at])
		return in, !same(in, open[at])
	}})
	n.mu.Lock()
	n.open = slices.DeleteFunc(n.open, func(o event.Incident) bool { return o.ID == id && o.State.Over() })
	n.mu.Unlock()
	return in, err
}

func same(a, b event.Incident) bool {
	x, errX := json.Marshal(a)
	y, errY := json.Marshal(b)
	return errX == nil && errY == nil && string(x) == string(y)
}

// reopen takes an incident that is over among the open ones for a moment, so
// that it can be changed.
func (n *Store) reopen(ctx context.Context, id string) error {
	n.mu.Lock()
	defer n.mu.Unlock()
	if slices.ContainsFunc(n.open, func(in event.Incident) bool { return in.ID == id }) {
		return nil
	}
	in, err := load(ctx, n.bus, id)
	if err != nil {
		return err
	}
	n.open, n.sequence[id] = append(n.open, in.Incident), in.sequence
	return nil
}
