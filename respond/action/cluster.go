package action

import (
	"context"
	"io"
	"log/slog"

	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/firebreak-io/firebreak/internal/event"
	"github.com/firebreak-io/firebreak/internal/kube"
	"github.com/firebreak-io/firebreak/respond/evidence"
	"github.com/firebreak-io/firebreak/respond/notify"
)

// Cluster is what actions need of a cluster. [*kube.Client] is one, [Offline]
// another. Errors are those of package kube.
type Cluster interface {
	Pod(ctx context.Context, namespace, name string) (*corev1.Pod, error)
	Pods(ctx context.Context, namespace, selector string) ([]corev1.Pod, error)
	PodsOn(ctx context.Context, node string) ([]corev1.Pod, error)
	Node(ctx context.Context, name string) (*corev1.Node, error)
	NodesBy(ctx context.Context, selector string) ([]corev1.Node, error)
	Namespace(ctx context.Context, name string) (*corev1.Namespace, error)
	Services(ctx context.Context, namespace string) ([]corev1.Service, error)
	NetworkPolicies(ctx context.Context, namespace string) ([]networkingv1.NetworkPolicy, error)
	NetworkPolicy(ctx context.Context, namespace, name string) (*networkingv1.NetworkPolicy, error)
	Owner(ctx context.Context, pod *corev1.Pod) (kube.Owner, error)
	// Get reads any object, List those that a label selector matches; namespace
	// is empty for what has none, and to list all.
	Get(ctx context.Context, group, version, resource, namespace, name string) (*unstructured.Unstructured, error)
	List(ctx context.Context, group, version, resource, namespace, selector string) ([]unstructured.Unstructured, error)
	// Serves says whether there is such a resource.
	Serves(ctx context.Context, group, version, resource string) (bool, error)
	// Versions are those in which a group is served, the preferred one first.
	Versions(ctx context.Context, group string) ([]string, error)
	// Logs reads a container's log.
	Logs(ctx context.Context, namespace, pod string, o kube.LogOptions) (io.ReadCloser, error)
	// Apply, Command and Call send a planned write, each the kinds that it is for.
	Apply(ctx context.Context, w event.Write, o kube.ApplyOptions) (uid, resourceVersion string, err error)
	Command(ctx context.Context, w event.Write, s kube.Streams) error
	Call(ctx context.Context, w event.Write, most int64) ([]byte, error)
}

var _ Cluster = (*kube.Client)(nil)

// answering is a cluster that still knows what the API server answered to a
// write: the pod as it is with that resourceVersion. That is as good as reading
// it right after. Without one it is the newest that it knows, a second old at the
// most.
type answering interface {
	Answered(namespace, name, resourceVersion string) (*corev1.Pod, bool)
}

var _ answering = (*kube.Cache)(nil)

// Outbox takes messages to people: they are durable when Put returns, and sent
// from there. [*notify.Outbox] is one.
type Outbox interface {
	Put(ctx context.Context, m notify.Message) error
}

// Deps are what actions are made with.
type Deps struct {
	Cluster Cluster
	// Home is Firebreak's own namespace, in which lockouts are.
	Home string
	// Functions and Jobs are those of the operator's config, by name.
	Functions map[string]Function
	Jobs      map[string]JobTemplate
	// Receivers are those of messages to people. Outbox takes the messages;
	// without one they are sent at once, and only once.
	Receivers notify.Receivers
	Routes    notify.Routes
	Outbox    Outbox
	// Unconfigured says that the operator's config is not known, as in a replay:
	// plans name receivers and functions as the step does, and nothing can be sent.
	Unconfigured bool
	// Drill says whether network policies are enforced; nil is that nobody knows.
	Drill interface {
		Works() (works, known bool, note string)
	}
	Logger *slog.Logger
	// Evidence is where captures are kept; nil is nowhere.
	Evidence *evidence.Store
	// Offline says that there is no cluster: plans are made of what the
	// target's reference says.
	Offline bool
}
