package e2e

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/kubernetes"

	"github.com/firebreak-io/firebreak/internal/event"
	"github.com/firebreak-io/firebreak/internal/kube"
	"github.com/firebreak-io/firebreak/internal/kube/reach"
	"github.com/firebreak-io/firebreak/respond/action"
	"github.com/firebreak-io/firebreak/test/controlplane/crd"
)

const (
	clusterPolicies = "clusternetworkpolicies.policy.networking.k8s.io"
	adminPolicies   = "adminnetworkpolicies.policy.networking.k8s.io"
	ciliumPolicies  = "ciliumnetworkpolicies.cilium.io"
)

// calicoDefinitions are Calico's kinds without their schemas: of those only the
// published description was at hand.
func calicoDefinitions() []byte {
	var out strings.Builder
	for plural, kind := range map[string]string{"tiers": "Tier", "globalnetworkpolicies": "GlobalNetworkPolicy"} {
		fmt.Fprintf(&out, `{apiVersion: apiextensions.k8s.io/v1, kind: CustomResourceDefinition, metadata: {name: %s.crd.projectcalico.org}, spec: {group: crd.projectcalico.org, scope: Cluster,
  names: {plural: %s, singular: %s, kind: %s, listKind: %sList},
  versions: [{name: v1, served: true, storage: true, schema: {openAPIV3Schema: {type: object, x-kubernetes-preserve-unknown-fields: true}}}]}}
---
`, plural, plural, strings.ToLower(kind), kind, kind)
	}
	return []byte(out.String())
}

// bare takes every deny tier away from the shared control plane.
func bare(t *testing.T) *kube.Client {
	t.Helper()
	c, err := kube.New(kube.Options{Kubeconfig: plane(t).Kubeconfig, QPS: 200, Burst: 400})
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{
		clusterPolicies, adminPolicies, "baseline" + adminPolicies, ciliumPolicies, "ciliumclusterwidenetworkpolicies.cilium.io",
		"tiers.crd.projectcalico.org", "globalnetworkpolicies.crd.projectcalico.org",
	} {
		if err := crd.Remove(t.Context(), c, name); err != nil {
			t.Fatal(err)
		}
		plural, group, _ := strings.Cut(name, ".")
		for _, k := range reach.Kinds() {
			if k.Group == group && k.Resource == plural {
				unserved(t, c, k)
			}
		}
	}
	return c
}

func unserved(t *testing.T, c *kube.Client, k reach.Kind) {
	t.Helper()
	eventually(t, k.Resource, func(ctx context.Context) error {
		served, err := c.Serves(ctx, k.Group, k.Version, k.Resource)
		if err == nil && served {
			err = errors.New("is served still")
		}
		return err
	})
}

func verified(t *testing.T, a action.Action, r action.Request, p event.Plan, done event.Receipt) event.Receipt {
	t.Helper()
	seen, err := a.(action.Verifier).Verify(t.Context(), r, p, done)
	if err != nil {
		t.Fatal(err)
	}
	return seen
}

// lonely is a pod without a controller.
func lonely(t *testing.T, client kubernetes.Interface, ns, name string) corev1.Pod {
	t.Helper()
	spec := template()
	_, err := client.CoreV1().Pods(ns).Create(t.Context(), &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Name: name, Labels: spec.Labels}, Spec: spec.Spec}, metav1.CreateOptions{})
	if err != nil {
		t.Fatal(err)
	}
	pods := ready(t, client, ns, "app=web", 1)
	return pods[0]
}

var (
	allowAll = networkingv1.NetworkPolicySpec{
		PolicyTypes: []networkingv1.PolicyType{"Ingress", "Egress"},
		Ingress:     []networkingv1.NetworkPolicyIngressRule{{}}, Egress: []networkingv1.NetworkPolicyEgressRule{{}},
	}
	denyAll = networkingv1.NetworkPolicySpec{PolicyTypes: []networkingv1.PolicyType{"Ingress", "Egress"}}
)

func byApp(s networkingv1.NetworkPolicySpec) networkingv1.NetworkPolicySpec {
	s.PodSelector = metav1.LabelSelector{MatchLabels: map[string]string{"app": "web"}}
	return s
}

