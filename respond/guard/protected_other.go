package guard

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/firebreak-io/firebreak/internal/event"
	"github.com/firebreak-io/firebreak/internal/kube"
)

// workloads are the resources that make pods, and where their template is.
func workloads() map[string][]string {
	template := []string{"spec", "template"}
	return map[string][]string{
		"deployments.apps": template, "statefulsets.apps": template, "daemonsets.apps": template, "replicasets.apps": template,
		"jobs.batch": template, "cronjobs.batch": {"spec", "jobTemplate", "spec", "template"},
	}
}

// other judges what is neither a pod nor a node: a workload as the pods that it
// makes, a namespace and a Service by what the API server asks there, a binding
// and an identity by whose they are. What is of no namespace, and none of these,
// is protected by nothing.
func (g protected) other(ctx context.Context, t event.Ref) (event.Decision, string) {
	if t.IsThing() {
		return g.thing(ctx, t)
	}
	if t.Group == "rbac.authorization.k8s.io" {
		if why := g.binding(t); why != "" {
			return event.Deny, why
		}
	}
	if space := t.Space(); space != "" {
		if decision, reason := g.namespace(ctx, space); decision != event.Pass {
			return decision, reason
		}
	}
	path, workload := workloads()[t.Resource+"."+t.Group]
	switch {
	case workload:
		return g.workload(ctx, t, path)
	case t.Group == "" && (t.Resource == "namespaces" || t.Resource == "services"):
		return g.asked(ctx, t)
	}
	return event.Pass, "not in the protected set"
}

// workload judges the pods that a workload makes.
func (g protected) workload(ctx context.Context, t event.Ref, path []string) (event.Decision, string) {
	o, err := g.o.Cluster.Get(ctx, t.Group, "v1", t.Resource, t.Namespace, t.Name)
	if errors.Is(err, kube.ErrNotFound) {
		return event.Pass, gone
	}
	if err != nil {
		return event.Wait, fmt.Sprintf("whether the workload is protected can't be read: %v", err)
	}
	pod := podOf(o, path)
	decision, reason := judgePod(pod)
	if decision == event.Deny {
		return decision, reason + ", by its template"
	}
	if d, why := g.backend(ctx, pod); d != event.Pass {
		return d, why
	}
	return decision, reason
}

// podOf is a pod as a workload's template makes it, as far as it is judged.
func podOf(o *unstructured.Unstructured, path []string) *corev1.Pod {
	at := func(more ...string) []string { return append(slices.Clone(path), more...) }
	labels, _, _ := unstructured.NestedStringMap(o.Object, at("metadata", "labels")...)
	class, _, _ := unstructured.NestedString(o.Object, at("spec", "priorityClassName")...)
	return &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{Namespace: o.GetNamespace(), Labels: labels}, Spec: corev1.PodSpec{PriorityClassName: class},
	}
}

// asked protects the Services that the API server asks, and the namespaces that
// they are in.
func (g protected) asked(ctx context.Context, t event.Ref) (event.Decision, string) {
	backends, err := g.o.Cluster.Backends(ctx)
	if err != nil {
		return event.Wait, fmt.Sprintf("whether the API server asks it can't be read: %v", err)
	}
	for _, b := range backends {
		if b.Namespace == t.Space() && (t.Resource == "namespaces" || b.Name == t.Name) {
			return event.Deny, "the API server asks Service " + b.Name
		}
	}
	return event.Pass, "not in the protected set"
}

// binding says whose a role or binding is that must stay.
func (g protected) binding(t event.Ref) string {
	switch {
	case strings.HasPrefix(t.Name, "system:") || t.Resource == "clusterrolebindings" && t.Name == "cluster-admin":
		return "it is the cluster's own"
	case t.Namespace == "" && (t.Name == "firebreak" || strings.HasPrefix(t.Name, "firebreak-") || strings.HasPrefix(t.Name, "firebreak:")):
		return "it is Firebreak's own"
	}
	return ""
}

// thing judges an identity; addresses and images belong to nobody.
func (g protected) thing(ctx context.Context, t event.Ref) (event.Decision, string) {
	account, ok := strings.CutPrefix(t.Name, "system:serviceaccount:")
	namespace, _, _ := strings.Cut(account, ":")
	switch {
	case t.Resource != event.ResourceUsers && t.Resource != event.ResourceGroups:
		return event.Pass, "nobody's own"
	case g.o.Self != "" && t.Name == g.o.Self:
		return event.Deny, "it is Firebreak itself"
	case ok:
		return g.namespace(ctx, namespace)
	case strings.HasPrefix(t.Name, "system:") && t.Name != "system:anonymous":
		return event.Deny, "it is an identity of the cluster itself"
	}
	return event.Pass, "not in the protected set"
}
