package action

import (
	"fmt"
	"maps"
	"slices"
	"strings"
)

// NetworkPolicy of Calico, in a tier of its own. A tier that none of whose
// rules match a packet drops it, so the last rule passes the rest on to the
// tiers behind.
//
// https://docs.tigera.io/calico/latest/reference/resources/networkpolicy
var (
	calicoPolicies = Resource{"projectcalico.org", "v3", "networkpolicies"}
	calicoTiers    = Resource{"projectcalico.org", "v3", "tiers"}
)

// calicoTier is the tier that people make once, before all others; see the
// package's README.
const calicoTier = "firebreak"

// calico renders the barrier.
func (b barrier) calico() own {
	spec := object{"tier": calicoTier, "order": 1, "selector": calicoSelector(b.pods)}
	var types []string
	if b.ingress {
		types, spec["ingress"] = append(types, "Ingress"), b.calicoRules("source")
	}
	if b.egress {
		types, spec["egress"] = append(types, "Egress"), b.calicoRules("destination")
	}
	spec["types"] = types
	return own{Resource: calicoPolicies, Kind: "NetworkPolicy", Namespace: b.namespace, Part: "calico", Body: object{"spec": spec}}
}

func (b barrier) calicoRules(peer string) []object {
	rule := func(action string, of object) object { return object{"action": action, peer: of} }
	if !b.only {
		return []object{rule("Deny", object{"nets": texts(b.deny)}), {"action": "Pass"}}
	}
	var rules []object
	if len(b.allow) > 0 {
		rules = append(rules, rule("Pass", object{"nets": texts(b.allow)}))
	}
	if len(b.namespaces) > 0 {
		rules = append(rules, rule("Pass", object{"namespaceSelector": "projectcalico.org/name in " + calicoSet(b.namespaces)}))
	}
	if b.dns && peer == "destination" {
		for _, protocol := range []string{"UDP", "TCP"} {
			dns := rule("Pass", object{"namespaceSelector": "projectcalico.org/name in " + calicoSet([]string{dnsNamespace}), "ports": []int{53}})
			dns["protocol"] = protocol
			rules = append(rules, dns)
		}
	}
	return append(rules, object{"action": "Deny"})
}

// calicoSelector is a selector in Calico's own language. Keys and values of
// labels hold nothing that would have to be escaped.
func calicoSelector(labels map[string]string) string {
	if len(labels) == 0 {
		return "all()"
	}
	var all []string
	for _, k := range slices.Sorted(maps.Keys(labels)) {
		all = append(all, fmt.Sprintf("%s == '%s'", k, labels[k]))
	}
	return strings.Join(all, " && ")
}

func calicoSet(names []string) string { return "{'" + strings.Join(names, "', '") + "'}" }
