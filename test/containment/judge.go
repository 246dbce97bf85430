package containment

import (
	"net"
	"slices"

	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	"k8s.io/apimachinery/pkg/util/intstr"
)

// End is one end of a connection: a pod, or an address that is none's.
type End struct {
	Pod     *corev1.Pod
	Address string
	// Node is the node that an address is of, if it is a node's.
	Node *corev1.Node
}

// addresses are all that an end has.
func (e End) addresses() (all []string) {
	switch {
	case e.Pod != nil:
		for _, ip := range e.Pod.Status.PodIPs {
			all = append(all, ip.IP)
		}
		return all
	case e.Node != nil:
		for _, a := range e.Node.Status.Addresses {
			all = append(all, a.Address)
		}
		return all
	}
	return []string{e.Address}
}

// at is the end at one of its addresses.
func (e End) at(address string) End {
	e.Address = address
	return e
}

// four says whether an address is of IPv4.
func four(address string) bool { return net.ParseIP(address).To4() != nil }

// Between are the ends at each pair of addresses by which they can talk: those of
// one family. Where a pair has none in common, and where one end is an address
// outside, something between may translate: then each pair counts.
func Between(from, to End) (pairs [][2]End) {
	outside := func(e End) bool { return e.Pod == nil && e.Node == nil }
	var all [][2]End
	for _, a := range from.addresses() {
		for _, b := range to.addresses() {
			pair := [2]End{from.at(a), to.at(b)}
			all = append(all, pair)
			if four(a) == four(b) {
				pairs = append(pairs, pair)
			}
		}
	}
	if len(pairs) == 0 || outside(from) || outside(to) {
		return all
	}
	return pairs
}

// bound says that policies bind this end: it is a pod of its own network.
func (e End) bound() bool { return e.Pod != nil && !e.Pod.Spec.HostNetwork }

func (e End) address() string { return e.Address }

// node is the node whose network the end uses or on which it runs.
func (e End) node() string {
	switch {
	case e.Pod != nil:
		return e.Pod.Spec.NodeName
	case e.Node != nil:
		return e.Node.Name
	}
	return ""
}

// Allowed says whether a new connection is let through by all policies, between
// these addresses of the ends.
func (s State) Allowed(from, to End, protocol string, port int) bool {
	// A node's own traffic with the pods that run on it is never stopped.
	if from.bound() != to.bound() && from.node() != "" && from.node() == to.node() {
		return true
	}
	return s.side(from, to, to, false, protocol, port) && s.side(to, from, to, true, protocol, port)
}

// side asks the policies of one end.
func (s State) side(subject, peer, destination End, ingress bool, protocol string, port int) bool {
	if !subject.bound() {
		return true
	}
	if v := s.adminTier(false, subject, peer, destination, ingress, protocol, port); v != "" {
		return v == "Allow"
	}
	selected, allowed := false, false
	for i := range s.Policies {
		n := &s.Policies[i]
		if n.Namespace != subject.Pod.Namespace || !selects(&n.Spec.PodSelector, subject.Pod.Labels) || !isolates(n, ingress) {
			continue
		}
		selected = true
		if ingress {
			for _, r := range n.Spec.Ingress {
				allowed = allowed || s.peersMatch(n.Namespace, r.From, peer) && portsMatch(r.Ports, destination, protocol, port)
			}
		} else {
			for _, r := range n.Spec.Egress {
				allowed = allowed || s.peersMatch(n.Namespace, r.To, peer) && portsMatch(r.Ports, destination, protocol, port)
			}
		}
	}
	if selected {
		return allowed
	}
	v := s.adminTier(true, subject, peer, destination, ingress, protocol, port)
	return v != "Deny"
}

func isolates(n *networkingv1.NetworkPolicy, ingress bool) bool {
	if len(n.Spec.PolicyTypes) == 0 {
		return ingress || len(n.Spec.Egress) > 0
	}
	for _, t := range n.Spec.PolicyTypes {
		if ingress && t == networkingv1.PolicyTypeIngress || !ingress && t == networkingv1.PolicyTypeEgress {
			return true
		}
	}
	return false
}

func (s State) namespaceLabels(name string) map[string]string {
	for _, n := range s.Namespaces {
		if n.Name == name {
			return n.Labels
		}
	}
	return nil
}

