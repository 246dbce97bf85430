package action

import (
	"context"
	"fmt"
	"slices"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/firebreak-io/firebreak/internal/event"
)

// The workloads that actions are about.
var (
	deployments  = Resource{"apps", "v1", "deployments"}
	statefulSets = Resource{"apps", "v1", "statefulsets"}
	daemonSets   = Resource{"apps", "v1", "daemonsets"}
	replicaSets  = Resource{"apps", "v1", "replicasets"}
	jobs         = Resource{"batch", "v1", "jobs"}
	cronJobs     = Resource{"batch", "v1", "cronjobs"}
)

// WorkloadRef is the reference to a workload by its kind, as pods name their
// owners; false is a kind that no action works on.
func WorkloadRef(namespace string, w event.Workload) (event.Ref, bool) {
	for kind, x := range map[string]Resource{
		"Deployment": deployments, "StatefulSet": statefulSets, "DaemonSet": daemonSets, "ReplicaSet": replicaSets,
		"Job": jobs, "CronJob": cronJobs,
	} {
		if w.Kind == kind && w.Name != "" {
			return event.Ref{Group: x.Group, Resource: x.Resource, Kind: kind, Namespace: namespace, Name: w.Name, UID: w.UID}, true
		}
	}
	return event.Ref{}, false
}

// IsWorkload says whether a reference is that of a workload itself.
func IsWorkload(ref event.Ref) bool {
	return slices.ContainsFunc([]Resource{deployments, statefulSets, daemonSets, replicaSets, jobs, cronJobs}, func(x Resource) bool {
		return x.Group == ref.Group && x.Resource == ref.Resource && ref.Name != ""
	})
}

// names are the plural names of resources.
func names(list []Resource) (all []string) {
	for _, x := range list {
		all = append(all, x.Resource)
	}
	return all
}

// needs are permissions with the same verbs on each of the resources.
func needs(list []Resource, verbs ...string) (all []Permission) {
	for _, x := range list {
		all = append(all, Permission{Group: x.Group, Resource: x.Resource, Verbs: verbs})
	}
	return all
}

// admits are the same kind of write to each of the resources.
func admits(list []Resource, operation string, expression func(Resource) string) (all []Admit) {
	for _, x := range list {
		all = append(all, Admit{Group: x.Group, Resource: x.Resource, Operation: operation, Expression: expression(x)})
	}
	return all
}

// autoscalers says what scales a workload by itself, and what it will make of
// the number of replicas that is to be set.
func autoscalers(ctx context.Context, c Cluster, target event.Ref, replicas int) (notes []string, err error) {
	list, err := c.List(ctx, "autoscaling", "v2", "horizontalpodautoscalers", target.Namespace, "")
	if err != nil {
		return nil, err
	}
	for _, h := range list {
		kind, _, _ := unstructured.NestedString(h.Object, "spec", "scaleTargetRef", "kind")
		name, _, _ := unstructured.NestedString(h.Object, "spec", "scaleTargetRef", "name")
		if ref, ok := WorkloadRef(target.Namespace, event.Workload{Kind: kind, Name: name}); !ok || ref.Resource != target.Resource || name != target.Name {
			continue
		}
		least, _ := numberAt(h.Object, "spec", "minReplicas")
		most, _ := numberAt(h.Object, "spec", "maxReplicas")
		switch keda := h.GetLabels()["scaledobject.keda.sh/name"]; {
		case keda != "":
			notes = append(notes, fmt.Sprintf("ScaledObject %s (KEDA) scales it, and may scale it again from zero", cut(keda, maxText)))
		case replicas == 0:
			notes = append(notes, fmt.Sprintf("HorizontalPodAutoscaler %s scales it; it does nothing while there are 0 replicas, and goes on when they are back", h.GetName()))
		default:
			notes = append(notes, fmt.Sprintf("HorizontalPodAutoscaler %s scales it between %d and %d replicas: it will change the number again", h.GetName(), max(least, 1), most))
		}
	}
	return notes, nil
}

// numberAt reads a whole number of an object, however its JSON was decoded.
func numberAt(o object, path ...string) (int64, bool) {
	v, _ := valueAt(o, path)
	switch n := v.(type) {
	case int64:
		return n, true
	case float64:
		return int64(n), true
	}
	return 0, false
}
