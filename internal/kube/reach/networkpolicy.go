package reach

import (
	"fmt"
	"slices"

	networkingv1 "k8s.io/api/networking/v1"
	"k8s.io/apimachinery/pkg/util/intstr"
)

// networkPolicy compiles a NetworkPolicy. Without policyTypes it is of type
// Ingress, and of type Egress when it has an egress rule.
func (c *compiler) networkPolicy(n *networkingv1.NetworkPolicy) error {
	pods, err := c.selector(&n.Spec.PodSelector)
	if err != nil {
		return err
	}
	p := &policy{
		id: Policy{"NetworkPolicy", n.Namespace, n.Name}, order: orderOfNetworkPolicy, namespace: n.Namespace,
		subject: podsIn{spaceNamed(n.Namespace), pods},
	}
	types := n.Spec.PolicyTypes
	if len(types) == 0 {
		types = []networkingv1.PolicyType{networkingv1.PolicyTypeIngress}
		if len(n.Spec.Egress) > 0 {
			types = append(types, networkingv1.PolicyTypeEgress)
		}
	}
	p.applies = [2]bool{slices.Contains(types, networkingv1.PolicyTypeIngress), slices.Contains(types, networkingv1.PolicyTypeEgress)}
	p.closes = p.applies
	for _, r := range n.Spec.Ingress {
		p.rules[Ingress] = append(p.rules[Ingress], c.networkRule(n, r.From, r.Ports))
	}
	for _, r := range n.Spec.Egress {
		p.rules[Egress] = append(p.rules[Egress], c.networkRule(n, r.To, r.Ports))
	}
	c.add("NetworkPolicy", orderPolicy, p)
	return nil
}

// networkRule compiles one rule: no peers is every peer, no ports every port.
func (c *compiler) networkRule(n *networkingv1.NetworkPolicy, peers []networkingv1.NetworkPolicyPeer, ports []networkingv1.NetworkPolicyPort) rule {
	r := rule{verdict: allow, peers: anyone{}, every: len(ports) == 0}
	if len(peers) > 0 {
		var list either
		for i := range peers {
			m, err := c.networkPeer(n, &peers[i])
			if err != nil {
				// The API server takes none like it.
				c.doubt(Policy{"NetworkPolicy", n.Namespace, n.Name}, fmt.Sprintf("a peer can't be read (%v) and counts as every peer", err))
				m = anyone{}
			}
			list = append(list, m)
		}
		r.peers = list
	}
	for _, p := range ports {
		r.ports = append(r.ports, c.networkPort(p)...)
	}
	return r
}

// networkPeer compiles one peer. A pod selector without a namespace selector
// means the policy's own namespace.
func (c *compiler) networkPeer(n *networkingv1.NetworkPolicy, peer *networkingv1.NetworkPolicyPeer) (matcher, error) {
	if peer.IPBlock != nil {
		b, err := c.block(peer.IPBlock.CIDR, peer.IPBlock.Except...)
		if err != nil {
			return nil, err
		}
		return within{blocks: []block{b}}, nil
	}
	if peer.NamespaceSelector == nil && peer.PodSelector == nil {
		return nobody{}, nil
	}
	m := podsIn{spaces: spaceNamed(n.Namespace), pods: everything}
	if peer.NamespaceSelector != nil {
		s, err := c.selector(peer.NamespaceSelector)
		if err != nil {
			return nil, err
		}
		m.spaces = spaceLabelled{s}
	}
	if peer.PodSelector != nil {
		s, err := c.selector(peer.PodSelector)
		if err != nil {
			return nil, err
		}
		m.pods = s
	}
	return m, nil
}

// networkPort compiles one entry: no port is every port of the protocol,
// endPort counts with a number only.
func (c *compiler) networkPort(p networkingv1.NetworkPolicyPort) []portMatch {
	text := ""
	if p.Protocol != nil {
		text = string(*p.Protocol)
	}
	protocol, ok := ParseProtocol(text)
	switch {
	case !ok:
		return nil // a protocol without ports, which are not looked at
	case p.Port == nil:
		return []portMatch{{fixed: portRange(protocol, lowest, highest)}}
	case p.Port.Type == intstr.String:
		c.names[p.Port.StrVal] = true
		return []portMatch{{name: p.Port.StrVal, protocol: protocol}}
	}
	lo, hi := int(p.Port.IntVal), int(p.Port.IntVal)
	if p.EndPort != nil {
		hi = int(*p.EndPort)
	}
	return []portMatch{{fixed: portRange(protocol, lo, hi)}}
}
