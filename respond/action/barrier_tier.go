package action

// ClusterNetworkPolicy of network-policy-api v0.2.0. Its Admin tier is asked
// before any NetworkPolicy, so that a Deny holds whatever those allow.
//
// https://network-policy-api.sigs.k8s.io/reference/spec/
var clusterPolicies = Resource{"policy.networking.k8s.io", "v1alpha2", "clusternetworkpolicies"}

// tierPriority is asked before all others of the tier.
const tierPriority = 0

// maxTierPeers is how many addresses one peer has, and peers one rule.
const maxTierPeers = 25

// tier renders the barrier. Addresses stand in egress alone: of ingress it
// knows the cluster's own pods and nobody else.
func (b barrier) tier() (own, bool) {
	if b.ingress && !b.only {
		return own{}, false
	}
	spec := object{"tier": "Admin", "priority": tierPriority, "subject": b.tierSubject()}
	if b.egress {
		spec["egress"] = b.tierEgress()
	}
	if b.ingress {
		spec["ingress"] = b.tierIngress()
	}
	return own{Resource: clusterPolicies, Kind: "ClusterNetworkPolicy", Part: "tier", Body: object{"spec": spec}}, true
}

func (b barrier) tierSubject() object {
	if len(b.pods) == 0 {
		return object{"namespaces": nameSelector(b.namespace)}
	}
	return object{"pods": object{"namespaceSelector": nameSelector(b.namespace), "podSelector": object{"matchLabels": labelsOf(b.pods)}}}
}

func (b barrier) tierEgress() []object {
	if !b.only {
		return []object{{"name": "firebreak", "action": "Deny", "to": tierNetworks(texts(b.deny))}}
	}
	// Pass and not Accept: what a NetworkPolicy denies stays denied.
	var rules []object
	if len(b.namespaces) > 0 {
		rules = append(rules, object{"name": "namespaces", "action": "Pass", "to": []object{{"namespaces": nameSelector(b.namespaces...)}}})
	}
	if len(b.allow) > 0 {
		rules = append(rules, object{"name": "addresses", "action": "Pass", "to": tierNetworks(texts(b.allow))})
	}
	if b.dns {
		port := object{"destinationPort": object{"number": 53}}
		rules = append(rules, object{
			"name": "dns", "action": "Pass", "to": []object{{"namespaces": nameSelector(dnsNamespace)}},
			"protocols": []object{{"udp": port}, {"tcp": port}},
		})
	}
	return append(rules, object{"name": "firebreak", "action": "Deny", "to": append([]object{{"namespaces": object{}}}, tierNetworks(everywhere())...)})
}

func (b barrier) tierIngress() []object {
	var rules []object
	if len(b.namespaces) > 0 {
		rules = append(rules, object{"name": "namespaces", "action": "Pass", "from": []object{{"namespaces": nameSelector(b.namespaces...)}}})
	}
	return append(rules, object{"name": "firebreak", "action": "Deny", "from": []object{{"namespaces": object{}}}})
}

func tierNetworks(list []string) []object {
	var peers []object
	for _, some := range chunks(list, maxTierPeers) {
		peers = append(peers, object{"networks": some})
	}
	return peers
}

// AdminNetworkPolicy of network-policy-api v0.1.1, from which ClusterNetworkPolicy
// came. It knows no addresses.
//
// https://network-policy-api.sigs.k8s.io/reference/spec/
var adminPolicies = Resource{"policy.networking.k8s.io", "v1alpha1", "adminnetworkpolicies"}

// admin renders what the barrier keeps from the cluster's own pods.
func (b barrier) admin() (own, bool) {
	if !b.only {
		return own{}, false
	}
	// v0.1.1 has its selector of namespaces one step deeper in peers.
	of := func(selector object) object { return object{"namespaces": object{"namespaceSelector": selector}} }
	rules := func(side string) []object {
		var rules []object
		if len(b.namespaces) > 0 {
			rules = append(rules, object{"name": "namespaces", "action": "Pass", side: []object{of(nameSelector(b.namespaces...))}})
		}
		if b.dns && side == "to" {
			rules = append(rules, object{
				"name": "dns", "action": "Pass", side: []object{of(nameSelector(dnsNamespace))},
				"ports": []object{{"portNumber": object{"protocol": "UDP", "port": 53}}, {"portNumber": object{"protocol": "TCP", "port": 53}}},
			})
		}
		return append(rules, object{"name": "firebreak", "action": "Deny", side: []object{of(object{})}})
	}
	spec := object{"priority": tierPriority, "subject": b.tierSubject()}
	if b.egress {
		spec["egress"] = rules("to")
	}
	if b.ingress {
		spec["ingress"] = rules("from")
	}
	return own{Resource: adminPolicies, Kind: "AdminNetworkPolicy", Part: "tier", Body: object{"spec": spec}}, true
}
