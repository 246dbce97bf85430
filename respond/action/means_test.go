package action

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"

	networkingv1 "k8s.io/api/networking/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/firebreak-io/firebreak/internal/event"
)

// having is a cluster that serves some resources, by plural name and group.
type having struct {
	*fake
	kinds []string
}

func (h having) Serves(_ context.Context, group, _, resource string) (bool, error) {
	return slices.Contains(h.kinds, resource+"."+group), nil
}

const (
	hasTiers  = "clusternetworkpolicies.policy.networking.k8s.io"
	hasAdmin  = "adminnetworkpolicies.policy.networking.k8s.io"
	hasCilium = "ciliumnetworkpolicies.cilium.io"
	hasCalico = "networkpolicies.projectcalico.org"
)

func mustPrefixes(t *testing.T, texts ...string) barrier {
	t.Helper()
	deny, err := prefixes(texts)
	if err != nil {
		t.Fatal(err)
	}
	return barrier{namespace: ns, deny: deny, ingress: true, egress: true}
}

func TestBestMeans(t *testing.T) {
	deny := mustPrefixes(t, "192.0.2.7")
	quarantine := barrier{namespace: ns, only: true, ingress: true, egress: true}
	tests := map[string]struct {
		b    barrier
		have []string
		want string
		open int
	}{
		"nothing but plain":             {deny, nil, "NetworkPolicy", 0},
		"a tier, egress":                {deny.toward("egress"), []string{hasTiers, hasCilium}, "ClusterNetworkPolicy", 0},
		"a tier, ingress":               {deny.toward("ingress"), []string{hasTiers}, "NetworkPolicy", 0},
		"a tier, both":                  {deny, []string{hasTiers}, "ClusterNetworkPolicy NetworkPolicy", 0},
		"a tier and Cilium, both":       {deny, []string{hasTiers, hasCilium}, "CiliumNetworkPolicy", 0},
		"Calico without the tier":       {deny, []string{hasCalico}, "NetworkPolicy", 0},
		"admin policies know no CIDR":   {deny, []string{hasAdmin}, "NetworkPolicy", 0},
		"quarantine, plain":             {quarantine, nil, "NetworkPolicy", 0},
		"quarantine, a tier":            {quarantine, []string{hasTiers}, "ClusterNetworkPolicy NetworkPolicy", 0},
		"quarantine, admin policies":    {quarantine, []string{hasAdmin}, "AdminNetworkPolicy NetworkPolicy", 0},
		"quarantine, Cilium and others": {quarantine, []string{hasAdmin, hasCilium}, "CiliumNetworkPolicy", 0},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			w, err := tt.b.build(t.Context(), having{newFake(), tt.have}, meansAuto, "run1/s")
			if err != nil {
				t.Fatal(err)
			}
			var kinds []string
			for _, o := range w.objects {
				kinds = append(kinds, o.Kind)
			}
			if got := strings.Join(kinds, " "); got != tt.want || len(w.open) != tt.open {
				t.Errorf("%s, want %s; open %q", got, tt.want, w.open)
			}
		})
	}
}

// Calico's own tier makes the difference.
func TestCalicoTier(t *testing.T) {
	f := newFake()
	f.put(t, calicoTiers.Resource, object{"apiVersion": "projectcalico.org/v3", "kind": "Tier", "metadata": object{"name": calicoTier}})
	w, err := mustPrefixes(t, "192.0.2.7").build(t.Context(), having{f, []string{hasCalico}}, meansAuto, "run1/s")
	if err != nil || len(w.objects) != 1 || w.objects[0].Resource != calicoPolicies {
		t.Fatal(w, err)
	}
}

// A means that is asked for by name and is not there is no reason to take
// another.
func TestMeansByName(t *testing.T) {
	for _, by := range []string{meansTier, meansAdmin, meansCilium, meansCalico} {
		if _, err := mustPrefixes(t, "192.0.2.7").build(t.Context(), having{newFake(), nil}, by, "run1/s"); !errors.Is(err, ErrRefused) {
			t.Errorf("%s: %v", by, err)
		}
	}
	// What it can't do at all is refused, what it can do in part is said.
	have := []string{hasTiers, hasAdmin, hasCilium}
	if _, err := mustPrefixes(t, "192.0.2.7").build(t.Context(), having{newFake(), have}, meansAdmin, "run1/s"); !errors.Is(err, ErrRefused) {
		t.Error(err)
	}
	w, err := mustPrefixes(t, "192.0.2.7").build(t.Context(), having{newFake(), have}, meansTier, "run1/s")
	if err != nil || len(w.objects) != 1 || len(w.open) != 1 || !strings.Contains(w.open[0], "ingress") {
		t.Error(w, err)
	}
}

// Next to another policy a plain one would allow more than is allowed.
func TestPlainNeverWidens(t *testing.T) {
	f := newFake()
	f.put(t, "pods", pod("web-1", map[string]string{"app": "web"}))
	f.put(t, "networkpolicies", policy("others", metav1.LabelSelector{MatchLabels: map[string]string{"app": "web"}})) // ingress
	c := having{f, nil}
	if _, err := mustPrefixes(t, "192.0.2.7").toward("ingress").build(t.Context(), c, meansAuto, "run1/s"); !errors.Is(err, ErrRefused) || !strings.Contains(err.Error(), "NetworkPolicy others") {
		t.Error(err)
	}
	w, err := mustPrefixes(t, "192.0.2.7").build(t.Context(), c, meansAuto, "run1/s")
	if err != nil || len(w.open) != 1 || len(w.objects) != 1 {
		t.Fatal(w, err)
	}
	if types := w.objects[0].Body["spec"].(object)["policyTypes"].([]string); !slices.Equal(types, []string{"Egress"}) {
		t.Error("a policy for", types)
	}
	// One that allows nothing does no harm, and leaks.
	quarantine := barrier{namespace: ns, only: true, ingress: true, egress: true}
	w, err = quarantine.build(t.Context(), c, meansAuto, "run1/s")
	if err != nil || len(w.objects) != 1 || len(w.open) != 1 || !strings.Contains(w.open[0], "ingress leaks through NetworkPolicy others") {
		t.Error(w, err)
	}
	// Pods that are not meant don't count, nor do those in quarantine.
	quarantine.pods = map[string]string{"app": "other"}
	if w, err = quarantine.build(t.Context(), c, meansAuto, "run1/s"); err != nil || len(w.open) > 0 {
		t.Error(w, err)
	}
}

