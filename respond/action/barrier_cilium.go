package action

// CiliumNetworkPolicy of Cilium 1.20. What it denies is denied whatever other
// policies allow.
//
// https://docs.cilium.io/en/stable/security/policy/deny/
var ciliumPolicies = Resource{"cilium.io", "v2", "ciliumnetworkpolicies"}

// ciliumNamespace is the label by which Cilium knows the namespace of a pod. A
// selector without it means the policy's own namespace.
const ciliumNamespace = "k8s:io.kubernetes.pod.namespace"

// cilium renders the barrier.
func (b barrier) cilium() own {
	spec := object{
		"description":      "made by Firebreak",
		"endpointSelector": object{},
		// A policy of denials alone would else deny all the rest, too.
		"enableDefaultDeny": object{"ingress": false, "egress": false},
	}
	if len(b.pods) > 0 {
		spec["endpointSelector"] = object{"matchLabels": labelsOf(b.pods)}
	}
	if b.egress {
		spec["egressDeny"] = b.ciliumRules("to")
	}
	if b.ingress {
		spec["ingressDeny"] = b.ciliumRules("from")
	}
	return own{Resource: ciliumPolicies, Kind: "CiliumNetworkPolicy", Namespace: b.namespace, Part: "cilium", Body: object{"spec": spec}}
}

func (b barrier) ciliumRules(side string) []object {
	if !b.only {
		return []object{{side + "CIDR": texts(b.deny)}}
	}
	var sets []object
	for _, all := range everywhere() {
		set := object{"cidr": all}
		if but := within(all, b.allow); len(but) > 0 {
			set["except"] = but
		}
		sets = append(sets, set)
	}
	// Pods are no addresses to Cilium, nor are nodes. The pod's own node is left
	// out: the kubelet asks from there whether it is alive.
	pods := object{"key": ciliumNamespace, "operator": "Exists"}
	if names := b.ciliumNamespaces(side); len(names) > 0 {
		pods = object{"key": ciliumNamespace, "operator": "NotIn", "values": names}
	}
	entities := []string{"remote-node", "unmanaged"}
	if b.cutProbes && side == "from" {
		entities = append(entities, "host")
	}
	return []object{
		{side + "CIDRSet": sets},
		{side + "Endpoints": []object{{"matchExpressions": []object{pods}}}},
		{side + "Entities": entities},
	}
}

// ciliumNamespaces are those that may pass. A denial knows no exception of a
// port, so names are looked up by letting the whole namespace pass.
func (b barrier) ciliumNamespaces(side string) []string {
	if b.dns && side == "to" {
		return append([]string{dnsNamespace}, b.namespaces...)
	}
	return b.namespaces
}
