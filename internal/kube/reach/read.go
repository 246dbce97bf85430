package reach

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"

	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"

	"github.com/firebreak-io/firebreak/internal/kube"
)

// Cluster is what [Read] and [ReadAround] ask. [*kube.Client] is one.
type Cluster interface {
	Pods(ctx context.Context, namespace, selector string) ([]corev1.Pod, error)
	NodesBy(ctx context.Context, selector string) ([]corev1.Node, error)
	NetworkPolicies(ctx context.Context, namespace string) ([]networkingv1.NetworkPolicy, error)
	Namespace(ctx context.Context, name string) (*corev1.Namespace, error)
	List(ctx context.Context, group, version, resource, namespace, selector string) ([]unstructured.Unstructured, error)
	Serves(ctx context.Context, group, version, resource string) (bool, error)
	Versions(ctx context.Context, group string) ([]string, error)
}

// Read reads all of a cluster that says who reaches whom. What the identity has
// no right to read is in [State.Missing], and so are kinds of others for which
// nobody answers.
func Read(ctx context.Context, c Cluster) (State, error) {
	s, err := readPolicies(ctx, c, "")
	if err != nil {
		return s, err
	}
	if s.Pods, err = granted(&s, "pods", func() ([]corev1.Pod, error) { return c.Pods(ctx, "", "") }); err != nil {
		return s, err
	}
	if s.Nodes, err = granted(&s, "nodes", func() ([]corev1.Node, error) { return c.NodesBy(ctx, "") }); err != nil {
		return s, err
	}
	spaces, err := granted(&s, "namespaces", func() ([]unstructured.Unstructured, error) {
		return c.List(ctx, "", "v1", "namespaces", "", "")
	})
	if err != nil {
		return s, err
	}
	for i := range spaces {
		if err := s.addNamespace(&spaces[i]); err != nil {
			return s, err
		}
	}
	return s, nil
}

// ReadAround reads the policies that may select a pod, and nothing that it could
// talk to: it is enough for [World.Sealed], and costs little in a large cluster.
func ReadAround(ctx context.Context, c Cluster, pod *corev1.Pod) (State, error) {
	s, err := readPolicies(ctx, c, pod.Namespace)
	if err != nil {
		return s, err
	}
	s.Pods = []corev1.Pod{*pod}
	space, err := c.Namespace(ctx, pod.Namespace)
	switch {
	case errors.Is(err, kube.ErrForbidden), errors.Is(err, kube.ErrNotFound):
		return s, nil // [New] says that it was not read
	case err != nil:
		return s, err
	}
	s.Namespaces = []corev1.Namespace{*space}
	return s, nil
}

func (s *State) addNamespace(o *unstructured.Unstructured) error {
	var n corev1.Namespace
	if err := runtime.DefaultUnstructuredConverter.FromUnstructured(o.Object, &n); err != nil {
		return fmt.Errorf("decode namespace %s: %w", o.GetName(), err)
	}
	s.Namespaces = append(s.Namespaces, n)
	return nil
}

// readPolicies reads those of one namespace and of none, or all if it is empty.
func readPolicies(ctx context.Context, c Cluster, namespace string) (State, error) {
	var s State
	var err error
	s.NetworkPolicies, err = granted(&s, "network policies", func() ([]networkingv1.NetworkPolicy, error) { return c.NetworkPolicies(ctx, namespace) })
	if err != nil {
		return s, err
	}
	// All are asked before it fails: who answers none of them is waited for once.
	var failed []error
	for _, k := range Kinds() {
		if err := s.readKind(ctx, c, k, namespace); err != nil {
			failed = append(failed, err)
		}
	}
	return s, errors.Join(failed...)
}

// readKind reads the policies of a kind that others brought.
func (s *State) readKind(ctx context.Context, c Cluster, k Kind, namespace string) error {
	what := k.Resource + "." + k.Group
	served, err := granted(s, what, func() (bool, error) { return c.Serves(ctx, k.Group, k.Version, k.Resource) })
	if err != nil {
		return err
	}
	if !served {
		return s.elsewhere(ctx, c, k)
	}
	if !k.Namespaced {
		namespace = ""
	}
	list, err := granted(s, what, func() ([]unstructured.Unstructured, error) {
		return c.List(ctx, k.Group, k.Version, k.Resource, namespace, "")
	})
	if err != nil {
		return err
	}
	for i := range list {
		body, err := json.Marshal(list[i].Object)
		if err != nil {
			return fmt.Errorf("encode %s %s: %w", k.Resource, list[i].GetName(), err)
		}
		s.Objects = append(s.Objects, Object{k.Group, k.Version, k.Kind, list[i].GetNamespace(), list[i].GetName(), body})
	}
	return nil
}

// elsewhere notes a kind that the cluster has in no version that is known here: what
// its policies say is not known then, which is not that there are none.
func (s *State) elsewhere(ctx context.Context, c Cluster, k Kind) error {
	what := k.Resource + "." + k.Group
	versions, err := granted(s, what, func() ([]string, error) { return c.Versions(ctx, k.Group) })
	if err != nil {
		return err
	}
	for _, version := range versions {
		if version == k.Version {
			continue
		}
		served, err := granted(s, what+" of "+version, func() (bool, error) { return c.Serves(ctx, k.Group, version, k.Resource) })
		if err != nil {
			return err
		}
		if served {
			s.Missing = append(s.Missing, fmt.Sprintf("%s.%s were not read: the cluster has them as %s, and only %s is known here", k.Resource, k.Group, version, k.Version))
			return nil
		}
	}
	return nil
}

// granted reads something. That it must not be read, or that whoever brought the
// kind does not answer for it, is noted instead.
func granted[T any](s *State, what string, read func() (T, error)) (T, error) {
	found, err := read()
	if kube.Unread(err) {
		var none T
		s.Missing = append(s.Missing, fmt.Sprintf("%s were not read: %v", what, err))
		return none, nil
	}
	return found, err
}

// Permissions are what [Read] needs.
func Permissions() []kube.Permission {
	list := []kube.Permission{
		{Resource: "pods", Verbs: []string{"list"}},
		{Resource: "namespaces", Verbs: []string{"list"}},
		{Resource: "nodes", Verbs: []string{"list"}},
		{Group: "networking.k8s.io", Resource: "networkpolicies", Verbs: []string{"list"}},
	}
	for _, k := range Kinds() {
		list = append(list, kube.Permission{Group: k.Group, Resource: k.Resource, Verbs: []string{"list"}})
	}
	return list
}