func TestBinds(t *testing.T) {
	in, out := networkingv1.PolicyTypeIngress, networkingv1.PolicyTypeEgress
	tests := map[string]struct {
		spec                       networkingv1.NetworkPolicySpec
		ingress, egress, in1, out1 bool
	}{
		"no types":             {networkingv1.NetworkPolicySpec{}, true, false, false, false},
		"no types, an egress":  {networkingv1.NetworkPolicySpec{Egress: make([]networkingv1.NetworkPolicyEgressRule, 1)}, true, true, false, true},
		"ingress alone":        {networkingv1.NetworkPolicySpec{PolicyTypes: []networkingv1.PolicyType{in}}, true, false, false, false},
		"both, an empty rule":  {networkingv1.NetworkPolicySpec{PolicyTypes: []networkingv1.PolicyType{in, out}, Ingress: make([]networkingv1.NetworkPolicyIngressRule, 1)}, true, true, true, false},
		"rules of another way": {networkingv1.NetworkPolicySpec{PolicyTypes: []networkingv1.PolicyType{in}, Egress: make([]networkingv1.NetworkPolicyEgressRule, 1)}, true, false, false, true},
	}
	for name, tt := range tests {
		bi, ai := binds(tt.spec, directionIngress)
		be, ae := binds(tt.spec, directionEgress)
		if bi != tt.ingress || be != tt.egress || ai != tt.in1 || be && ae != tt.out1 {
			t.Errorf("%s: %v %v %v %v", name, bi, be, ai, ae)
		}
	}
}

func TestDenyConfig(t *testing.T) {
	for _, addresses := range [][]string{
		nil, {""}, {"x"}, {"0.0.0.0/0"}, {"10.0.0.0/7"}, {"::/0"}, {"2001::/15"}, {"127.0.0.1"}, {"224.0.0.1"}, {"0.0.0.0"},
		{"169.254.1.1"}, {"10.1.2.3/8"}, {"fe80::1%eth0"}, {"::ffff:10.0.0.0/104"}, slices.Repeat([]string{"192.0.2.1"}, maxPrefixes+1),
	} {
		if _, err := newDenyAction(&DenyConfig{Scope: newScope(), Addresses: addresses}); err == nil {
			t.Errorf("accepts %v", addresses)
		}
	}
	for _, change := range []func(*Scope){
		func(s *Scope) { s.Direction = "up" }, func(s *Scope) { s.By = "iptables" }, func(s *Scope) { s.Pods = map[string]string{"a b": ""} },
	} {
		s := newScope()
		change(&s)
		if _, err := newDenyAction(&DenyConfig{Scope: s, Addresses: []string{"192.0.2.7"}}); err == nil {
			t.Errorf("accepts %+v", s)
		}
	}
	if _, err := newDenyAction(&DenyConfig{Scope: newScope(), Addresses: []string{"169.254.169.254", "::ffff:192.0.2.7"}}); err != nil {
		t.Error(err)
	}
}

func newDenyAction(c *DenyConfig) (Action, error) {
	k, _ := Lookup(networkDeny)
	return k.New(Deps{Cluster: Offline{}, Offline: true}, c)
}

func namespaceRequest(key, uid string) Request {
	return Request{Key: key, Target: event.Ref{Resource: "namespaces", Name: ns, UID: uid}, Now: noon, Until: noon}
}

// From the plan to the end, with a policy that somebody adds meanwhile.
func TestDenyAndBack(t *testing.T) {
	f := newFake()
	uid := f.put(t, "namespaces", object{"apiVersion": "v1", "kind": "Namespace", "metadata": object{"name": ns}})
	f.put(t, "pods", pod("web-1", map[string]string{"app": "web"}))
	a := build(t, networkDeny, Deps{Cluster: having{f, nil}}, &DenyConfig{Scope: newScope(), Addresses: []string{"192.0.2.0/24"}})
	r := namespaceRequest("run1/deny", uid)
	p, done := must(t, a, r)
	seen, err := a.(Verifier).Verify(t.Context(), r, p, done)
	if err != nil || seen.Result != event.ResultUnverified {
		t.Error(seen, err)
	}
	f.put(t, "networkpolicies", policy("others", metav1.LabelSelector{}))
	if seen, err = a.(Verifier).Verify(t.Context(), r, p, done); err != nil || seen.Result != event.ResultPartial {
		t.Error(seen, err)
	}
	if _, err := a.Undo(t.Context(), r, done, ""); err != nil {
		t.Fatal(err)
	}
	left, _ := f.NetworkPolicies(t.Context(), ns)
	if len(left) != 1 || left[0].Name != "others" {
		t.Error(left)
	}
	r.Target.UID = "other"
	if _, err := a.Plan(t.Context(), r); !errors.Is(err, ErrGone) {
		t.Error(err)
	}
}
