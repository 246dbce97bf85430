package action

import (
	"encoding/json"
	"net/netip"
	"testing"

	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/firebreak-io/firebreak/internal/event"
	"github.com/firebreak-io/firebreak/internal/kube/reach"
)

// reported is what the evaluator of policies says of a pod of the namespace
// when the object stands alone, or beside a policy that allows everything.
func reported(t *testing.T, o own, beside bool) *reach.Report {
	t.Helper()
	w, err := o.write(networkDeny, Request{Key: "run1/s", Target: event.Ref{UID: "u"}, Now: noon, Until: noon})
	if err != nil {
		t.Fatal(err)
	}
	place := func(namespace, name, ip string) corev1.Pod {
		p := corev1.Pod{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: name, Labels: map[string]string{"app": name}}}
		p.Spec.NodeName, p.Status.PodIP, p.Status.Phase = "n1", ip, corev1.PodRunning
		p.Status.PodIPs = []corev1.PodIP{{IP: ip}}
		return p
	}
	s := reach.State{Pods: []corev1.Pod{place(ns, "web", "10.244.0.1"), place("bank", "till", "10.244.0.2")}}
	for _, name := range []string{ns, "bank", "kube-system"} {
		s.Namespaces = append(s.Namespaces, corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: name, Labels: map[string]string{"kubernetes.io/metadata.name": name}}})
	}
	if o.Resource == plainPolicies {
		var p networkingv1.NetworkPolicy
		if err := json.Unmarshal(w.Body, &p); err != nil {
			t.Fatal(err)
		}
		s.NetworkPolicies = append(s.NetworkPolicies, p)
	} else if beside {
		s.NetworkPolicies = append(s.NetworkPolicies, networkingv1.NetworkPolicy{
			ObjectMeta: metav1.ObjectMeta{Namespace: ns, Name: "allow-all"},
			Spec: networkingv1.NetworkPolicySpec{
				PolicyTypes: []networkingv1.PolicyType{networkingv1.PolicyTypeIngress, networkingv1.PolicyTypeEgress},
				Ingress:     []networkingv1.NetworkPolicyIngressRule{{}}, Egress: []networkingv1.NetworkPolicyEgressRule{{}},
			},
		})
	}
	if o.Resource != plainPolicies {
		s.Objects = append(s.Objects, reach.Object{Group: o.Group, Version: o.Version, Kind: o.Kind, Namespace: o.Namespace, Name: w.Name, Body: w.Body})
	}
	report, err := reach.New(s).Report(ns, "web")
	if err != nil {
		t.Fatal(err)
	}
	if len(report.Doubts) > 0 {
		t.Error("not understood:", report.Doubts)
	}
	return report
}

// passes says whether an address is among what gets through, from which side.
func passes(flows []reach.Flow, address string) bool {
	a := netip.MustParseAddr(address)
	for _, f := range flows {
		for _, block := range f.Peer.Blocks {
			if p, err := netip.ParsePrefix(block); err == nil && p.Contains(a) {
				return true
			}
		}
	}
	return false
}

// TestMeansEvaluated: an evaluator that was written for another purpose, and is
// checked against two others, reads each means as it is meant.
func TestMeansEvaluated(t *testing.T) {
	deny := mustPrefixes(t, "192.0.2.0/24", "2001:db8::/32")
	tier, _ := deny.toward(directionEgress).tier()
	for name, o := range map[string]own{"tier": tier, "cilium": deny.cilium(), "plain": deny.plain()} {
		r := reported(t, o, false)
		if passes(r.Egress, "192.0.2.7") || passes(r.Egress, "2001:db8::7") || !passes(r.Egress, "198.51.100.7") {
			t.Errorf("%s: egress %v", name, r.Egress)
		}
		if name != "tier" && (passes(r.Ingress, "192.0.2.7") || !passes(r.Ingress, "198.51.100.7")) {
			t.Errorf("%s: ingress %v", name, r.Ingress)
		}
	}
	quarantine := barrier{namespace: ns, only: true, ingress: true, egress: true}
	for name, o := range map[string]own{"cilium": quarantine.cilium(), "plain": quarantine.plain()} {
		if r := reported(t, o, true); passes(r.Flows(), "198.51.100.7") || pods(r.Flows()) {
			t.Errorf("%s: %v", name, r.Flows())
		}
	}
	tier, _ = quarantine.tier()
	if r := reported(t, tier, true); passes(r.Egress, "198.51.100.7") || pods(r.Flows()) || !passes(r.Ingress, "198.51.100.7") {
		t.Errorf("tier: %v", r.Flows())
	}
	admin, _ := quarantine.admin()
	if r := reported(t, admin, true); pods(r.Flows()) || !passes(r.Egress, "198.51.100.7") {
		t.Errorf("admin: %v", r.Flows())
	}
	allow := quarantine
	allow.allow, allow.namespaces = deny.deny, []string{"bank"}
	tier, _ = allow.tier()
	for name, o := range map[string]own{"tier": tier, "cilium": allow.cilium(), "plain": allow.plain()} {
		if r := reported(t, o, true); !passes(r.Egress, "192.0.2.7") || passes(r.Egress, "198.51.100.7") || !pods(r.Egress) || !pods(r.Ingress) {
			t.Errorf("%s: %v", name, r.Flows())
		}
	}
}

// pods says whether a pod is among what gets through.
func pods(flows []reach.Flow) bool {
	for _, f := range flows {
		if f.Peer.Kind == "pods" {
			return true
		}
	}
	return false
}
