package reach

import (
	"encoding/json"
	"fmt"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
)

// everything selects whatever has labels or none.
var everything = labels.Everything()

// clusterPolicySpec is what is read of ClusterNetworkPolicy v1alpha2,
// AdminNetworkPolicy and BaselineAdminNetworkPolicy v1alpha1, which is one
// shape but for how ports and peers' namespaces are written.
type clusterPolicySpec struct {
	Tier     string `json:"tier"`
	Priority int32  `json:"priority"`
	Subject  struct {
		Namespaces *metav1.LabelSelector `json:"namespaces"`
		Pods       *namespacedPods       `json:"pods"`
	} `json:"subject"`
	Ingress []clusterRule `json:"ingress"`
	Egress  []clusterRule `json:"egress"`
}

type namespacedPods struct {
	NamespaceSelector metav1.LabelSelector `json:"namespaceSelector"`
	PodSelector       metav1.LabelSelector `json:"podSelector"`
	// Namespaces is v1alpha1's, in peers.
	Namespaces *namespacedPeer `json:"namespaces"`
}

type namespacedPeer struct {
	NamespaceSelector *metav1.LabelSelector `json:"namespaceSelector"`
	SameLabels        []string              `json:"sameLabels"`
	NotSameLabels     []string              `json:"notSameLabels"`
}

type clusterRule struct {
	Action    string            `json:"action"`
	From      []clusterPeer     `json:"from"`
	To        []clusterPeer     `json:"to"`
	Protocols []clusterProtocol `json:"protocols"`
	Ports     []adminPort       `json:"ports"`
}

type clusterPeer struct {
	// Namespaces is a label selector in v1alpha2, a namespacedPeer in v1alpha1.
	Namespaces  json.RawMessage       `json:"namespaces"`
	Pods        *namespacedPods       `json:"pods"`
	Nodes       *metav1.LabelSelector `json:"nodes"`
	Networks    []string              `json:"networks"`
	DomainNames []string              `json:"domainNames"`
}

type clusterPort struct {
	Number int32    `json:"number"`
	Range  *numbers `json:"range"`
}

type numbers struct {
	Start int32 `json:"start"`
	End   int32 `json:"end"`
}

type transport struct {
	DestinationPort *clusterPort `json:"destinationPort"`
}

type clusterProtocol struct {
	TCP                  *transport `json:"tcp"`
	UDP                  *transport `json:"udp"`
	SCTP                 *transport `json:"sctp"`
	DestinationNamedPort string     `json:"destinationNamedPort"`
}

type adminPort struct {
	PortNumber *struct {
		Protocol string `json:"protocol"`
		Port     int32  `json:"port"`
	} `json:"portNumber"`
	NamedPort *string `json:"namedPort"`
	PortRange *struct {
		Protocol string `json:"protocol"`
		numbers
	} `json:"portRange"`
}

// clusterPolicy compiles one object of the three kinds.
func (c *compiler) clusterPolicy(o Object) error {
	var spec clusterPolicySpec
	if err := o.decode(&spec); err != nil {
		return err
	}
	p := &policy{id: o.id(), order: float64(spec.Priority)}
	name, order := "Admin", float64(orderAdmin)
	switch {
	case o.Kind == "BaselineAdminNetworkPolicy", o.Kind == "ClusterNetworkPolicy" && spec.Tier == "Baseline":
		name, order = "Baseline", orderBaseline
	case o.Kind == "ClusterNetworkPolicy" && spec.Tier != "Admin":
		return fmt.Errorf("tier %q is not known", spec.Tier)
	}
	var err error
	if p.subject, err = c.clusterSubject(&spec); err != nil {
		return err
	}
	for d, rules := range [2][]clusterRule{spec.Ingress, spec.Egress} {
		for i := range rules {
			peers := rules[i].From
			if Direction(d) == Egress {
				peers = rules[i].To
			}
			r, err := c.clusterRule(p.id, &rules[i], peers)
			if err != nil {
				return err
			}
			p.rules[d] = append(p.rules[d], r)
		}
		p.applies[d] = len(rules) > 0
	}
	c.add(name, order, p)
	return nil
}

func (c *compiler) clusterSubject(spec *clusterPolicySpec) (matcher, error) {
	switch {
	case spec.Subject.Namespaces != nil:
		s, err := c.selector(spec.Subject.Namespaces)
		return podsIn{spaceLabelled{s}, everything}, err
	case spec.Subject.Pods != nil:
		s, err := c.selector(&spec.Subject.Pods.NamespaceSelector)
		if err != nil {
			return nil, err
		}
		pods, err := c.selector(&spec.Subject.Pods.PodSelector)
		return podsIn{spaceLabelled{s}, pods}, err
	}
	return nil, fmt.Errorf("subject is of no known kind")
}

