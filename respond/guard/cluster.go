package guard

import (
	"context"
	"slices"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/firebreak-io/firebreak/internal/kube"
)

// Cluster is what guards look at of a cluster. Errors are those of package
// kube. What it gives may be a moment old.
type Cluster interface {
	Pod(ctx context.Context, namespace, name string) (*corev1.Pod, error)
	Node(ctx context.Context, name string) (*corev1.Node, error)
	Nodes(ctx context.Context) ([]corev1.Node, error)
	Namespace(ctx context.Context, name string) (*corev1.Namespace, error)
	Services(ctx context.Context, namespace string) ([]corev1.Service, error)
	// Get reads any other object.
	Get(ctx context.Context, group, version, resource, namespace, name string) (*unstructured.Unstructured, error)
	Owner(ctx context.Context, pod *corev1.Pod) (kube.Owner, error)
	// Backends are the Services that the API server itself asks: those of
	// admission webhooks and of aggregated APIs.
	Backends(ctx context.Context) ([]kube.Backend, error)
	// Errors is the share of requests to the API server that failed within the
	// last minute, and how many there were.
	Errors() (share float64, requests int)
}

func nodeReady(n *corev1.Node) bool {
	return slices.ContainsFunc(n.Status.Conditions, func(c corev1.NodeCondition) bool {
		return c.Type == corev1.NodeReady && c.Status == corev1.ConditionTrue
	})
}

func controlPlane(n *corev1.Node) bool {
	for _, label := range []string{"node-role.kubernetes.io/control-plane", "node-role.kubernetes.io/master"} {
		if _, ok := n.Labels[label]; ok {
			return true
		}
	}
	return false
}
