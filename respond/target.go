package respond

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"
	"unicode"

	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	"k8s.io/apimachinery/pkg/api/validate/content"

	"github.com/firebreak-io/firebreak/internal/event"
	"github.com/firebreak-io/firebreak/internal/kube"
	"github.com/firebreak-io/firebreak/respond/action"
)

// clockSkew is how far the clocks of a source and of the API server may be
// apart.
const clockSkew = 5 * time.Second

// ErrNoTarget says that a finding's subject is not there, or is another object
// than the one that the finding is about.
var ErrNoTarget = errors.New("no such target")

// Resolve finds the live object that a finding is about, and gives it with its
// UID, node, workload and the labels that it has now. [ErrNoTarget] says that there is none: the pod is
// gone, was made after the event, or does not run the event's container. What
// else actions work on comes back with its UID if it may be read, an identity, an
// address or an image with one that is made of its name, and any other subject as
// it is.
func Resolve(ctx context.Context, cluster action.Cluster, f event.Finding) (event.Ref, error) {
	t := f.Subject
	t.Subresource = ""
	switch {
	case t.IsThing():
		// It is what its name says, so there is nothing to look up.
		known := t.Thing()
		if known.Name == "" {
			return t, fmt.Errorf("resolve: %.80q is no name: %w", t.String(), ErrNoTarget)
		}
		return known, nil
	case (t.IsPod() || t.IsNode()) && !named(t):
		// Nothing in a cluster is called so; asking would be refused for ever.
		return t, fmt.Errorf("resolve: %.80q is no name: %w", t.String(), ErrNoTarget)
	case t.IsPod() && t.Namespace != "":
		return resolvePod(ctx, cluster, f, t)
	case t.IsNode():
		node, err := cluster.Node(ctx, t.Name)
		if err != nil {
			return t, missing(t, err)
		}
		t.Kind, t.UID = "Node", string(node.UID)
	default:
		return resolveOther(ctx, cluster, f, t)
	}
	return t, nil
}

// resolveOther finds any other object that actions work on. One that may not be
// read stays without a UID: a step that only tells of it needs none, and any
// other refuses it.
func resolveOther(ctx context.Context, cluster action.Cluster, f event.Finding, t event.Ref) (event.Ref, error) {
	x, ok := action.ResourceOf(t)
	if !ok {
		return t, nil
	}
	if t.Resource == "namespaces" {
		t.Namespace = "" // audit events repeat the name there
	}
	if !named(t) {
		return t, fmt.Errorf("resolve: %.80q is no name: %w", t.String(), ErrNoTarget)
	}
	o, err := cluster.Get(ctx, x.Group, x.Version, x.Resource, t.Namespace, t.Name)
	switch {
	case errors.Is(err, kube.ErrForbidden), err == nil && o.GetUID() == "":
		return t, nil
	case err != nil:
		return t, missing(t, err)
	case t.UID != "" && t.UID != string(o.GetUID()):
		return t, fmt.Errorf("resolve %s: the object of that name has another UID: %w", t, ErrNoTarget)
	case t.UID == "" && o.GetCreationTimestamp().After(happened(f).Add(clockSkew)):
		return t, fmt.Errorf("resolve %s: the object of that name was made after the event: %w", t, ErrNoTarget)
	}
	t.UID, t.Labels = string(o.GetUID()), nil
	if kind := o.GetKind(); kind != "" {
		t.Kind = kind
	}
	return t, nil
}

// named says whether an object could have the reference's name.
func named(t event.Ref) bool {
	if t.Group == rbacv1.GroupName {
		// Roles and bindings may be called by nearly anything that fits into a path.
		return len(t.Name) <= 253 && t.Name != "" && len(content.IsPathSegmentName(t.Name)) == 0 && !strings.ContainsFunc(t.Name, unicode.IsControl) &&
			(t.Namespace == "" || len(content.IsDNS1123Label(t.Namespace)) == 0)
	}
	return len(content.IsDNS1123Subdomain(t.Name)) == 0 &&
		(t.Namespace == "" || len(content.IsDNS1123Label(t.Namespace)) == 0)
}

