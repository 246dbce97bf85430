package respond

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/firebreak-io/firebreak/internal/bus"
	"github.com/firebreak-io/firebreak/internal/event"
)

// incidents are those that are not over, and their record in the INCIDENTS
// stream. Changes that come together are written together: in a storm one
// record takes in many findings.
type incidents struct {
	bus *bus.Bus

	mu       sync.Mutex
	open     []event.Incident
	sequence map[string]uint64
	// written is when their newest records were stored, index where they stand.
	written map[string]time.Time
	index   incidentIndex
	waiting []*change
	writing bool

	// runs are the newest states of the runs of open incidents, by incident;
	// dirty are the incidents that do not show them yet.
	runs  map[string]map[string]event.IncidentRun
	dirty map[string]bool
	// recommended are the playbooks that apply, by incident, in their order.
	recommended map[string][]string
}

// change is one change of one incident that waits to be written.
type change struct {
	// of gives the incident as it is to be, from those that are open; an id
	// names one that may be over.
	id string
	of func(open []event.Incident) (event.Incident, bool)

	done chan struct{}
	in   event.Incident
	err  error
}

func (n *incidents) load(ctx context.Context) error {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.read(ctx)
}

// read is load with the lock held.
func (n *incidents) read(ctx context.Context) error {
	if n.index.Open == nil {
		kept, err := keptIncidents(ctx, n.bus)
		if err != nil {
			return err
		}
		n.index = kept
	}
	if _, err := n.index.advance(ctx, n.bus); err != nil {
		return err
	}
	all, err := loadIncidents(ctx, n.bus, slices.Sorted(maps.Keys(n.index.Open)))
	if err != nil {
		return err
	}
	n.open, n.sequence, n.written = nil, map[string]uint64{}, map[string]time.Time{}
	for _, in := range all {
		if !in.State.Over() {
			n.sequence[in.ID], n.written[in.ID] = in.sequence, in.at
			n.open = append(n.open, in.Incident)
		}
	}
	slices.SortFunc(n.open, func(a, b event.Incident) int {
		return cmp.Or(a.Created.Compare(b.Created), cmp.Compare(a.ID, b.ID))
	})
	return nil
}

// keepIndex keeps the index near the end of the stream, so that the next start
// need not read all of it.
func (n *incidents) keepIndex(ctx context.Context) error {
	n.mu.Lock()
	defer n.mu.Unlock()
	if _, err := n.index.advance(ctx, n.bus); err != nil {
		return err
	}
	return n.index.keep(ctx, n.bus)
}

// add puts a finding into its incident and stores it.
func (n *incidents) add(ctx context.Context, f event.Finding, importance event.Importance) (event.Incident, error) {
	return n.write(ctx, &change{id: f.ID, of: func(open []event.Incident) (event.Incident, bool) {
		return groupInto(open, f, importance)
	}})
}