func allowPolicy(t *testing.T, client kubernetes.Interface, ns, name string, spec networkingv1.NetworkPolicySpec) {
	t.Helper()
	n := &networkingv1.NetworkPolicy{ObjectMeta: metav1.ObjectMeta{Name: name}, Spec: spec}
	if _, err := client.NetworkingV1().NetworkPolicies(ns).Create(t.Context(), n, metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
}

// contained plans, does, verifies and undoes a quarantine, and gives what
// verifying said and the plan.
func contained(t *testing.T, q action.Action, pod corev1.Pod) (event.Plan, event.Receipt) {
	t.Helper()
	r := request(pod)
	p, done := do(t, q, r)
	seen := verified(t, q, r, p, done)
	removed(t, q, r, p)
	undo(t, q, r, done, event.AtEndDelete)
	return p, seen
}

func noted(notes []string, part string) bool {
	return slices.ContainsFunc(notes, func(n string) bool { return strings.Contains(n, part) })
}

// removed takes each policy away by which the pod is held, that of a tier too: it
// is seen, and put back by the same plan.
func removed(t *testing.T, q action.Action, r action.Request, p event.Plan) {
	t.Helper()
	all := dynamicClient(t)
	for _, w := range p.Writes {
		if w.Verb != "create" {
			continue
		}
		at := all.Resource(schema.GroupVersionResource{Group: w.Group, Version: w.Version, Resource: w.Resource}).Namespace(w.Namespace)
		if err := at.Delete(t.Context(), w.Name, metav1.DeleteOptions{}); err != nil {
			t.Fatal(err)
		}
		watch := q.(action.Watcher)
		if d, err := watch.Watch(t.Context(), r, p); err != nil || !strings.Contains(d.Gone, w.Resource+" "+w.Name) {
			t.Errorf("%s %s was taken away: %+v %v", w.Resource, w.Name, d, err)
		}
		again, err := q.Plan(t.Context(), r)
		if err != nil {
			t.Fatal(err)
		}
		done, err := q.Do(t.Context(), r, again)
		if err != nil {
			t.Fatal(err)
		}
		if d, err := watch.Watch(t.Context(), r, p); err != nil || d != (action.Drift{}) {
			t.Errorf("%s %s is not put back: %+v %v; planned were %d writes for %d, done was said %q", w.Resource, w.Name, d, err, len(again.Writes), len(p.Writes), done.Notes)
		}
	}
}

// The surroundings of a quarantine: held, or the leak is named.
func TestContainmentMatrix(t *testing.T) {
	client := admin(t)
	installer := bare(t)
	c := responder(t, client, nil)
	q := build(t, "pod.quarantine", c, nil)
	type policies map[string]networkingv1.NetworkPolicySpec
	everything := policies{"default-deny": denyAll, "web": byApp(allowAll), "allow-all": allowAll}
	check := func(name string, of policies, want ...string) {
		t.Run(name, func(t *testing.T) {
			ns := namespace(t, client)
			for name, spec := range of {
				allowPolicy(t, client, ns, name, spec)
			}
			p, seen := contained(t, q, lonely(t, client, ns, "web"))
			result := event.ResultUnverified
			for _, part := range want {
				part = strings.ReplaceAll(part, "NS", ns)
				if strings.HasPrefix(part, "leaks") {
					result = event.ResultPartial
				}
				if !noted(seen.Notes, part) || !noted(p.Notes, part) && !strings.HasPrefix(part, "denied by") {
					t.Errorf("%q is not said:\n%s\nplanned:\n%s", part, strings.Join(seen.Notes, "\n"), strings.Join(p.Notes, "\n"))
				}
			}
			if seen.Result != result {
				t.Errorf("%s, want %s: %q", seen.Result, result, seen.Notes)
			}
		})
	}
	const held = "held: by all policies nothing gets through"
	check("no policy", nil, held)
	check("policies by app label", policies{"web": byApp(allowAll)}, held)
	check("default deny", policies{"default-deny": denyAll}, held)
	check("default deny and policies by label", policies{"default-deny": denyAll, "web": byApp(allowAll)}, held)
	check("allow-all in the namespace", policies{"allow-all": allowAll},
		"leaks: to 0.0.0.0/0, ::/0 on all ports: NetworkPolicy NS/allow-all allows it",
		"leaks: from 0.0.0.0/0, ::/0 on all ports: NetworkPolicy NS/allow-all allows it")

	t.Run("owners", func(t *testing.T) { containOwners(t, client, q) })

	if err := crd.Install(t.Context(), installer, clusterPolicies); err != nil {
		t.Fatal(err)
	}
	// At ingress this tier can only be about pods.
	check("ClusterNetworkPolicy", everything, "leaks: from 0.0.0.0/0, ::/0 on all ports: NetworkPolicy NS/allow-all allows it")
	bare(t)
	if err := crd.Install(t.Context(), installer, adminPolicies); err != nil {
		t.Fatal(err)
	}
	check("AdminNetworkPolicy", everything, "leaks: from 0.0.0.0/0, ::/0 on all ports: NetworkPolicy NS/allow-all allows it", "leaks: to 0.0.0.0/0, ::/0 on all ports")
	bare(t)
	if err := crd.Install(t.Context(), installer, ciliumPolicies); err != nil {
		t.Fatal(err)
	}
	check("Cilium", everything, held)
	t.Run("probes kept out by Cilium", func(t *testing.T) {
		containProbes(t, client, c, event.ResultUnverified, "kept out by Cilium: the pod's own node")
	})
	bare(t)
	t.Run("probes can't be kept out", func(t *testing.T) {
		containProbes(t, client, c, event.ResultPartial, "leaks: traffic with the pod's own node, the kubelet's probes with it")
	})
	if err := installer.Create(t.Context(), calicoDefinitions()); err != nil {
		t.Fatal(err)
	}
	eventually(t, "Calico's kinds", func(ctx context.Context) error {
		for _, resource := range []string{"tiers", "globalnetworkpolicies"} {
			if _, err := installer.List(ctx, "crd.projectcalico.org", "v1", resource, "", ""); err != nil {
				return err
			}
		}
		return nil
	})
	check("Calico", everything, held)
	bare(t)
}

// containProbes quarantines a pod with keep_probes: false: the evaluation of what
// the API server took says whether its own node is kept out, what is taken away of
// it is put back, and nothing of it is left after the undo.
func containProbes(t *testing.T, client kubernetes.Interface, c *kube.Client, want event.Result, part string) {
	ns := namespace(t, client)
	q := build(t, "pod.quarantine", c, &action.QuarantineConfig{})
	pod := lonely(t, client, ns, "web")
	r := request(pod)
	before := marks(t, pod.ObjectMeta)
	p, done := do(t, q, r)
	if seen := verified(t, q, r, p, done); seen.Result != want || !noted(seen.Notes, part) || !noted(p.Notes, part) {
		t.Errorf("%s, planned %q, found %q", seen.Result, p.Notes, seen.Notes)
	}
	removed(t, q, r, p)
	undo(t, q, r, done, event.AtEndRestore)
	if after := marks(t, getPod(t, client, ns, pod.Name).ObjectMeta); after != before || hasPolicy(t, client, ns) {
		t.Errorf("left over: %s", after)
	}
	for _, w := range p.Writes {
		if _, err := dynamicClient(t).Resource(schema.GroupVersionResource{Group: w.Group, Version: w.Version, Resource: w.Resource}).Namespace(w.Namespace).
			Get(t.Context(), w.Name, metav1.GetOptions{}); w.Verb == "create" && !apierrors.IsNotFound(err) {
			t.Errorf("%s %s is left over: %v", w.Resource, w.Name, err)
		}
	}
}

// containOwners: pods of controllers, and one of the host network.
func containOwners(t *testing.T, client kubernetes.Interface, q action.Action) {
	ns := namespace(t, client)
	selector, one := &metav1.LabelSelector{MatchLabels: map[string]string{"app": "web"}}, int32(1)
	allowPolicy(t, client, ns, "web", byApp(allowAll))
	if _, err := client.AppsV1().StatefulSets(ns).Create(t.Context(), &appsv1.StatefulSet{
		ObjectMeta: metav1.ObjectMeta{Name: "web"}, Spec: appsv1.StatefulSetSpec{Selector: selector, Template: template(), Replicas: &one},
	}, metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
	p, seen := contained(t, q, ready(t, client, ns, "app=web", 1)[0])
	if seen.Result != event.ResultUnverified || !noted(seen.Notes, "held: by all policies") || !noted(p.Notes, "can't replace it, the name is taken") {
		t.Errorf("StatefulSet: %s %q %q", seen.Result, seen.Notes, p.Notes)
	}
	ns = namespace(t, client)
	allowPolicy(t, client, ns, "web", byApp(allowAll))
	if _, err := client.AppsV1().DaemonSets(ns).Create(t.Context(), &appsv1.DaemonSet{
		ObjectMeta: metav1.ObjectMeta{Name: "web"}, Spec: appsv1.DaemonSetSpec{Selector: selector, Template: template()},
	}, metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
	var some corev1.Pod
	eventually(t, "a pod of the DaemonSet", func(ctx context.Context) error {
		list, err := client.CoreV1().Pods(ns).List(ctx, metav1.ListOptions{LabelSelector: "app=web"})
		if err != nil {
			return err
		}
		for _, x := range list.Items {
			if isReady(x) {
				some = x
				return nil
			}
		}
		return errors.New("none is ready")
	})
	if p, seen = contained(t, q, some); seen.Result != event.ResultUnverified || !noted(seen.Notes, "held: by all policies") || !noted(p.Notes, "makes a replacement on the same node") {
		t.Errorf("DaemonSet: %s %q %q", seen.Result, seen.Notes, p.Notes)
	}
	ns = namespace(t, client)
	spec := template()
	spec.Spec.HostNetwork = true
	host, err := client.CoreV1().Pods(ns).Create(t.Context(), &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Name: "host"}, Spec: spec.Spec}, metav1.CreateOptions{})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := q.Plan(t.Context(), request(*host)); !errors.Is(err, action.ErrRefused) || !strings.Contains(err.Error(), "no NetworkPolicy binds") {
		t.Errorf("host network: %v", err)
	}
}