func resolvePod(ctx context.Context, cluster action.Cluster, f event.Finding, t event.Ref) (event.Ref, error) {
	pod, known := knownPod(cluster, t)
	if !known {
		var err error
		if pod, err = cluster.Pod(ctx, t.Namespace, t.Name); err != nil {
			return t, missing(t, err)
		}
		if why := differs(pod, f, t); why != "" {
			return t, fmt.Errorf("resolve %s: %s: %w", t, why, ErrNoTarget)
		}
	}
	t.Kind, t.UID, t.Node, t.Labels = "Pod", string(pod.UID), pod.Spec.NodeName, pod.Labels
	if name := pod.Spec.ServiceAccountName; name != "" {
		t.ServiceAccount = pod.Namespace + "/" + name
	}
	owner, err := cluster.Owner(ctx, pod)
	if err != nil {
		return t, fmt.Errorf("resolve %s: %w", t, err)
	}
	t.Workload = owner.Top
	return t, nil
}

// knownPod is the pod by a watch, where one is kept, if the finding's event names it
// beyond doubt: by its UID, or by a container of it. Neither is ever another pod's, so
// that it does not matter how old what is known of it is; that it is gone, or changed,
// the writes find out, which are conditional on it. Any other pod is read.
func knownPod(cluster action.Cluster, t event.Ref) (*corev1.Pod, bool) {
	k, ok := cluster.(interface {
		KnownPod(namespace, name string) (*corev1.Pod, bool)
	})
	if !ok {
		return nil, false
	}
	pod, ok := k.KnownPod(t.Namespace, t.Name)
	switch {
	case !ok:
		return nil, false
	case t.UID != "":
		return pod, t.UID == string(pod.UID)
	}
	found, _ := hasContainer(pod, t.ContainerID)
	return pod, found && len(t.ContainerID) >= shortID
}

// differs says why a pod of the right name is not the one that was observed.
func differs(pod *corev1.Pod, f event.Finding, t event.Ref) string {
	switch {
	case t.UID == string(pod.UID):
		// The rest only makes up for not knowing it. (A container that crashes
		// again and again is soon forgotten by the pod's status.)
		return ""
	case t.UID != "":
		return "the pod of that name has another UID"
	case pod.CreationTimestamp.After(happened(f).Add(clockSkew)):
		// A creation is observed as a request, before the object is there, but
		// by the same clock: the skew covers it.
		return "the pod of that name was made after the event"
	case t.ContainerID != "" && !runs(pod, t.ContainerID):
		return "the pod of that name does not run container " + t.ContainerID
	}
	return ""
}

// happened is when the finding's event was at the latest: a source's clock may
// be ahead, but nothing is received before it happens.
func happened(f event.Finding) time.Time {
	if !f.Received.IsZero() && f.Received.Before(f.Time) {
		return f.Received
	}
	return f.Time
}

// runs says whether a container of the pod, running or just ended, has the id. A pod
// whose containers are not known yet does not contradict.
func runs(pod *corev1.Pod, id string) bool {
	found, known := hasContainer(pod, id)
	return found || !known
}

// shortID is how much of a container's id Falco gives.
const shortID = 12

// hasContainer says whether a container of the pod, running or just ended, has the id,
// and whether any of its containers has one yet.
func hasContainer(pod *corev1.Pod, id string) (found, known bool) {
	statuses := slices.Concat(pod.Status.ContainerStatuses, pod.Status.InitContainerStatuses, pod.Status.EphemeralContainerStatuses)
	for _, s := range statuses {
		ids := []string{s.ContainerID}
		if s.LastTerminationState.Terminated != nil {
			ids = append(ids, s.LastTerminationState.Terminated.ContainerID)
		}
		for _, full := range ids {
			_, hex, isID := strings.Cut(full, "://")
			known = known || isID
			found = found || isID && strings.HasPrefix(hex, id)
		}
	}
	return found, known
}

func missing(t event.Ref, err error) error {
	if errors.Is(err, kube.ErrNotFound) {
		return fmt.Errorf("resolve %s: not found: %w", t, ErrNoTarget)
	}
	if errors.Is(err, kube.ErrForbidden) {
		// Trying again would hold up every other finding; the run says why it
		// can do nothing.
		return fmt.Errorf("resolve %s: %w: %w", t, err, ErrNoTarget)
	}
	return fmt.Errorf("resolve %s: %w", t, err)
}