// update changes an incident, which may be over. [bus.ErrNotFound] says that
// there is none.
func (n *incidents) update(ctx context.Context, id string, f func(event.Incident) event.Incident) (event.Incident, error) {
	if err := n.reopen(ctx, id); err != nil {
		return event.Incident{}, err
	}
	in, err := n.write(ctx, &change{id: id, of: func(open []event.Incident) (event.Incident, bool) {
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

// ofFinding takes in what somebody said of one finding. A finding may have no
// incident: it was silenced, or its incident is long over; then only the
// detectors learn it.
func (n *incidents) ofFinding(ctx context.Context, order event.Input) error {
	id := ""
	n.mu.Lock()
	for _, in := range n.open {
		if has(in, order.Finding) {
			id = in.ID
		}
	}
	n.mu.Unlock()
	for m, err := range n.bus.LastPerSubject(ctx, bus.SubjectIncident("*")) {
		if id != "" {
			break
		}
		if err != nil {
			return fmt.Errorf("read incidents: %w", err)
		}
		var in event.Incident
		if err := json.Unmarshal(m.Data, &in); err != nil {
			return fmt.Errorf("read incident %s: %w", m.Subject, err)
		}
		if has(in, order.Finding) {
			id = in.ID
		}
	}
	if id == "" {
		return nil
	}
	_, err := n.update(ctx, id, func(in event.Incident) event.Incident { return saidOf(in, order.Finding, order) })
	return err
}

func same(a, b event.Incident) bool {
	x, errX := json.Marshal(a)
	y, errY := json.Marshal(b)
	return errX == nil && errY == nil && string(x) == string(y)
}

// reopen takes an incident that is over among the open ones for a moment, so
// that it can be changed.
func (n *incidents) reopen(ctx context.Context, id string) error {
	n.mu.Lock()
	defer n.mu.Unlock()
	if slices.ContainsFunc(n.open, func(in event.Incident) bool { return in.ID == id }) {
		return nil
	}
	m, err := n.bus.Last(ctx, bus.SubjectIncident(id))
	if err != nil {
		return fmt.Errorf("read incident %s: %w", id, err)
	}
	var in event.Incident
	if err := json.Unmarshal(m.Data, &in); err != nil {
		return fmt.Errorf("read incident %s: %w", id, err)
	}
	n.open, n.sequence[id] = append(n.open, in), m.Sequence
	return nil
}

// write has a change written, by itself or by whoever writes already.
func (n *incidents) write(ctx context.Context, c *change) (event.Incident, error) {
	c.done = make(chan struct{})
	n.mu.Lock()
	n.waiting = append(n.waiting, c)
	first := !n.writing
	n.writing = true
	n.mu.Unlock()
	if first {
		n.drain(ctx)
	}
	select {
	case <-c.done:
		return c.in, c.err
	case <-ctx.Done():
		return c.in, ctx.Err()
	}
}

// drain writes what waits, until nothing does.
func (n *incidents) drain(ctx context.Context) {
	for {
		n.mu.Lock()
		batch := n.waiting
		n.waiting = nil
		if len(batch) == 0 {
			n.writing = false
			n.mu.Unlock()
			return
		}
		n.mu.Unlock()
		err := n.store(ctx, batch)
		for _, c := range batch {
			if err != nil && c.err == nil {
				c.err = err
			}
			close(c.done)
		}
	}
}

// store writes one record for each incident that the changes come to. When
// another responder has written meanwhile, it reads again.
func (n *incidents) store(ctx context.Context, batch []*change) error {
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
					stored, err := n.stored(within, id)
					mu.Lock()
					defer mu.Unlock()
					if failed[id] = err; err == nil {
						n.settle(batch, id, stored)
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
		if err := n.load(ctx); err != nil {
			return err
		}
	}
}

// apply makes the changes one after another, and gives the records to write.
func (n *incidents) apply(batch []*change) (records map[string]event.Incident, last map[string]uint64) {
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
func (n *incidents) settle(batch []*change, id string, in event.Incident) {
	for _, c := range batch {
		if c.in.ID == id {
			c.in = in
		}
	}
}

func (n *incidents) append(ctx context.Context, in event.Incident, last uint64) (uint64, error) {
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

func (n *incidents) stored(ctx context.Context, id string) (event.Incident, error) {
	var in event.Incident
	m, err := n.bus.Last(ctx, bus.SubjectIncident(id))
	if err != nil {
		return in, fmt.Errorf("read incident %s: %w", id, err)
	}
	if err := json.Unmarshal(m.Data, &in); err != nil {
		return in, fmt.Errorf("read incident %s: %w", id, err)
	}
	return in, nil
}

// keep remembers an incident as it was stored, unless nothing can join it any
// more.
func (n *incidents) keep(in event.Incident, seq uint64) {
	n.mu.Lock()
	defer n.mu.Unlock()
	at := slices.IndexFunc(n.open, func(o event.Incident) bool { return o.ID == in.ID })
	switch {
	case in.State.Over():
		if at >= 0 {
			n.open = slices.Delete(n.open, at, at+1)
		}
		delete(n.sequence, in.ID)
		delete(n.written, in.ID)
		delete(n.runs, in.ID)
		delete(n.recommended, in.ID)
		return
	case at >= 0:
		n.open[at] = in
	default:
		n.open = append(n.open, in)
	}
	n.sequence[in.ID] = seq
	delete(n.written, in.ID) // it is new
}

// note takes in where a run stands; the incident shows it soon after.
func (n *incidents) note(run event.Run) {
	id := run.Incident.ID
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.runs == nil {
		n.runs, n.dirty = map[string]map[string]event.IncidentRun{}, map[string]bool{}
	}
	if n.runs[id] == nil {
		n.runs[id] = map[string]event.IncidentRun{}
	}
	n.runs[id][run.ID] = event.IncidentRun{ID: run.ID, Playbook: run.Playbook, Target: shorten(run.Target.String()), State: run.State}
	n.dirty[id] = true
}

// recommend takes in the playbooks that apply to an incident, in the order in
// which they are to run.
func (n *incidents) recommend(id string, books []string) {
	n.mu.Lock()
	defer n.mu.Unlock()
	for _, book := range books {
		if slices.Contains(n.recommended[id], book) || len(n.recommended[id]) >= maxKeys {
			continue
		}
		if n.recommended == nil {
			n.recommended = map[string][]string{}
		}
		if n.dirty == nil {
			n.runs, n.dirty = map[string]map[string]event.IncidentRun{}, map[string]bool{}
		}
		n.recommended[id] = append(n.recommended[id], book)
		n.dirty[id] = true
	}
}

// sweep brings the incidents in line with their runs, and, if all says so, with
// the time.
func (n *incidents) sweep(ctx context.Context, now time.Time, all bool) error {
	n.mu.Lock()
	dirty := n.dirty
	n.dirty = map[string]bool{}
	var ids []string
	for _, in := range n.open {
		if all || dirty[in.ID] {
			ids = append(ids, in.ID)
		}
	}
	for id := range dirty {
		if !slices.ContainsFunc(n.open, func(in event.Incident) bool { return in.ID == id }) {
			delete(n.recommended, id)
			delete(n.runs, id) // it is over, and its record ended with that
		}
	}
	n.mu.Unlock()
	for i, id := range ids {
		_, err := n.write(ctx, &change{id: id, of: func(open []event.Incident) (event.Incident, bool) { return n.due(open, id, now) }})
		if err != nil {
			n.mu.Lock()
			for _, id := range ids[i:] {
				n.dirty[id] = true
			}
			n.mu.Unlock()
			return err
		}
	}
	return nil
}

// due is an incident as its runs and the time want it. It is called with the
// lock held.
func (n *incidents) due(open []event.Incident, id string, now time.Time) (event.Incident, bool) {
	at := slices.IndexFunc(open, func(in event.Incident) bool { return in.ID == id })
	if at < 0 {
		return event.Incident{ID: id}, false
	}
	runs := slices.SortedFunc(maps.Values(n.runs[id]), func(a, b event.IncidentRun) int { return cmp.Compare(a.ID, b.ID) })
	in := settled(ran(open[at], runs, now), now)
	for _, book := range n.recommended[id] {
		in.Recommended = add(in.Recommended, book)
	}
	written, known := n.written[id]
	if !known {
		n.written[id] = now
	}
	return in, known && now.Sub(written) > refreshAfter || !same(in, open[at])
}
