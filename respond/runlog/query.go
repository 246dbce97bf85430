package runlog

import (
	"cmp"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/firebreak-io/firebreak/internal/event"
)

// Query says which runs are asked for; the zero value asks for all.
type Query struct {
	// Since leaves out those that ended before.
	Since time.Time
	// States are those that a run may be in, Playbook, Namespace and Prefix
	// what its playbook, the namespace of its target and the beginning of its
	// id have to be; empty is any.
	States              []event.RunState
	Playbook, Namespace string
	Prefix              string
}

func (q Query) takes(r event.Run) bool {
	return q.state(r.State, r.Updated) && strings.HasPrefix(r.ID, q.Prefix) &&
		(q.Playbook == "" || r.Playbook == q.Playbook) && (q.Namespace == "" || r.Target.Namespace == q.Namespace)
}

func (q Query) state(s event.RunState, updated time.Time) bool {
	return (len(q.States) == 0 || slices.Contains(q.States, s)) && (!s.Terminal() || !updated.Before(q.Since))
}

// Newest puts runs in the order of their last moves, the newest last, each once.
func Newest(runs []event.Run) []event.Run {
	at := map[string]event.Run{}
	for _, r := range runs {
		if old, ok := at[r.ID]; !ok || r.Record >= old.Record && r.Spec != "" || r.Record > old.Record {
			at[r.ID] = r
		}
	}
	return slices.SortedFunc(maps.Values(at), func(a, b event.Run) int {
		return cmp.Or(a.Updated.Compare(b.Updated), cmp.Compare(a.ID, b.ID))
	})
}
