package incident

import (
	"cmp"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/firebreak-io/firebreak/internal/event"
)

// Query says which incidents are asked for; the zero value asks for all
// that are not forgotten.
type Query struct {
	// Since leaves out those that were over before.
	Since time.Time
	// States are those that an incident may be in, Prefix is what its id has to
	// begin with; empty is any.
	States []event.IncidentState
	Prefix string
}

func (q Query) takes(in event.Incident) bool {
	return (len(q.States) == 0 || slices.Contains(q.States, in.State)) && strings.HasPrefix(in.ID, q.Prefix) &&
		(!in.State.Over() || q.Since.IsZero() || !in.Closed.Before(q.Since))
}

// wants says whether the query can take incidents that are over, or are not.
func (q Query) wants(over bool) bool {
	return len(q.States) == 0 || slices.ContainsFunc(q.States, func(s event.IncidentState) bool { return s.Over() == over })
}

// Newest puts incidents in the order of their last findings, the newest
// last, each once: the last of those given.
func Newest(list []event.Incident) []event.Incident {
	at := map[string]event.Incident{}
	for _, in := range list {
		at[in.ID] = in
	}
	return slices.SortedFunc(maps.Values(at), func(a, b event.Incident) int {
		return cmp.Or(a.Updated.Compare(b.Updated), cmp.Compare(a.ID, b.ID))
	})
}
