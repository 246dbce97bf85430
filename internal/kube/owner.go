package kube

import (
	"context"
	"errors"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/firebreak-io/firebreak/internal/event"
)

// Owner is the controller that a pod belongs to.
type Owner struct {
	// Kind, Name and UID are the direct controller's; Kind is empty for a
	// bare pod.
	Kind, Name, UID string
	// Selector is how the controller finds its pods; nil when it is not known
	// (a kind of its own, or the controller is gone).
	Selector *metav1.LabelSelector
	// Replicas and Ready count its pods: wanted, and ready.
	Replicas, Ready int
	// Top is the workload above: the Deployment of a ReplicaSet, the CronJob
	// of a Job, else the controller itself.
	Top event.Workload
}

// Owner reads the controller of a pod. A pod without one gives the zero
// Owner; one of a kind that Kubernetes does not ship gives it without a
// selector.
func (c *Client) Owner(ctx context.Context, pod *corev1.Pod) (Owner, error) {
	ref := metav1.GetControllerOf(pod)
	if ref == nil {
		return Owner{}, nil
	}
	owner := Owner{Kind: ref.Kind, Name: ref.Name, UID: string(ref.UID)}
	owner.Top = event.Workload{Kind: ref.Kind, Name: ref.Name, UID: string(ref.UID)}
	meta, err := c.readOwner(ctx, pod.Namespace, *ref, &owner)
	if errors.Is(err, ErrNotFound) || err == nil && (meta == nil || meta.UID != ref.UID) {
		owner.Selector = nil
		return owner, nil
	}
	if err != nil {
		return Owner{}, err
	}
	if top := metav1.GetControllerOf(meta); top != nil {
		owner.Top = event.Workload{Kind: top.Kind, Name: top.Name, UID: string(top.UID)}
	}
	return owner, nil
}

// readOwner fills in what the controller says; nil metadata means a kind that
// is not known here.
func (c *Client) readOwner(ctx context.Context, ns string, ref metav1.OwnerReference, o *Owner) (*metav1.ObjectMeta, error) {
	get := metav1.GetOptions{}
	switch ref.APIVersion + "/" + ref.Kind {
	case "apps/v1/ReplicaSet":
		x, err := c.typed.AppsV1().ReplicaSets(ns).Get(ctx, ref.Name, get)
		if err != nil {
			return nil, request{"get", "apps", "replicasets", ns, ref.Name}.fail(err)
		}
		o.Selector, o.Replicas, o.Ready = x.Spec.Selector, wanted(x.Spec.Replicas), int(x.Status.ReadyReplicas)
		return &x.ObjectMeta, nil
	case "apps/v1/StatefulSet":
		x, err := c.typed.AppsV1().StatefulSets(ns).Get(ctx, ref.Name, get)
		if err != nil {
			return nil, request{"get", "apps", "statefulsets", ns, ref.Name}.fail(err)
		}
		o.Selector, o.Replicas, o.Ready = x.Spec.Selector, wanted(x.Spec.Replicas), int(x.Status.ReadyReplicas)
		return &x.ObjectMeta, nil
	case "apps/v1/DaemonSet":
		x, err := c.typed.AppsV1().DaemonSets(ns).Get(ctx, ref.Name, get)
		if err != nil {
			return nil, request{"get", "apps", "daemonsets", ns, ref.Name}.fail(err)
		}
		o.Selector, o.Replicas, o.Ready = x.Spec.Selector, int(x.Status.DesiredNumberScheduled), int(x.Status.NumberReady)
		return &x.ObjectMeta, nil
	case "batch/v1/Job":
		x, err := c.typed.BatchV1().Jobs(ns).Get(ctx, ref.Name, get)
		if err != nil {
			return nil, request{"get", "batch", "jobs", ns, ref.Name}.fail(err)
		}
		o.Selector, o.Replicas = x.Spec.Selector, wanted(x.Spec.Parallelism)
		if x.Status.Ready != nil {
			o.Ready = int(*x.Status.Ready)
		}
		return &x.ObjectMeta, nil
	case "v1/ReplicationController":
		x, err := c.typed.CoreV1().ReplicationControllers(ns).Get(ctx, ref.Name, get)
		if err != nil {
			return nil, request{"get", "", "replicationcontrollers", ns, ref.Name}.fail(err)
		}
		o.Selector = &metav1.LabelSelector{MatchLabels: x.Spec.Selector}
		o.Replicas, o.Ready = wanted(x.Spec.Replicas), int(x.Status.ReadyReplicas)
		return &x.ObjectMeta, nil
	}
	return nil, nil
}

func wanted(n *int32) int {
	if n == nil {
		return 1
	}
	return int(*n)
}
