package guard

import (
	"context"
	"fmt"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"

	"github.com/firebreak-io/firebreak/internal/event"
)

// Cluster is what the protected set is read from.
type Cluster interface {
	Pod(ctx context.Context, namespace, name string) (*corev1.Pod, error)
	Node(ctx context.Context, name string) (*corev1.Node, error)
	Namespace(ctx context.Context, name string) (*corev1.Namespace, error)
}

// protectedNamespaces run what a cluster can't do without, by the usual names.
func protectedNamespaces() []string {
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
		Doc:  "System namespaces, system-critical, static and mirror pods, control-plane nodes, Firebreak's own pod and node, and what the config adds, are never touched; pods labelled as CNI, CSI, DNS or ingress elsewhere ask.",
		New:  func(o Options) Guard { return protected{o} },
	})
}

type protected struct{ o Options }

func (g protected) Judge(ctx context.Context, c Check) (event.Decision, string) {
	t := c.Plan.Target
	switch {
	case !c.Effect:
		return event.Pass, "only tells people"
	case t.IsPod():
		return g.pod(ctx, t)
	case t.IsNode():
		return g.node(ctx, t)
	}
	return event.Pass, "neither a pod nor a node"
}

func (g protected) pod(ctx context.Context, t event.Ref) (event.Decision, string) {
	if slices.Contains(protectedNamespaces(), t.Namespace) || slices.Contains(g.o.Namespaces, t.Namespace) ||
		(g.o.Namespace != "" && t.Namespace == g.o.Namespace) {
		return event.Deny, fmt.Sprintf("namespace %s is protected", t.Namespace)
	}
	ns, err := g.o.Cluster.Namespace(ctx, t.Namespace)
	if err != nil {
		return event.Wait, fmt.Sprintf("whether the namespace is protected can't be read: %v", err)
	}
	if ns.Annotations[event.AnnotationPrefix+"protected"] == "true" {
		return event.Deny, fmt.Sprintf("namespace %s is annotated as protected", t.Namespace)
	}
	pod, err := g.o.Cluster.Pod(ctx, t.Namespace, t.Name)
	if err != nil {
		return event.Wait, fmt.Sprintf("whether the pod is protected can't be read: %v", err)
	}
	return judgePod(pod)
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
	if err != nil {
		return event.Wait, fmt.Sprintf("whether the node is protected can't be read: %v", err)
	}
	for _, label := range []string{"node-role.kubernetes.io/control-plane", "node-role.kubernetes.io/master"} {
		if _, ok := node.Labels[label]; ok {
			return event.Deny, "a control-plane node"
		}
	}
	return event.Pass, "not in the protected set"
}
