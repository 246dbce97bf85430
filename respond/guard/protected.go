package guard

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"

	"github.com/firebreak-io/firebreak/internal/event"
	"github.com/firebreak-io/firebreak/internal/kube"
)

// ProtectedNamespaces run what a cluster can't do without, by the usual names.
// The admission policy that is shipped refuses writes there too.
func ProtectedNamespaces() []string {
	return []string{
		"kube-system", "kube-public", "kube-node-lease", "calico-system", "calico-apiserver", "tigera-operator",
		"kube-flannel", "cilium", "cilium-secrets", "ingress-nginx", "istio-system", "metallb-system",
		"openshift-dns", "openshift-ingress", "openshift-ovn-kubernetes", "openshift-apiserver",
		"openshift-etcd", "openshift-kube-apiserver", "cert-manager", "gatekeeper-system", "kyverno", "nats",
	}
}

// protectedLabels mark the pods of CNI, CSI, DNS and ingress. A pod's owner can
// write them, so outside the protected namespaces they make people decide; an
// attacker can't use them as a shield.
func protectedLabels() []labelValues {
	return []labelValues{
		{"k8s-app", []string{
			"kube-dns", "coredns", "node-local-dns", "calico-node", "calico-kube-controllers", "cilium",
			"cilium-operator", "flannel", "kube-proxy", "kube-router", "weave-net",
		}},
		{"app.kubernetes.io/name", []string{
			"ingress-nginx", "traefik", "haproxy-ingress", "coredns", "cilium-agent", "aws-ebs-csi-driver",
			"gcp-compute-persistent-disk-csi-driver", "azuredisk-csi-driver",
		}},
	}
}

type labelValues struct {
	key    string
	values []string
}

func init() {
	register(Kind{
		Name: "protected",
		Doc:  "System namespaces, system-critical, static and mirror pods, those behind admission webhooks and aggregated APIs, control-plane nodes, Firebreak's own pod and node, and what the config adds, are never touched, nor are pods of the host network by a policy; pods labelled as CNI, CSI, DNS or ingress elsewhere ask.",
		New:  func(o Options) Guard { return protected{o} },
	})
}

type protected struct{ o Options }

func (g protected) Judge(ctx context.Context, c Check) (event.Decision, string) {
	if !c.Effect {
		return event.Pass, "only tells people"
	}
	decision, reason := g.object(ctx, c, c.Plan.Target)
	for _, also := range c.Plan.Also {
		// A wait is stronger than a question, and a no than both.
		if d, why := g.object(ctx, c, also); d == event.Deny || decision != event.Deny && d == event.Wait || decision == event.Pass && d != event.Pass {
			decision, reason = d, also.String()+": "+why
		}
	}
	return decision, reason
}

// object judges one of the objects that are changed.
func (g protected) object(ctx context.Context, c Check, t event.Ref) (event.Decision, string) {
	switch {
	case t.IsPod():
		return g.pod(ctx, c, t)
	case t.IsNode():
		return g.node(ctx, t)
	}
	return g.other(ctx, t)
}

func (g protected) namespace(ctx context.Context, name string) (event.Decision, string) {
	if slices.Contains(ProtectedNamespaces(), name) || slices.Contains(g.o.Namespaces, name) ||
		(g.o.Namespace != "" && name == g.o.Namespace) {
		return event.Deny, fmt.Sprintf("namespace %s is protected", name)
	}
	ns, err := g.o.Cluster.Namespace(ctx, name)
	if err != nil {
		return event.Wait, fmt.Sprintf("whether the namespace is protected can't be read: %v", err)
	}
	if ns.Annotations[event.AnnotationPrefix+"protected"] == "true" {
		return event.Deny, fmt.Sprintf("namespace %s is annotated as protected", name)
	}
	return event.Pass, ""
}

func (g protected) pod(ctx context.Context, c Check, t event.Ref) (event.Decision, string) {
	if decision, reason := g.namespace(ctx, t.Namespace); decision != event.Pass {
		return decision, reason
	}
	pod, err := g.o.Cluster.Pod(ctx, t.Namespace, t.Name)
	if errors.Is(err, kube.ErrNotFound) {
		return event.Pass, gone
	}
	if err != nil {
		return event.Wait, fmt.Sprintf("whether the pod is protected can't be read: %v", err)
	}
	if pod.Spec.HostNetwork && slices.ContainsFunc(c.Plan.Writes, func(w event.Write) bool { return w.Resource == "networkpolicies" }) {
		return event.Deny, "the pod uses the host network, which no policy binds"
	}
	if decision, reason := judgePod(pod); decision == event.Deny {
		return decision, reason
	}
	if decision, reason := g.backend(ctx, pod); decision != event.Pass {
		return decision, reason
	}
	return judgePod(pod)
}

// backend protects what the API server itself asks: without it nothing may be
// written to the cluster any more, also not what ends a hold.
func (g protected) backend(ctx context.Context, pod *corev1.Pod) (event.Decision, string) {
	backends, err := g.o.Cluster.Backends(ctx)
	if err != nil {
		return event.Wait, fmt.Sprintf("whether the API server asks the pod can't be read: %v", err)
	}
	var names []string
	for _, b := range backends {
		if b.Namespace == pod.Namespace {
			names = append(names, b.Name)
		}
	}
	if len(names) == 0 {
		return event.Pass, ""
	}
	services, err := g.o.Cluster.Services(ctx, pod.Namespace)
	if err != nil {
		return event.Wait, fmt.Sprintf("whether the API server asks the pod can't be read: %v", err)
	}
	for _, s := range services {
		if slices.Contains(names, s.Name) && selects(s.Spec.Selector, pod.Labels) {
			return event.Deny, "the API server asks the pod by Service " + s.Name
		}
	}
	return event.Pass, ""
}

func selects(selector, labels map[string]string) bool {
	for k, v := range selector {
		if labels[k] != v {
			return false
		}
	}
	return len(selector) > 0
}

func judgePod(pod *corev1.Pod) (event.Decision, string) {
	if strings.HasPrefix(pod.Spec.PriorityClassName, "system-") {
		return event.Deny, "the pod's priority class is " + pod.Spec.PriorityClassName
	}
	if _, mirror := pod.Annotations[corev1.MirrorPodAnnotationKey]; mirror {
		return event.Deny, "the pod is the mirror of a static one"
	}
	for _, o := range pod.OwnerReferences {
		if o.Kind == "Node" {
			return event.Deny, "the pod is static: its node owns it"
		}
	}
	for _, l := range protectedLabels() {
		if v := pod.Labels[l.key]; slices.Contains(l.values, v) {
			return event.Ask, fmt.Sprintf("the pod is labelled %s=%s", l.key, v)
		}
	}
	return event.Pass, "not in the protected set"
}

func (g protected) node(ctx context.Context, t event.Ref) (event.Decision, string) {
	if slices.Contains(g.o.Nodes, t.Name) || (g.o.Node != "" && t.Name == g.o.Node) {
		return event.Deny, fmt.Sprintf("node %s is protected", t.Name)
	}
	node, err := g.o.Cluster.Node(ctx, t.Name)
	if errors.Is(err, kube.ErrNotFound) {
		return event.Pass, gone
	}
	if err != nil {
		return event.Wait, fmt.Sprintf("whether the node is protected can't be read: %v", err)
	}
	if controlPlane(node) {
		return event.Deny, "a control-plane node"
	}
	return event.Pass, "not in the protected set"
}
