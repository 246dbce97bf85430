package respond

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/firebreak-io/firebreak/internal/bus"
	"github.com/firebreak-io/firebreak/internal/event"
)

// IncidentQuery says which incidents are asked for; the zero value asks for all
// that are not forgotten.
type IncidentQuery struct {
	// Since leaves out those that were over before.
	Since time.Time
	// States are those that an incident may be in, Prefix is what its id has to
	// begin with; empty is any.
	States []event.IncidentState
	Prefix string
}

func (q IncidentQuery) takes(in event.Incident) bool {
	return (len(q.States) == 0 || slices.Contains(q.States, in.State)) && strings.HasPrefix(in.ID, q.Prefix) &&
		(!in.State.Over() || q.Since.IsZero() || !in.Closed.Before(q.Since))
}

// wants says whether the query can take incidents that are over, or are not.
func (q IncidentQuery) wants(over bool) bool {
	return len(q.States) == 0 || slices.ContainsFunc(q.States, func(s event.IncidentState) bool { return s.Over() == over })
}

// OpenIncidents gives the incidents that are not over, in the order of their
// ids. It reads no others.
func (l *RunLog) OpenIncidents(ctx context.Context) ([]event.Incident, error) {
	ids, err := l.incidents.open(ctx, l.bus)
	if err != nil {
		return nil, err
	}
	stored, err := loadIncidents(ctx, l.bus, ids)
	return incidentsOf(stored, func(in event.Incident) bool { return !in.State.Over() }), err
}

func incidentsOf(stored []storedIncident, takes func(event.Incident) bool) (list []event.Incident) {
	for _, s := range stored {
		if takes(s.Incident) {
			list = append(list, s.Incident)
		}
	}
	return list
}

// ListIncidents gives a page of incidents, at most limit of them, and where the
// next one begins; empty is the end. First come those that are open, by their
// ids; then those that are over, in the order in which that was stored. One that
// ends meanwhile, or of which something is said when it is over, can come twice;
// none is left out that was there from the first page to the last. A page can be
// short, or empty, and not the last. [ErrNoPage] is for a place that is none.
func (l *RunLog) ListIncidents(ctx context.Context, q IncidentQuery, after string, limit int) (list []event.Incident, next string, err error) {
	part, place, _ := strings.Cut(after, ".")
	var from uint64
	switch part {
	case "", "open":
		if q.wants(false) {
			if list, next, err = l.listOpenIncidents(ctx, q, place, limit); err != nil || next != "" {
				return list, next, err
			}
		}
	case "over":
		if from, err = strconv.ParseUint(place, 10, 64); err != nil {
			return nil, "", ErrNoPage
		}
	default:
		return nil, "", ErrNoPage
	}
	if !q.wants(true) {
		return list, "", nil
	}
	over, next, err := l.listOverIncidents(ctx, q, from, limit-len(list))
	return append(list, over...), next, err
}

func (l *RunLog) listOpenIncidents(ctx context.Context, q IncidentQuery, after string, limit int) (list []event.Incident, next string, err error) {
	ids, err := l.incidents.open(ctx, l.bus)
	if err != nil {
		return nil, "", err
	}
	ids = slices.DeleteFunc(ids, func(id string) bool { return id <= after || !strings.HasPrefix(id, q.Prefix) })
	if len(ids) > limit {
		ids = ids[:limit]
		next = "open." + ids[limit-1]
	}
	stored, err := loadIncidents(ctx, l.bus, ids)
	return incidentsOf(stored, q.takes), next, err
}

// listOverIncidents goes through the stream: an incident that is over has its
// last records there, in one of which it came to be over.
func (l *RunLog) listOverIncidents(ctx context.Context, q IncidentQuery, after uint64, limit int) (list []event.Incident, next string, err error) {
	state, err := l.bus.State(ctx, bus.Incidents)
	if err != nil || state.Messages == 0 || after >= state.Last {
		return nil, "", err
	}
	from := bus.From{Sequence: after + 1}
	if after == 0 && !q.Since.IsZero() {
		from = bus.From{Time: q.Since.Add(-time.Hour)} // the clock that closed it may be another one
	}
	at, last, looked := map[string]int{}, after, 0
	for m, err := range l.bus.Range(ctx, bus.Incidents, from) {
		if err != nil {
			return nil, "", fmt.Errorf("read incidents: %w", err)
		}
		if len(list) >= limit || looked >= maxLook {
			return list, "over." + strconv.FormatUint(last, 10), nil
		}
		looked, last = looked+1, m.Sequence
		in, err := decodeIncident(m)
		if err != nil {
			return nil, "", err
		}
		if !in.State.Over() || !q.takes(in.Incident) {
			continue
		}
		if i, ok := at[in.ID]; ok {
			list[i] = in.Incident
			continue
		}
		at[in.ID] = len(list)
		list = append(list, in.Incident)
	}
	return list, "", nil
}

// NewestIncidents puts incidents in the order of their last findings, the newest
// last, each once: the last of those given.
func NewestIncidents(list []event.Incident) []event.Incident {
	at := map[string]event.Incident{}
	for _, in := range list {
		at[in.ID] = in
	}
	return slices.SortedFunc(maps.Values(at), func(a, b event.Incident) int {
		return cmp.Or(a.Updated.Compare(b.Updated), cmp.Compare(a.ID, b.ID))
	})
}
