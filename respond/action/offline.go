package action

import (
	"context"
	"errors"
	"io"

	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/firebreak-io/firebreak/internal/event"
	"github.com/firebreak-io/firebreak/internal/kube"
)

// ErrOffline: there is no cluster to write to, or, in a replay, no receiver to
// send to.
var ErrOffline = errors.New("there is no cluster, or this is a replay")

// noteOffline is on every plan that was made without a cluster.
const noteOffline = "planned without a cluster: labels and policies unknown"

// Offline stands in for the cluster in a replay: any pod or node exists, and
// nothing more is known of it; nothing can be written. Use it with
// [Deps.Offline], by which plans take UID and node from the target.
type Offline struct{}

var _ Cluster = Offline{}

// Pod gives a pod of that name.
func (Offline) Pod(_ context.Context, namespace, name string) (*corev1.Pod, error) {
	return &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: name}}, nil
}

// Pods gives none.
func (Offline) Pods(context.Context, string, string) ([]corev1.Pod, error) { return nil, nil }

// PodsOn gives none.
func (Offline) PodsOn(context.Context, string) ([]corev1.Pod, error) { return nil, nil }

// Node gives a node of that name.
func (Offline) Node(_ context.Context, name string) (*corev1.Node, error) {
	return &corev1.Node{ObjectMeta: metav1.ObjectMeta{Name: name}}, nil
}

// Nodes gives none.
func (Offline) Nodes(context.Context) ([]corev1.Node, error) { return nil, nil }

// Backends gives none.
func (Offline) Backends(context.Context) ([]kube.Backend, error) { return nil, nil }

// Errors gives none.
func (Offline) Errors() (share float64, requests int) { return 0, 0 }

// NodesBy gives none.
func (Offline) NodesBy(context.Context, string) ([]corev1.Node, error) { return nil, nil }

// Namespace gives a namespace of that name.
func (Offline) Namespace(_ context.Context, name string) (*corev1.Namespace, error) {
	return &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: name}}, nil
}

// Services gives none.
func (Offline) Services(context.Context, string) ([]corev1.Service, error) { return nil, nil }

// NetworkPolicies gives none.
func (Offline) NetworkPolicies(context.Context, string) ([]networkingv1.NetworkPolicy, error) {
	return nil, nil
}

// NetworkPolicy finds none.
func (Offline) NetworkPolicy(context.Context, string, string) (*networkingv1.NetworkPolicy, error) {
	return nil, kube.ErrNotFound
}

// Owner knows none.
func (Offline) Owner(context.Context, *corev1.Pod) (kube.Owner, error) { return kube.Owner{}, nil }

// Get gives an object of that name, with nothing in it.
func (Offline) Get(_ context.Context, group, version, _, namespace, name string) (*unstructured.Unstructured, error) {
	o := &unstructured.Unstructured{Object: object{}}
	o.SetAPIVersion(schema.GroupVersion{Group: group, Version: version}.String())
	o.SetNamespace(namespace)
	o.SetName(name)
	return o, nil
}

// List gives none.
func (Offline) List(context.Context, string, string, string, string, string) ([]unstructured.Unstructured, error) {
	return nil, nil
}

// Serves says no: a plan that was made without a cluster goes by what every
// cluster has.
func (Offline) Serves(context.Context, string, string, string) (bool, error) { return false, nil }

// Versions gives none, likewise.
func (Offline) Versions(context.Context, string) ([]string, error) { return nil, nil }

// Logs always gives [ErrOffline].
func (Offline) Logs(context.Context, string, string, kube.LogOptions) (io.ReadCloser, error) {
	return nil, ErrOffline
}

// Command always gives [ErrOffline].
func (Offline) Command(context.Context, event.Write, kube.Streams) error { return ErrOffline }

// Call always gives [ErrOffline].
func (Offline) Call(context.Context, event.Write, int64) ([]byte, error) { return nil, ErrOffline }

// Apply always gives [ErrOffline].
func (Offline) Apply(context.Context, event.Write, kube.ApplyOptions) (string, string, error) {
	return "", "", ErrOffline
}