func (s State) peersMatch(namespace string, peers []networkingv1.NetworkPolicyPeer, e End) bool {
	if len(peers) == 0 {
		return true
	}
	for _, p := range peers {
		if p.IPBlock != nil {
			if inside(p.IPBlock.CIDR, e.address()) && !slices.ContainsFunc(p.IPBlock.Except, func(x string) bool { return inside(x, e.address()) }) {
				return true
			}
			continue
		}
		if !e.bound() {
			continue
		}
		ok := p.NamespaceSelector == nil && e.Pod.Namespace == namespace ||
			p.NamespaceSelector != nil && selects(p.NamespaceSelector, s.namespaceLabels(e.Pod.Namespace))
		if ok && (p.PodSelector == nil || selects(p.PodSelector, e.Pod.Labels)) {
			return true
		}
	}
	return false
}

func inside(cidr, address string) bool {
	_, block, err := net.ParseCIDR(cidr)
	return err == nil && block.Contains(net.ParseIP(address))
}

func portsMatch(ports []networkingv1.NetworkPolicyPort, destination End, protocol string, port int) bool {
	if len(ports) == 0 {
		return true
	}
	for _, p := range ports {
		of := "TCP"
		if p.Protocol != nil {
			of = string(*p.Protocol)
		}
		switch {
		case of != protocol:
		case p.Port == nil:
			return true
		case p.Port.Type == intstr.String:
			if isNamed(destination, p.Port.StrVal, protocol, port) {
				return true
			}
		case p.EndPort != nil:
			if port >= int(p.Port.IntVal) && port <= int(*p.EndPort) {
				return true
			}
		case port == int(p.Port.IntVal):
			return true
		}
	}
	return false
}

// isNamed says whether the port of this number has this name at its
// destination.
func isNamed(destination End, name, protocol string, port int) bool {
	if !destination.bound() {
		return false
	}
	for _, c := range destination.Pod.Spec.Containers {
		for _, p := range c.Ports {
			of := string(p.Protocol)
			if of == "" {
				of = "TCP"
			}
			if p.Name == name && of == protocol && int(p.ContainerPort) == port {
				return true
			}
		}
	}
	return false
}

// adminTier asks one of the admin tiers: Allow, Deny, or nothing for what is
// passed on or that no rule is about.
func (s State) adminTier(baseline bool, subject, peer, destination End, ingress bool, protocol string, port int) string {
	var list []AdminPolicy
	for _, a := range s.Admin {
		if a.Baseline == baseline {
			list = append(list, a)
		}
	}
	slices.SortFunc(list, func(a, b AdminPolicy) int { return a.Priority - b.Priority })
	for _, a := range list {
		if !selects(&a.SubjectNamespaces, s.namespaceLabels(subject.Pod.Namespace)) || a.SubjectPods != nil && !selects(a.SubjectPods, subject.Pod.Labels) {
			continue
		}
		rules := a.Egress
		if ingress {
			rules = a.Ingress
		}
		for _, r := range rules {
			if !s.adminPeers(r.Peers, subject, peer) || !adminPorts(r.Ports, destination, protocol, port) {
				continue
			}
			if r.Action == "Pass" {
				return ""
			}
			return r.Action
		}
	}
	return ""
}

func (s State) adminPeers(peers []AdminPeer, subject, e End) bool {
	for _, p := range peers {
		switch {
		case p.Networks != nil:
			if slices.ContainsFunc(p.Networks, func(x string) bool { return inside(x, e.address()) }) {
				return true
			}
			continue
		case p.Nodes != nil:
			for _, n := range s.Nodes {
				if !e.bound() && n.Name == e.node() && selects(p.Nodes, n.Labels) {
					return true
				}
			}
			continue
		case !e.bound():
			continue
		}
		labels := s.namespaceLabels(e.Pod.Namespace)
		own := s.namespaceLabels(subject.Pod.Namespace)
		ok := p.Namespaces != nil && selects(p.Namespaces, labels)
		if p.Same != nil {
			ok = hasAll(labels, p.Same) && equalAll(labels, own, p.Same)
		}
		if p.NotSame != nil {
			ok = hasAll(labels, p.NotSame) && !equalAll(labels, own, p.NotSame)
		}
		if ok && (p.Pods == nil || selects(p.Pods, e.Pod.Labels)) {
			return true
		}
	}
	return false
}

func hasAll(labels map[string]string, keys []string) bool {
	return !slices.ContainsFunc(keys, func(k string) bool { _, ok := labels[k]; return !ok })
}

func equalAll(a, b map[string]string, keys []string) bool {
	return !slices.ContainsFunc(keys, func(k string) bool { v, ok := b[k]; return !ok || v != a[k] })
}

func adminPorts(ports []AdminPort, destination End, protocol string, port int) bool {
	if len(ports) == 0 {
		return true
	}
	for _, p := range ports {
		switch {
		case p.Name != "":
			if isNamed(destination, p.Name, protocol, port) {
				return true
			}
		case p.Protocol == protocol && (p.Whole || port >= p.From && port <= p.To):
			return true
		}
	}
	return false
}
