package summary

import (
	"slices"

	"github.com/firebreak-io/firebreak/internal/event"
)

// entity is who wrote a line, as far as summaries tell writers apart.
type entity struct {
	cluster, namespace, kind, name, uid, container string
	// overflow is of the writers for whom there was no room.
	overflow bool
}

// grouping says what of an object tells writers apart.
type grouping struct{ workload, container bool }

func groupingOf(by []string) grouping {
	return grouping{slices.Contains(by, byWorkload), slices.Contains(by, byContainer)}
}

// of is the writer of an event, and the reference that its summary carries. Of
// a workload that is not known the pod is taken. Labels and image are left out:
// they are the cluster's to tell.
func (g grouping) of(e *event.Event) (entity, event.Ref) {
	o := &e.Object
	w := entity{cluster: e.Cluster, namespace: o.Namespace}
	ref := event.Ref{Namespace: o.Namespace, Workload: o.Workload}
	if g.container {
		w.container, ref.Container = o.Container, o.Container
	}
	if g.workload && o.Workload.Name != "" {
		w.kind, w.name, w.uid = o.Workload.Kind, o.Workload.Name, o.Workload.UID
		ref.Kind, ref.Name, ref.UID = w.kind, w.name, w.uid
		return w, ref
	}
	w.kind, w.name, w.uid = o.Kind, o.Name, o.UID
	ref.Group, ref.Resource, ref.Kind, ref.Name, ref.UID, ref.Node = o.Group, o.Resource, o.Kind, o.Name, o.UID, o.Node
	if w.name == "" {
		w.uid, ref.ContainerID = o.ContainerID, o.ContainerID
	}
	return w, ref
}
