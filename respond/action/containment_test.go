package action

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	networkingv1 "k8s.io/api/networking/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/firebreak-io/firebreak/internal/event"
	"github.com/firebreak-io/firebreak/internal/kube"
)

func verified(t *testing.T, a Action, r Request, p event.Plan, done event.Receipt) event.Receipt {
	t.Helper()
	seen, err := a.(Verifier).Verify(t.Context(), r, p, done)
	if err != nil {
		t.Fatal(err)
	}
	return seen
}

func has(notes []string, part string) bool {
	return slices.ContainsFunc(notes, func(n string) bool { return strings.Contains(n, part) })
}

func TestQuarantineHolds(t *testing.T) {
	f, q, r := shop(t)
	f.put(t, "networkpolicies", policy("web", metav1.LabelSelector{MatchLabels: map[string]string{"app": "web"}}))
	p, done := must(t, q, r)
	seen := verified(t, q, r, p, done)
	if len(p.Writes) != 2 || !has(p.Notes, "held: by all policies") || !has(seen.Notes, "held: by all policies") || seen.Result != event.ResultUnverified {
		t.Errorf("%q\n%+v", p.Notes, seen)
	}
}

// Without a deny tier a policy that selects every pod leaks, and is named with
// peer and ports, in the plan and by Verify.
func TestQuarantineSaysWhatLeaks(t *testing.T) {
	f, q, r := shop(t)
	f.bare = true
	f.put(t, "networkpolicies", policy("allow-all", metav1.LabelSelector{}))
	p, done := must(t, q, r)
	seen := verified(t, q, r, p, done)
	const want = "leaks: from 0.0.0.0/0, ::/0 on all ports: NetworkPolicy shop/allow-all allows it"
	if len(p.Writes) != 2 || !has(p.Notes, want) || !has(seen.Notes, want) || seen.Result != event.ResultPartial {
		t.Errorf("%q\n%+v", p.Notes, seen)
	}
}

// Where the cluster has a deny tier, it is used when NetworkPolicy alone would
// leak, and goes with the last hold.
func TestQuarantineByDenyTier(t *testing.T) {
	f, q, r := shop(t)
	f.put(t, "networkpolicies", policy("allow-all", metav1.LabelSelector{}))
	p, done := must(t, q, r)
	if len(p.Writes) != 3 || p.Writes[1].Resource != "ciliumnetworkpolicies" || p.Writes[1].Name != HoldPolicyName {
		t.Fatalf("%+v", p.Writes)
	}
	if seen := verified(t, q, r, p, done); seen.Result != event.ResultUnverified || !has(seen.Notes, "held: by all policies") {
		t.Errorf("%+v", seen)
	}
	again, err := q.Plan(t.Context(), r)
	if err != nil || digest(t, p) != digest(t, again) {
		t.Errorf("the digest changed once the effect had landed: %v", err)
	}
	if _, err := q.Do(t.Context(), r, p); err != nil {
		t.Error("Do again:", err)
	}
	// Somebody takes the tier away: Verify sees it.
	tier := f.objects[at("ciliumnetworkpolicies", ns, HoldPolicyName)]
	delete(f.objects, at("ciliumnetworkpolicies", ns, HoldPolicyName))
	if seen := verified(t, q, r, p, done); seen.Result != event.ResultPartial || !has(seen.Notes, "NetworkPolicy shop/allow-all allows it") {
		t.Errorf("%+v", seen)
	}
	f.objects[at("ciliumnetworkpolicies", ns, HoldPolicyName)] = tier
	if _, err := q.Undo(t.Context(), r, done, event.AtEndRestore); err != nil {
		t.Fatal(err)
	}
	if _, there := f.objects[at("ciliumnetworkpolicies", ns, HoldPolicyName)]; there {
		t.Error("the deny tier is left over")
	}
}

// Whether a deny tier is used goes by what policies could let through, not by who
// runs just now: peers may come after the look, and a plan made again is the same.
func TestQuarantineTierGoesByPoliciesNotByPeers(t *testing.T) {
	pods := networkingv1.NetworkPolicyPeer{PodSelector: &metav1.LabelSelector{MatchLabels: map[string]string{"app": "peer"}}}
	byPods := networkingv1.NetworkPolicySpec{
		PolicyTypes: []networkingv1.PolicyType{"Ingress", "Egress"},
		Ingress:     []networkingv1.NetworkPolicyIngressRule{{From: []networkingv1.NetworkPolicyPeer{pods}}},
	}
	for name, spec := range map[string]networkingv1.NetworkPolicySpec{
		"everybody": {
			PolicyTypes: []networkingv1.PolicyType{"Ingress", "Egress"},
			Ingress:     []networkingv1.NetworkPolicyIngressRule{{}}, Egress: []networkingv1.NetworkPolicyEgressRule{{}},
		},
		"pods by label": byPods,
	} {
		for _, kind := range []string{"clusternetworkpolicies", "adminnetworkpolicies", "ciliumnetworkpolicies", "tiers"} {
			t.Run(name+"/"+kind, func(t *testing.T) {
				f, q, r := shop(t)
				f.kinds = []string{kind}
				f.put(t, "networkpolicies", networkingv1.NetworkPolicy{ObjectMeta: metav1.ObjectMeta{Name: "open", Namespace: ns}, Spec: spec})
				alone, err := q.Plan(t.Context(), r)
				if err != nil {
					t.Fatal(err)
				}
				f.put(t, "pods", pod("peer", map[string]string{"app": "peer"}))
				among, err := q.Plan(t.Context(), r)
				if err != nil {
					t.Fatal(err)
				}
				if len(alone.Writes) < 3 || alone.Writes[1].Resource != kind || digest(t, alone) != digest(t, among) {
					t.Errorf("alone %d writes, among peers %d: %q", len(alone.Writes), len(among.Writes), alone.Notes)
				}
			})
		}
	}
}

func TestQuarantineWithoutTheRightToADenyTier(t *testing.T) {
	f, q, r := shop(t)
	f.put(t, "networkpolicies", policy("allow-all", metav1.LabelSelector{}))
	f.before = func(w event.Write) error {
		if w.Resource == "ciliumnetworkpolicies" {
			return fmt.Errorf("create %s: %w", w.Resource, kube.ErrForbidden)
		}
		return nil
	}
	p, done := must(t, q, r)
	if !has(done.Notes, "the deny tier could not be made") {
		t.Errorf("%q", done.Notes)
	}
	if seen := verified(t, q, r, p, done); seen.Result != event.ResultPartial {
		t.Errorf("%+v", seen)
	}
}

func TestQuarantineTakesNoOtherTier(t *testing.T) {
	f, q, r := shop(t)
	f.put(t, "networkpolicies", policy("allow-all", metav1.LabelSelector{}))
	p, err := q.Plan(t.Context(), r)
	if err != nil {
		t.Fatal(err)
	}
	p.Writes[1].Body = []byte(strings.Replace(string(p.Writes[1].Body), `"operator":"Exists"`, `"operator":"DoesNotExist"`, 1))
	if _, err := q.Do(t.Context(), r, p); err == nil || !strings.Contains(err.Error(), "another object") {
		t.Error(err)
	}
}