// clusterRule compiles one rule. A peer of which no field is known fails closed
// as the API says: an Accept rule matches nothing by it, any other denies all.
func (c *compiler) clusterRule(id Policy, r *clusterRule, peers []clusterPeer) (rule, error) {
	out := rule{every: len(r.Protocols) == 0 && len(r.Ports) == 0}
	switch r.Action {
	case "Accept", "Allow":
		out.verdict = allow
	case "Deny":
		out.verdict = deny
	case "Pass":
		out.verdict = pass
	default:
		return rule{}, fmt.Errorf("action %q is not known", r.Action)
	}
	list := either{}
	for i := range peers {
		if out.verdict == allow && len(peers[i].DomainNames) > 0 {
			out.domains = append(out.domains, peers[i].DomainNames...)
			c.doubt(id, "it accepts hosts by name; what their addresses are is not known here")
			continue
		}
		m, err := c.clusterPeer(&peers[i])
		if err != nil {
			return rule{}, err
		}
		if m == nil {
			c.doubt(id, "a peer is of no known kind; as the API says, an Accept rule matches nothing by it, another denies all")
			if m = (nobody{}); out.verdict != allow {
				out.verdict, m = deny, anyone{}
			}
		}
		list = append(list, m)
	}
	out.peers = list
	for _, p := range r.Protocols {
		out.ports = append(out.ports, c.clusterProtocol(p)...)
	}
	for _, p := range r.Ports {
		out.ports = append(out.ports, c.adminPort(p)...)
	}
	return out, nil
}

// clusterPeer compiles one peer; nil is one of which no field is known.
func (c *compiler) clusterPeer(p *clusterPeer) (matcher, error) {
	switch {
	case len(p.Namespaces) > 0 && string(p.Namespaces) != "null":
		s, err := c.peerNamespaces(p.Namespaces)
		if err != nil || s == nil {
			return nil, err
		}
		return podsIn{s, everything}, nil
	case p.Pods != nil:
		pods, err := c.selector(&p.Pods.PodSelector)
		if err != nil {
			return nil, err
		}
		if p.Pods.Namespaces != nil {
			s, err := c.namespaced(p.Pods.Namespaces)
			if err != nil || s == nil {
				return nil, err
			}
			return podsIn{s, pods}, nil
		}
		s, err := c.selector(&p.Pods.NamespaceSelector)
		return podsIn{spaceLabelled{s}, pods}, err
	case p.Nodes != nil:
		s, err := c.selector(p.Nodes)
		return nodesBy{s}, err
	case len(p.Networks) > 0:
		var w within
		for _, text := range p.Networks {
			b, err := c.block(text)
			if err != nil {
				return nil, err
			}
			w.blocks = append(w.blocks, b)
		}
		return w, nil
	}
	return nil, nil
}

// peerNamespaces reads a label selector (v1alpha2) or what v1alpha1 has in its
// place; both are objects, and no field of the one is a field of the other.
func (c *compiler) peerNamespaces(text json.RawMessage) (spaceMatcher, error) {
	var old namespacedPeer
	if err := json.Unmarshal(text, &old); err != nil {
		return nil, err
	}
	if old.NamespaceSelector != nil || old.SameLabels != nil || old.NotSameLabels != nil {
		return c.namespaced(&old)
	}
	var s metav1.LabelSelector
	if err := json.Unmarshal(text, &s); err != nil {
		return nil, err
	}
	compiled, err := c.selector(&s)
	return spaceLabelled{compiled}, err
}

func (c *compiler) namespaced(p *namespacedPeer) (spaceMatcher, error) {
	switch {
	case p.NamespaceSelector != nil:
		s, err := c.selector(p.NamespaceSelector)
		return spaceLabelled{s}, err
	case len(p.SameLabels) > 0:
		return spaceSame{keys: p.SameLabels}, nil
	case len(p.NotSameLabels) > 0:
		return spaceSame{keys: p.NotSameLabels, differ: true}, nil
	}
	return nil, nil
}

func (c *compiler) clusterProtocol(p clusterProtocol) []portMatch {
	for protocol, t := range [protocols]*transport{p.TCP, p.UDP, p.SCTP} {
		switch {
		case t == nil:
			continue
		case t.DestinationPort == nil:
			return []portMatch{{fixed: portRange(Protocol(protocol), lowest, highest)}}
		case t.DestinationPort.Range != nil:
			r := t.DestinationPort.Range
			return []portMatch{{fixed: portRange(Protocol(protocol), int(r.Start), int(r.End))}}
		}
		n := int(t.DestinationPort.Number)
		return []portMatch{{fixed: portRange(Protocol(protocol), n, n)}}
	}
	if p.DestinationNamedPort == "" {
		return nil
	}
	c.names[p.DestinationNamedPort] = true
	return []portMatch{{name: p.DestinationNamedPort, any: true}}
}

func (c *compiler) adminPort(p adminPort) []portMatch {
	switch {
	case p.PortNumber != nil:
		if protocol, ok := ParseProtocol(p.PortNumber.Protocol); ok {
			return []portMatch{{fixed: portRange(protocol, int(p.PortNumber.Port), int(p.PortNumber.Port))}}
		}
	case p.PortRange != nil:
		if protocol, ok := ParseProtocol(p.PortRange.Protocol); ok {
			return []portMatch{{fixed: portRange(protocol, int(p.PortRange.Start), int(p.PortRange.End))}}
		}
	case p.NamedPort != nil:
		c.names[*p.NamedPort] = true
		return []portMatch{{name: *p.NamedPort, any: true}}
	}
	return nil
}
