package action

import (
	"encoding/json"
	"net/netip"
	"slices"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/firebreak-io/firebreak/internal/event"
	"github.com/firebreak-io/firebreak/internal/kube/reach"
)

// seenBy is what the evaluation of a state says of a barrier in it.
func seenBy(t *testing.T, b barrier, s reach.State) outlook {
	t.Helper()
	out, err := b.judge(s)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// beside is a state with the objects of a barrier and with other policies.
func beside(t *testing.T, objects []own, others ...networkingv1.NetworkPolicy) reach.State {
	t.Helper()
	place := func(namespace, name, ip string) corev1.Pod {
		p := corev1.Pod{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: name, Labels: map[string]string{"app": name}}}
		p.Spec.NodeName, p.Status.PodIP, p.Status.Phase = "n1", ip, corev1.PodRunning
		p.Status.PodIPs = []corev1.PodIP{{IP: ip}}
		return p
	}
	s := reach.State{Pods: []corev1.Pod{place(ns, "web", "10.244.0.1"), place(ns, "db", "10.244.0.3"), place("bank", "till", "10.244.0.2"), place("kube-system", "dns", "10.244.0.4")}}
	for _, name := range []string{ns, "bank", "kube-system"} {
		s.Namespaces = append(s.Namespaces, corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: name, Labels: map[string]string{"kubernetes.io/metadata.name": name}}})
	}
	s.NetworkPolicies = others
	if slices.ContainsFunc(objects, func(o own) bool { return o.Resource == calicoPolicies }) {
		s.Objects = append(s.Objects, reach.Object{
			Group: calicoTiers.Group, Version: calicoTiers.Version, Kind: "Tier", Name: calicoTier,
			Body: []byte(`{"apiVersion":"projectcalico.org/v3","kind":"Tier","metadata":{"name":"` + calicoTier + `"},"spec":{"order":1}}`),
		})
	}
	for _, o := range objects {
		w, err := o.write(networkDeny, Request{Key: "run1/s", Target: event.Ref{UID: "u"}, Now: noon, Until: noon})
		if err != nil {
			t.Fatal(err)
		}
		if o.Resource == plainPolicies {
			var p networkingv1.NetworkPolicy
			if err := json.Unmarshal(w.Body, &p); err != nil {
				t.Fatal(err)
			}
			s.NetworkPolicies = append(s.NetworkPolicies, p)
			continue
		}
		s.Objects = append(s.Objects, reach.Object{Group: o.Group, Version: o.Version, Kind: o.Kind, Namespace: o.Namespace, Name: w.Name, Body: w.Body})
	}
	return s
}

// opening is a policy that lets the pods of one app reach, and be reached by,
// what the peers say; none is everybody.
func opening(app string, peers ...networkingv1.NetworkPolicyPeer) networkingv1.NetworkPolicy {
	return networkingv1.NetworkPolicy{
		ObjectMeta: metav1.ObjectMeta{Namespace: ns, Name: "opening"},
		Spec: networkingv1.NetworkPolicySpec{
			PodSelector: metav1.LabelSelector{MatchLabels: map[string]string{"app": app}},
			PolicyTypes: []networkingv1.PolicyType{networkingv1.PolicyTypeIngress, networkingv1.PolicyTypeEgress},
			Ingress:     []networkingv1.NetworkPolicyIngressRule{{From: peers}}, Egress: []networkingv1.NetworkPolicyEgressRule{{To: peers}},
		},
	}
}

