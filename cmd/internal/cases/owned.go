package cases

import (
	"context"
	"slices"
	"sync"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/firebreak-io/firebreak/internal/bus"
	"github.com/firebreak-io/firebreak/internal/event"
	"github.com/firebreak-io/firebreak/internal/kube"
)

// Owner is the controller that a pod names, if the case has it.
func (c *cluster) Owner(_ context.Context, pod *corev1.Pod) (kube.Owner, error) {
	ref := metav1.GetControllerOf(pod)
	if ref == nil {
		return kube.Owner{}, nil
	}
	o := kube.Owner{Kind: ref.Kind, Name: ref.Name, UID: string(ref.UID), Top: event.Workload{Kind: ref.Kind, Name: ref.Name, UID: string(ref.UID)}}
	fill := func(meta metav1.ObjectMeta, selector *metav1.LabelSelector, wanted *int32, ready int32) {
		o.Selector, o.Replicas, o.Ready = selector, 1, int(ready)
		if wanted != nil {
			o.Replicas = int(*wanted)
		}
		if top := metav1.GetControllerOf(&meta); top != nil {
			o.Top = event.Workload{Kind: top.Kind, Name: top.Name, UID: string(top.UID)}
		}
	}
	switch ref.Kind {
	case "ReplicaSet":
		if x, err := get[appsv1.ReplicaSet](c, "replicasets", pod.Namespace, ref.Name); err == nil {
			fill(x.ObjectMeta, x.Spec.Selector, x.Spec.Replicas, x.Status.ReadyReplicas)
		}
	case "StatefulSet":
		if x, err := get[appsv1.StatefulSet](c, "statefulsets", pod.Namespace, ref.Name); err == nil {
			fill(x.ObjectMeta, x.Spec.Selector, x.Spec.Replicas, x.Status.ReadyReplicas)
		}
	case "DaemonSet":
		if x, err := get[appsv1.DaemonSet](c, "daemonsets", pod.Namespace, ref.Name); err == nil {
			fill(x.ObjectMeta, x.Spec.Selector, &x.Status.DesiredNumberScheduled, x.Status.NumberReady)
		}
	}
	return o, nil
}

// Nodes gives all.
func (c *cluster) Nodes(ctx context.Context) ([]corev1.Node, error) { return c.NodesBy(ctx, "") }

// Get gives any object of the case, and any namespace.
func (c *cluster) Get(ctx context.Context, group, version, resource, namespace, name string) (*unstructured.Unstructured, error) {
	o, err := get[map[string]any](c, resource, namespace, name)
	switch {
	case err == nil:
		return &unstructured.Unstructured{Object: *o}, nil
	case resource == "namespaces":
		return c.Offline.Get(ctx, group, version, resource, namespace, name)
	}
	return nil, err
}

// List gives the objects of the case that a selector selects.
func (c *cluster) List(_ context.Context, _, _, resource, namespace, selector string) ([]unstructured.Unstructured, error) {
	all, err := list[map[string]any](c, resource, namespace, selector)
	out := make([]unstructured.Unstructured, 0, len(all))
	for _, o := range all {
		out = append(out, unstructured.Unstructured{Object: o})
	}
	return out, err
}

// PodsOn gives the pods of a node.
func (c *cluster) PodsOn(ctx context.Context, node string) ([]corev1.Pod, error) {
	all, err := c.Pods(ctx, "", "")
	return slices.DeleteFunc(all, func(p corev1.Pod) bool { return p.Spec.NodeName != node }), err
}

// store keeps the ledger of a case in memory; see [guard.Store].
type store struct {
	mu       sync.Mutex
	values   map[string][]byte
	revision map[string]uint64
}

// Get reads a value.
func (s *store) Get(_ context.Context, key string) ([]byte, uint64, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.revision[key] == 0 {
		return nil, 0, bus.ErrNotFound
	}
	return s.values[key], s.revision[key], nil
}

// CompareAndSet writes a value if nobody has since the revision.
func (s *store) CompareAndSet(_ context.Context, key string, value []byte, revision uint64) (uint64, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.revision[key] != revision {
		return 0, bus.ErrConflict
	}
	if s.values == nil {
		s.values, s.revision = map[string][]byte{}, map[string]uint64{}
	}
	s.values[key], s.revision[key] = value, revision+1
	return revision + 1, nil
}
