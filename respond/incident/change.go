package incident

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"sync"

	"golang.org/x/sync/errgroup"

	"github.com/firebreak-io/firebreak/internal/bus"
	"github.com/firebreak-io/firebreak/internal/event"
)

// change is one change of one incident that waits to be written.
type change struct {
	// of gives the incident as it is to be, from those that are open, and whether
	// that is another.
	of func(open []event.Incident) (event.Incident, bool)

	// turn is closed when it is for this one to write what waits, done when this
	// one is written.
	turn, done chan struct{}
	in         event.Incident
	err        error
}

// write has a change written, by itself or by whoever writes already.
func (n *Store) write(ctx context.Context, c *change) (event.Incident, error) {
	c.turn, c.done = make(chan struct{}), make(chan struct{})
	n.mu.Lock()
	if n.waiting = append(n.waiting, c); !n.writing {
		n.writing = true
		close(c.turn)
	}
	n.mu.Unlock()
	select {
	case <-c.done:
	case <-c.turn:
		n.round(ctx)
	case <-ctx.Done():
		n.leave(c)
		return event.Incident{}, ctx.Err()
	}
	return c.in, c.err
}

// round writes all that waits, once: what came meanwhile is for another to write,
// or who is first in a storm would be the last to go on.
func (n *Store) round(ctx context.Context) {
	n.mu.Lock()
	batch := n.waiting
	n.waiting = nil
	n.mu.Unlock()
	err := n.store(ctx, batch)
	for _, c := range batch {
		if err != nil && c.err == nil {
			c.err = err
		}
		close(c.done)
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	n.next()
}

// next gives the turn to one that waits. The lock is held.
func (n *Store) next() {
	if n.writing = len(n.waiting) > 0; n.writing {
		close(n.waiting[0].turn)
	}
}

// leave takes out a change whose caller is gone. One that is being written can't
// be.
func (n *Store) leave(c *change) {
	n.mu.Lock()
	defer n.mu.Unlock()
	at := slices.Index(n.waiting, c)
	if at < 0 {
		return
	}
	n.waiting = slices.Delete(n.waiting, at, at+1)
	select {
	case <-c.turn:
		n.next() // it had just been given the turn
	default:
	}
}

// store writes one record for each incident that the changes come to. When
// another responder has written meanwhile, it reads again.
func (n *Store) store(ctx context.Context, batch []*change) error {
	for {
		records, last := n.apply(batch)
		var mu sync.Mutex
		again, failed := false, map[string]error{}
		group, within := errgroup.WithContext(ctx)
		for id, in := range records {
			group.Go(func() error {
				seq, err := n.append(within, in, last[id])
				switch {
				case err == nil:
					n.keep(in, seq)
				case errors.Is(err, bus.ErrConflict) && last[id] == 0:
					// An incident that is named after this very finding, and
					// forgotten here since.
					stored, err := load(within, n.bus, id)
					if err == nil && stored.Unreadable != "" {
						stored, err = n.over(within, in, stored)
					}
					mu.Lock()
					defer mu.Unlock()
					if failed[id] = err; err == nil {
						n.settle(batch, id, stored.Incident)
					}
				case errors.Is(err, bus.ErrConflict), errors.Is(err, bus.ErrUnknown):
					mu.Lock()
					again = true
					mu.Unlock()
				default:
					mu.Lock()
					failed[id] = err
					mu.Unlock()
				}
				return nil
			})
		}
		if err := group.Wait(); err != nil {
			return err
		}
		if !again {
			for _, c := range batch {
				c.err = failed[c.in.ID]
			}
			return nil
		}
		if err := n.Load(ctx); err != nil {
			return err
		}
	}
}

// apply makes the changes one after another, and gives the records to write.
func (n *Store) apply(batch []*change) (records map[string]event.Incident, last map[string]uint64) {
	n.mu.Lock()
	defer n.mu.Unlock()
	open := slices.Clone(n.open)
	records, last = map[string]event.Incident{}, map[string]uint64{}
	for _, c := range batch {
		in, changed := c.of(open)
		c.in = in
		if !changed {
			continue
		}
		records[in.ID], last[in.ID] = in, n.sequence[in.ID]
		if at := slices.IndexFunc(open, func(o event.Incident) bool { return o.ID == in.ID }); at >= 0 {
			open[at] = in
		} else {
			open = append(open, in)
		}
	}
	return records, last
}

// settle gives what is stored to the changes of an incident.
func (n *Store) settle(batch []*change, id string, in event.Incident) {
	for _, c := range batch {
		if c.in.ID == id {
			c.in = in
		}
	}
}

// over writes an incident over a record of it that can't be read.
func (n *Store) over(ctx context.Context, in event.Incident, broken record) (record, error) {
	seq, err := n.append(ctx, in, broken.sequence)
	if err == nil {
		n.keep(in, seq)
	}
	return record{Incident: in, sequence: seq}, err
}

func (n *Store) append(ctx context.Context, in event.Incident, last uint64) (uint64, error) {
	data, err := json.Marshal(in)
	if err != nil {
		return 0, fmt.Errorf("store incident %s: %w", in.ID, err)
	}
	seq, err := n.bus.Append(ctx, bus.SubjectIncident(in.ID), data, last)
	if err != nil {
		return 0, fmt.Errorf("store incident %s: %w", in.ID, err)
	}
	return seq, nil
}
