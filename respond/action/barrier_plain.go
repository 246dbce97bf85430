package action

import (
	"context"
	"fmt"
	"slices"

	networkingv1 "k8s.io/api/networking/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
)

// plainPolicies are the NetworkPolicies that every cluster has. They can only
// allow: what one keeps out another may let in.
//
// https://kubernetes.io/docs/concepts/services-networking/network-policies/
var plainPolicies = Resource{networkingv1.GroupName, "v1", "networkpolicies"}

// plain renders the barrier as a policy that allows all the rest. Pods in
// quarantine are left out: they would be allowed the rest, too.
func (b barrier) plain() own {
	selector := object{"matchExpressions": []object{{"key": HoldKey, "operator": "DoesNotExist"}}}
	if len(b.pods) > 0 {
		selector["matchLabels"] = labelsOf(b.pods)
	}
	spec := object{"podSelector": selector}
	var types []string
	if b.ingress {
		types = append(types, "Ingress")
		if rules := b.plainRules("from"); len(rules) > 0 {
			spec["ingress"] = rules
		}
	}
	if b.egress {
		types = append(types, "Egress")
		if rules := b.plainRules("to"); len(rules) > 0 {
			spec["egress"] = rules
		}
	}
	spec["policyTypes"] = types
	return own{Resource: plainPolicies, Kind: "NetworkPolicy", Namespace: b.namespace, Part: "plain", Body: object{"spec": spec}}
}

func (b barrier) plainRules(side string) []object {
	var peers []object
	if !b.only {
		peers = append(peers, object{"namespaceSelector": object{}})
		for _, all := range everywhere() {
			block := object{"cidr": all}
			if but := within(all, b.deny); len(but) > 0 {
				block["except"] = but
			}
			peers = append(peers, object{"ipBlock": block})
		}
		return []object{{side: peers}}
	}
	for _, p := range b.allow {
		peers = append(peers, object{"ipBlock": object{"cidr": p.String()}})
	}
	if len(b.namespaces) > 0 {
		peers = append(peers, object{"namespaceSelector": nameSelector(b.namespaces...)})
	}
	var rules []object
	if len(peers) > 0 {
		rules = append(rules, object{side: peers})
	}
	if b.dns && side == "to" {
		rules = append(rules, object{
			side:    []object{{"namespaceSelector": nameSelector(dnsNamespace)}},
			"ports": []object{{"protocol": "UDP", "port": 53}, {"protocol": "TCP", "port": 53}},
		})
	}
	return rules
}

// binding is a NetworkPolicy of somebody else that selects pods of a barrier in
// one direction.
type binding struct {
	policy, side string
	// allows says that it has a rule in that direction, pods how many of the
	// barrier's it selects.
	allows bool
	pods   int
}

// bindings finds the policies that already say what the pods' traffic may be.
func (b barrier) bindings(ctx context.Context, c Cluster, mine string) ([]binding, error) {
	policies, err := c.NetworkPolicies(ctx, b.namespace)
	if err != nil {
		return nil, err
	}
	pods, err := c.Pods(ctx, b.namespace, labels.SelectorFromSet(b.pods).String())
	if err != nil {
		return nil, err
	}
	var out []binding
	for i := range policies {
		p := &policies[i]
		selector, err := metav1.LabelSelectorAsSelector(&p.Spec.PodSelector)
		if err != nil {
			return nil, fmt.Errorf("selector of network policy %s/%s: %w", p.Namespace, p.Name, err)
		}
		if p.Name == HoldPolicyName || p.Name == mine {
			continue
		}
		n := 0
		for j := range pods {
			if _, held := pods[j].Labels[HoldKey]; !held && selector.Matches(labels.Set(pods[j].Labels)) {
				n++
			}
		}
		for _, side := range b.sides() {
			if bound, allows := binds(p.Spec, side); bound && n > 0 {
				out = append(out, binding{p.Name, side, allows, n})
			}
		}
	}
	return out, nil
}

// binds says whether a policy is about a direction, and whether it allows
// something in it.
func binds(spec networkingv1.NetworkPolicySpec, side string) (bound, allows bool) {
	has := func(t networkingv1.PolicyType) bool { return slices.Contains(spec.PolicyTypes, t) }
	if side == directionIngress {
		return len(spec.PolicyTypes) == 0 || has(networkingv1.PolicyTypeIngress), len(spec.Ingress) > 0
	}
	return has(networkingv1.PolicyTypeEgress) || len(spec.PolicyTypes) == 0 && len(spec.Egress) > 0, len(spec.Egress) > 0
}

// widens says that a plain policy for the barrier would allow something: all but
// one that denies everything does.
func (b barrier) widens() bool {
	return !b.only || len(b.allow) > 0 || len(b.namespaces) > 0 || b.dns
}

func (x binding) String() string {
	return fmt.Sprintf("NetworkPolicy %s, which selects %d of the pods for %s", x.policy, x.pods, x.side)
}
