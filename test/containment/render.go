package containment

import metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

type object = map[string]any

// spec writes a policy as its kind has it.
func (a AdminPolicy) spec() object {
	s := object{"subject": object{"namespaces": a.SubjectNamespaces}}
	if a.SubjectPods != nil {
		s["subject"] = object{"pods": object{"namespaceSelector": a.SubjectNamespaces, "podSelector": a.SubjectPods}}
	}
	if a.Kind != "BaselineAdminNetworkPolicy" {
		s["priority"] = a.Priority
	}
	if a.Kind == "ClusterNetworkPolicy" {
		s["tier"] = map[bool]string{false: "Admin", true: "Baseline"}[a.Baseline]
	}
	s["ingress"], s["egress"] = a.rules(a.Ingress, "from"), a.rules(a.Egress, "to")
	return s
}

func (a AdminPolicy) rules(rules []AdminRule, way string) []object {
	out := []object{}
	for _, r := range rules {
		x := object{"action": r.Action}
		if a.Kind == "ClusterNetworkPolicy" && r.Action == "Allow" {
			x["action"] = "Accept"
		}
		var peers []object
		for _, p := range r.Peers {
			peers = append(peers, a.peer(p))
		}
		x[way] = peers
		if len(r.Ports) > 0 {
			key := map[bool]string{true: "protocols", false: "ports"}[a.Kind == "ClusterNetworkPolicy"]
			var list []object
			for _, p := range r.Ports {
				list = append(list, a.port(p))
			}
			x[key] = list
		}
		out = append(out, x)
	}
	return out
}

func (a AdminPolicy) peer(p AdminPeer) object {
	switch {
	case p.Networks != nil:
		return object{"networks": p.Networks}
	case p.Nodes != nil:
		return object{"nodes": p.Nodes}
	case a.Kind == "ClusterNetworkPolicy" && p.Pods == nil:
		return object{"namespaces": p.Namespaces}
	case a.Kind == "ClusterNetworkPolicy":
		return object{"pods": object{"namespaceSelector": p.Namespaces, "podSelector": p.Pods}}
	}
	spaces := object{"namespaceSelector": p.Namespaces}
	if p.Same != nil {
		spaces = object{"sameLabels": p.Same}
	}
	if p.NotSame != nil {
		spaces = object{"notSameLabels": p.NotSame}
	}
	if p.Pods == nil {
		return object{"namespaces": spaces}
	}
	return object{"pods": object{"namespaces": spaces, "podSelector": p.Pods}}
}

func (a AdminPolicy) port(p AdminPort) object {
	if a.Kind != "ClusterNetworkPolicy" {
		switch {
		case p.Name != "":
			return object{"namedPort": p.Name}
		case p.To > p.From:
			return object{"portRange": object{"protocol": p.Protocol, "start": p.From, "end": p.To}}
		}
		return object{"portNumber": object{"protocol": p.Protocol, "port": p.From}}
	}
	key := map[string]string{"TCP": "tcp", "UDP": "udp", "SCTP": "sctp"}[p.Protocol]
	switch {
	case p.Name != "":
		return object{"destinationNamedPort": p.Name}
	case p.Whole:
		return object{key: object{}}
	case p.To > p.From:
		return object{key: object{"destinationPort": object{"range": object{"start": p.From, "end": p.To}}}}
	}
	return object{key: object{"destinationPort": object{"number": p.From}}}
}

// selects says whether a label selector means what has these labels, by the
// API's words: all of it must hold, and an empty one means everything.
func selects(s *metav1.LabelSelector, labels map[string]string) bool {
	for k, v := range s.MatchLabels {
		if have, ok := labels[k]; !ok || have != v {
			return false
		}
	}
	for _, e := range s.MatchExpressions {
		have, ok := labels[e.Key]
		among := false
		for _, v := range e.Values {
			among = among || ok && v == have
		}
		switch e.Operator {
		case metav1.LabelSelectorOpIn:
			if !among {
				return false
			}
		case metav1.LabelSelectorOpNotIn:
			if among {
				return false
			}
		case metav1.LabelSelectorOpExists:
			if !ok {
				return false
			}
		case metav1.LabelSelectorOpDoesNotExist:
			if ok {
				return false
			}
		}
	}
	return true
}