// TestBarriersEvaluated: each means holds alone, and what another policy lets
// through beside it is named with pod, peer, ports and policy.
func TestBarriersEvaluated(t *testing.T) {
	cut := barrier{namespace: ns, only: true, ingress: true, egress: true}
	deny := mustPrefixes(t, "192.0.2.0/24")
	deny.namespace = ns
	allow := cut
	allow.allow, allow.namespaces, allow.dns = []netip.Prefix{netip.MustParsePrefix("192.0.2.0/24")}, []string{"bank"}, true
	cutTier, _ := cut.tier()
	cutAdmin, _ := cut.admin()
	denyTier, _ := deny.toward(directionEgress).tier()
	everybody := opening("web")
	evil := opening("web", networkingv1.NetworkPolicyPeer{IPBlock: &networkingv1.IPBlock{CIDR: "192.0.2.7/32"}})
	for name, c := range map[string]struct {
		b      barrier
		o      []own
		others []networkingv1.NetworkPolicy
		leaks  []string // parts of what is named; none is that it holds
	}{
		"quarantine, plain":                   {cut, []own{cut.plain()}, nil, nil},
		"quarantine, plain, nothing made":     {cut, nil, nil, []string{"no policy forbids it"}},
		"quarantine, plain, beside allow-all": {cut, []own{cut.plain()}, []networkingv1.NetworkPolicy{everybody}, []string{"pod web to ", "all ports: NetworkPolicy shop/opening allows it", "pod web from "}},
		"quarantine, cilium, beside":          {cut, []own{cut.cilium()}, []networkingv1.NetworkPolicy{everybody}, nil},
		"quarantine, tier, beside":            {cut, []own{cutTier}, []networkingv1.NetworkPolicy{everybody}, []string{"pod web from "}},
		"quarantine, admin":                   {cut, []own{cutAdmin}, nil, []string{"pod web to 0.0.0.0/0"}},
		"deny, plain":                         {deny, []own{deny.plain()}, nil, nil},
		"deny, plain, beside":                 {deny, []own{deny.plain()}, []networkingv1.NetworkPolicy{evil}, []string{"to 192.0.2.7/32 on all ports: NetworkPolicy shop/opening allows it"}},
		"deny, cilium, beside":                {deny, []own{deny.cilium()}, []networkingv1.NetworkPolicy{evil}, nil},
		"deny, tier, egress":                  {deny.toward(directionEgress), []own{denyTier}, []networkingv1.NetworkPolicy{evil}, nil},
		"deny, tier, both":                    {deny, []own{denyTier}, nil, []string{"from 192.0.2.0/24"}},
		"quarantine, calico":                  {cut, []own{cut.calico()}, nil, nil},
		"quarantine, calico, beside":          {cut, []own{cut.calico()}, []networkingv1.NetworkPolicy{everybody}, nil},
		"quarantine, calico, one way":         {cut, []own{cut.toward(directionEgress).calico()}, []networkingv1.NetworkPolicy{everybody}, []string{"pod web from "}},
		"deny, calico, beside":                {deny, []own{deny.calico()}, []networkingv1.NetworkPolicy{evil, everybody}, nil},
		"allow, calico":                       {allow, []own{allow.calico()}, nil, nil},
		"allow, calico, beside":               {allow, []own{allow.calico()}, []networkingv1.NetworkPolicy{everybody}, nil},
		"allow, plain":                        {allow, []own{allow.plain()}, nil, nil},
		"allow, plain, beside":                {allow, []own{allow.plain()}, []networkingv1.NetworkPolicy{everybody}, []string{"pod web to "}},
	} {
		got := seenBy(t, c.b, beside(t, c.o, c.others...))
		if got.pods != 2 || len(got.doubts) > 0 {
			t.Errorf("%s: %+v", name, got)
		}
		all := strings.Join(got.leaks, "\n")
		if len(c.leaks) == 0 && all != "" {
			t.Errorf("%s leaks:\n%s", name, all)
		}
		for _, part := range c.leaks {
			if !strings.Contains(all, part) {
				t.Errorf("%s: not named: %q, in\n%s", name, part, all)
			}
		}
		want := event.ResultUnverified
		if len(c.leaks) > 0 {
			want = event.ResultPartial
		}
		if result, notes := got.result(Deps{}); result != want {
			t.Errorf("%s is %s: %v", name, result, notes)
		}
	}
}

// TestOutlookSays: what can't be known is said, and only a drill makes it more.
func TestOutlookSays(t *testing.T) {
	held := outlook{pods: 1}
	for _, c := range []struct {
		o     outlook
		drill *works
		want  event.Result
	}{
		{held, nil, event.ResultUnverified},
		{held, &works{true, true}, event.ResultEnforced},
		{held, &works{false, true}, event.ResultVoid},
		{held, &works{false, false}, event.ResultUnverified},
		{outlook{}, &works{true, true}, event.ResultUnverified},
		{outlook{pods: 1, doubts: []string{"x"}}, &works{true, true}, event.ResultUnverified},
		{outlook{pods: 1, leaks: []string{"x"}}, &works{true, true}, event.ResultPartial},
	} {
		d := Deps{}
		if c.drill != nil {
			d.Drill = c.drill
		}
		if got, notes := c.o.result(d); got != c.want || len(notes) == 0 {
			t.Errorf("%+v with %v is %s: %v", c.o, c.drill, got, notes)
		}
	}
}

type works struct{ well, known bool }

func (w *works) Works() (bool, bool, string) { return w.well, w.known, "a drill" }
