package incident

import (
	"cmp"
	"context"
	"maps"
	"slices"
	"time"

	"github.com/firebreak-io/firebreak/internal/event"
)

// Note takes in where a run stands; the incident shows it soon after.
func (n *Store) Note(run event.Run) {
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

// Recommend takes in the playbooks that apply to an incident, in the order in
// which they are to run.
func (n *Store) Recommend(id string, books []string) {
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

// Sweep brings the incidents in line with their runs, and, if all says so, with
// the time.
func (n *Store) Sweep(ctx context.Context, now time.Time, all bool) error {
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
		_, err := n.write(ctx, &change{of: func(open []event.Incident) (event.Incident, bool) { return n.due(open, id, now) }})
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
func (n *Store) due(open []event.Incident, id string, now time.Time) (event.Incident, bool) {
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
