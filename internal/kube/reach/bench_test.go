package reach

import (
	"fmt"
	"testing"

	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// city is a cluster of many pods: a namespace for every hundred, ten workloads
// in each, and in each a default deny, a policy a workload, and one of blocks.
func city(pods int) State {
	var s State
	for i := range pods {
		space, app := fmt.Sprintf("ns%d", i/100), fmt.Sprintf("app%d", i%10)
		p := corev1.Pod{ObjectMeta: metav1.ObjectMeta{Namespace: space, Name: fmt.Sprintf("p%d", i), Labels: map[string]string{"app": app, "own": fmt.Sprint(i)}}}
		p.Status.PodIP = fmt.Sprintf("10.%d.%d.%d", i>>16, i>>8&255, i&255)
		p.Spec.NodeName = fmt.Sprintf("n%d", i%500)
		p.Spec.Containers = []corev1.Container{{Ports: []corev1.ContainerPort{{Name: "http", ContainerPort: 8080}}}}
		s.Pods = append(s.Pods, p)
		if i%100 != 0 {
			continue
		}
		s.Namespaces = append(s.Namespaces, corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: space, Labels: map[string]string{"team": fmt.Sprint(i % 7)}}})
		add := func(name string, spec networkingv1.NetworkPolicySpec) {
			s.NetworkPolicies = append(s.NetworkPolicies, networkingv1.NetworkPolicy{ObjectMeta: metav1.ObjectMeta{Namespace: space, Name: name}, Spec: spec})
		}
		add("deny", networkingv1.NetworkPolicySpec{})
		for a := range 10 {
			from := networkingv1.NetworkPolicyPeer{NamespaceSelector: &metav1.LabelSelector{MatchLabels: map[string]string{"team": fmt.Sprint(a % 7)}}}
			add(fmt.Sprintf("web%d", a), networkingv1.NetworkPolicySpec{
				PodSelector: metav1.LabelSelector{MatchLabels: map[string]string{"app": fmt.Sprintf("app%d", a)}},
				Ingress:     []networkingv1.NetworkPolicyIngressRule{{From: []networkingv1.NetworkPolicyPeer{from}}},
			})
		}
		rule := networkingv1.NetworkPolicyEgressRule{}
		for b := range 20 {
			rule.To = append(rule.To, networkingv1.NetworkPolicyPeer{IPBlock: &networkingv1.IPBlock{CIDR: fmt.Sprintf("10.0.%d.0/24", b)}})
		}
		add("blocks", networkingv1.NetworkPolicySpec{Egress: []networkingv1.NetworkPolicyEgressRule{rule}, PolicyTypes: []networkingv1.PolicyType{"Egress"}})
	}
	return s
}

func BenchmarkReport(b *testing.B) {
	for _, n := range []int{1000, 10_000, 100_000} {
		s := city(n)
		b.Run(fmt.Sprintf("compile/%d", n), func(b *testing.B) {
			for b.Loop() {
				New(s)
			}
		})
		w := New(s)
		b.Run(fmt.Sprintf("report/%d", n), func(b *testing.B) {
			for b.Loop() {
				if _, err := w.Report("ns0", "p0"); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// One pod's report must not cost more than its share as the cluster grows:
// classes grow with workloads, not with pods.
func TestClasses(t *testing.T) {
	s := city(10_000)
	w := New(s)
	subject := w.pods["ns0/p0"]
	n := len(w.classes(subject, w.stack(subject, Egress)))
	// 100 namespaces of 10 workloads; the subject's blocks cut their addresses
	// and those outside at 20 borders.
	if n > 100*10*2+50 {
		t.Errorf("%d classes for 10,000 pods", n)
	}
}
