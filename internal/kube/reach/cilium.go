package reach

import (
	"encoding/json"
	"fmt"
	"strconv"
	"strings"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
)

// ciliumRule is what is read of the rules of CiliumNetworkPolicy and
// CiliumClusterwideNetworkPolicy v2.
type ciliumRule struct {
	EndpointSelector  *metav1.LabelSelector `json:"endpointSelector"`
	NodeSelector      *metav1.LabelSelector `json:"nodeSelector"`
	Ingress           []ciliumPart          `json:"ingress"`
	IngressDeny       []ciliumPart          `json:"ingressDeny"`
	Egress            []ciliumPart          `json:"egress"`
	EgressDeny        []ciliumPart          `json:"egressDeny"`
	EnableDefaultDeny struct {
		Ingress *bool `json:"ingress"`
		Egress  *bool `json:"egress"`
	} `json:"enableDefaultDeny"`
}

// ciliumPart is one ingress or egress rule. A list that is there and empty
// selects nothing, one that is not there does not narrow: so pointers.
type ciliumPart struct {
	FromEndpoints *[]metav1.LabelSelector `json:"fromEndpoints"`
	ToEndpoints   *[]metav1.LabelSelector `json:"toEndpoints"`
	FromCIDR      *[]string               `json:"fromCIDR"`
	ToCIDR        *[]string               `json:"toCIDR"`
	FromCIDRSet   *[]ciliumBlock          `json:"fromCIDRSet"`
	ToCIDRSet     *[]ciliumBlock          `json:"toCIDRSet"`
	FromEntities  *[]string               `json:"fromEntities"`
	ToEntities    *[]string               `json:"toEntities"`
	FromNodes     *[]metav1.LabelSelector `json:"fromNodes"`
	ToNodes       *[]metav1.LabelSelector `json:"toNodes"`
	ToFQDNs       []struct {
		MatchName    string `json:"matchName"`
		MatchPattern string `json:"matchPattern"`
	} `json:"toFQDNs"`
	ToServices json.RawMessage `json:"toServices"`
	ToGroups   json.RawMessage `json:"toGroups"`
	FromGroups json.RawMessage `json:"fromGroups"`
	ICMPs      json.RawMessage `json:"icmps"`
	Auth       json.RawMessage `json:"authentication"`
	ToPorts    []struct {
		Ports []struct {
			Port     string `json:"port"`
			EndPort  int    `json:"endPort"`
			Protocol string `json:"protocol"`
		} `json:"ports"`
		Rules       json.RawMessage `json:"rules"`
		ServerNames []string        `json:"serverNames"`
	} `json:"toPorts"`
}

type ciliumBlock struct {
	CIDR              string          `json:"cidr"`
	Except            []string        `json:"except"`
	CIDRGroupRef      string          `json:"cidrGroupRef"`
	CIDRGroupSelector json.RawMessage `json:"cidrGroupSelector"`
}

// cilium compiles one object: its deny rules stand before everything that
// allows, its allow rules beside the NetworkPolicies.
func (c *compiler) cilium(o Object) error {
	if o.Kind != "CiliumNetworkPolicy" && o.Kind != "CiliumClusterwideNetworkPolicy" {
		return nil
	}
	var body struct {
		Spec  *ciliumRule  `json:"spec"`
		Specs []ciliumRule `json:"specs"`
	}
	if err := json.Unmarshal(o.Body, &body); err != nil {
		return err
	}
	if body.Spec != nil {
		body.Specs = append(body.Specs, *body.Spec)
	}
	for i := range body.Specs {
		if err := c.ciliumRule(o, &body.Specs[i]); err != nil {
			return err
		}
	}
	return nil
}

func (c *compiler) ciliumRule(o Object, r *ciliumRule) error {
	if r.EndpointSelector == nil {
		return nil // about nodes
	}
	subject, err := c.ciliumPods(o, r.EndpointSelector)
	if err != nil {
		return err
	}
	denies := &policy{id: o.id(), namespace: o.Namespace, subject: subject}
	allows := &policy{id: o.id(), namespace: o.Namespace, subject: subject, order: orderOfNetworkPolicy}
	parts := [2][2][]ciliumPart{{r.Ingress, r.IngressDeny}, {r.Egress, r.EgressDeny}}
	closes := [2]*bool{r.EnableDefaultDeny.Ingress, r.EnableDefaultDeny.Egress}
	for d := range parts {
		denies.applies[d] = len(parts[d][1]) > 0
		allows.applies[d] = len(parts[d][0])+len(parts[d][1]) > 0
		allows.closes[d] = allows.applies[d]
		if closes[d] != nil {
			allows.closes[d] = *closes[d]
			allows.applies[d] = allows.applies[d] || *closes[d]
		}
		for v, list := range parts[d] {
			to, verdict := allows, allow
			if v == 1 {
				to, verdict = denies, deny
			}
			for i := range list {
				rules, err := c.ciliumPart(o, &list[i], Direction(d), verdict)
				if err != nil {
					return err
				}
				to.rules[d] = append(to.rules[d], rules...)
			}
		}
	}
	c.add("Cilium deny", orderDeny, denies)
	c.add("NetworkPolicy", orderPolicy, allows)
	return nil
}

// ciliumPart compiles one rule. Without any member for peers it is every peer
// where it names ports, and none where it does not.
func (c *compiler) ciliumPart(o Object, p *ciliumPart, d Direction, v verdict) ([]rule, error) {
	narrower := func(set bool, what string) bool {
		if set {
			c.doubt(o.id(), what)
		}
		return set && v == deny
	}
	out := rule{verdict: v, every: len(p.ToPorts) == 0}
	peers, named, err := c.ciliumPeers(o, p, d, v)
	if err != nil {
		return nil, err
	}
	unmapped := len(p.ToServices)+len(p.ToGroups)+len(p.FromGroups) > 0
	for _, f := range p.ToFQDNs {
		if out.domains = append(out.domains, f.MatchName+f.MatchPattern); len(out.domains) == 1 {
			c.doubt(o.id(), "it allows hosts by name; what their addresses are is not known here")
		}
	}
	switch {
	case narrower(unmapped, "it names peers by service or cloud group, which is not known here: its allow rules count as every peer, its deny rules as none"):
		return nil, nil
	case unmapped:
		peers = anyone{}
	case !named && len(p.ToFQDNs) > 0:
		peers = nobody{}
	case !named && len(p.ToPorts) == 0:
		peers = nobody{}
	case !named:
		peers = anyone{}
	}
	out.peers = peers
	if len(p.ICMPs) > 0 && len(p.ToPorts) == 0 {
		return nil, nil // it is about ICMP, which has no ports
	}
	narrower(len(p.Auth) > 0, "it asks for authentication, which is not looked at")
	for _, t := range p.ToPorts {
		if narrower(len(t.Rules) > 0 || len(t.ServerNames) > 0, "it looks into requests, which is not looked at here: allow rules count without that, deny rules not at all") {
			continue
		}
		if len(t.Ports) == 0 {
			out.every = true
		}
		for _, x := range t.Ports {
			out.ports = append(out.ports, c.ciliumPort(x.Port, x.EndPort, x.Protocol)...)
		}
	}
	return []rule{out}, nil
}

func (c *compiler) ciliumPort(port string, end int, protocol string) []portMatch {
	of := []Protocol{TCP, UDP, SCTP}
	any := protocol == "" || strings.EqualFold(protocol, "ANY")
	if !any {
		p, ok := ParseProtocol(protocol)
		if !ok {
			return nil
		}
		of = []Protocol{p}
	}
	n, err := strconv.Atoi(port)
	if err != nil && port != "" {
		c.names[port] = true
		return []portMatch{{name: port, protocol: of[0], any: any}}
	}
	lo, hi := n, max(n, end)
	if n == 0 {
		lo, hi = lowest, highest
	}
	var out []portMatch
	for _, p := range of {
		out = append(out, portMatch{fixed: portRange(p, lo, hi)})
	}
	return out
}

// ciliumPeers compiles the members that name peers; named says that there is
// one.
func (c *compiler) ciliumPeers(o Object, p *ciliumPart, d Direction, v verdict) (m matcher, named bool, err error) {
	endpoints, cidr, sets, entities, nodes := p.FromEndpoints, p.FromCIDR, p.FromCIDRSet, p.FromEntities, p.FromNodes
	if d == Egress {
		endpoints, cidr, sets, entities, nodes = p.ToEndpoints, p.ToCIDR, p.ToCIDRSet, p.ToEntities, p.ToNodes
	}
	list := either{}
	if endpoints != nil {
		named = true
		for i := range *endpoints {
			m, err := c.ciliumPods(o, &(*endpoints)[i])
			if err != nil {
				return nil, false, err
			}
			list = append(list, m)
		}
	}
	outside := within{outside: true}
	if cidr != nil {
		named = true
		for _, text := range *cidr {
			b, err := c.block(text)
			if err != nil {
				return nil, false, err
			}
			outside.blocks = append(outside.blocks, b)
		}
	}
	if sets != nil {
		named = true
		for _, s := range *sets {
			if s.CIDR == "" {
				c.doubt(o.id(), "it names addresses by a CIDR group, which is not looked up: an allow rule counts as every address, a deny rule as none")
				if v == allow {
					list = append(list, kinds{kindAddress})
				}
				continue
			}
			b, err := c.block(s.CIDR, s.Except...)
			if err != nil {
				return nil, false, err
			}
			outside.blocks = append(outside.blocks, b)
		}
	}
	if nodes != nil {
		named = true
		for i := range *nodes {
			s, err := c.selector(ciliumLabels(&(*nodes)[i]))
			if err != nil {
				return nil, false, err
			}
			list = append(list, nodesBy{s})
		}
	}
	if entities != nil {
		named = true
		for _, e := range *entities {
			list = append(list, c.ciliumEntity(o, e, v))
		}
	}
	if len(outside.blocks) > 0 {
		list = append(list, outside)
	}
	return list, named, nil
}

func (c *compiler) ciliumEntity(o Object, name string, v verdict) matcher {
	switch name {
	case "all":
		return anyone{}
	case "world", "world-ipv4", "world-ipv6":
		return kinds{kindAddress}
	case "cluster":
		return kinds{kindPod, kindNode}
	case "host":
		if v == deny {
			return ownNode{}
		}
		return kinds{kindNode}
	case "remote-node":
		if v == deny {
			return both{kinds{kindNode}, not{ownNode{}}}
		}
		return kinds{kindNode}
	case "none", "init", "health", "ingress", "unmanaged":
		return nobody{}
	}
	c.doubt(o.id(), fmt.Sprintf("it names the entity %q, which is not known here: an allow rule counts as every node and address, a deny rule as none", name))
	if v == allow {
		return kinds{kindNode, kindAddress}
	}
	return nobody{}
}

const ciliumNamespace, ciliumNamespaceLabels, ciliumAccount = "io.kubernetes.pod.namespace", "io.cilium.k8s.namespace.labels.", "io.cilium.k8s.policy.serviceaccount"

// ciliumLabels takes the sources (k8s:, any:) off a selector's keys.
func ciliumLabels(s *metav1.LabelSelector) *metav1.LabelSelector {
	bare := func(k string) string {
		for _, prefix := range []string{"k8s:", "any:", "k8s.", "any."} {
			if rest, ok := strings.CutPrefix(k, prefix); ok {
				return rest
			}
		}
		return k
	}
	out := &metav1.LabelSelector{MatchLabels: map[string]string{}}
	for k, v := range s.MatchLabels {
		out.MatchLabels[bare(k)] = v
	}
	for _, e := range s.MatchExpressions {
		e.Key = bare(e.Key)
		out.MatchExpressions = append(out.MatchExpressions, e)
	}
	return out
}

// ciliumPods compiles an endpoint selector. In a policy with a namespace it
// means the pods of that namespace, unless it says itself which.
func (c *compiler) ciliumPods(o Object, s *metav1.LabelSelector) (matcher, error) {
	bare := ciliumLabels(s)
	pods := &metav1.LabelSelector{MatchLabels: map[string]string{}}
	var m ciliumPods
	m.namespace = o.Namespace
	add := func(key string, on *labels.Selector, e metav1.LabelSelectorRequirement) error {
		e.Key = key
		one, err := c.selector(&metav1.LabelSelector{MatchExpressions: []metav1.LabelSelectorRequirement{e}})
		if err != nil {
			return err
		}
		requirements, _ := one.Requirements()
		if *on == nil {
			*on = labels.NewSelector()
		}
		*on = (*on).Add(requirements...)
		return nil
	}
	for k, v := range bare.MatchLabels {
		bare.MatchExpressions = append(bare.MatchExpressions, metav1.LabelSelectorRequirement{Key: k, Operator: metav1.LabelSelectorOpIn, Values: []string{v}})
	}
	for _, e := range bare.MatchExpressions {
		var err error
		rest, ofSpace := strings.CutPrefix(e.Key, ciliumNamespaceLabels)
		switch {
		case strings.HasPrefix(e.Key, "reserved:"), strings.HasPrefix(e.Key, "reserved."):
			return nobody{}, nil // no pod
		case ofSpace:
			m.namespace = ""
			err = add(rest, &m.spaces, e)
		case e.Key == ciliumNamespace:
			m.namespace = ""
			err = add("kubernetes.io/metadata.name", &m.spaces, e)
		case e.Key == ciliumAccount:
			c.accounts = true
			err = add("account", &m.accounts, e)
		default:
			pods.MatchExpressions = append(pods.MatchExpressions, e)
		}
		if err != nil {
			return nil, err
		}
	}
	var err error
	m.pods, err = c.selector(pods)
	return m, err
}

// ciliumPods are pods by labels, namespace and service account.
type ciliumPods struct {
	namespace              string
	spaces, accounts, pods labels.Selector
}

func (m ciliumPods) match(_, p *endpoint) bool {
	return p.kind == kindPod && (m.namespace == "" || m.namespace == p.space.name) &&
		(m.spaces == nil || m.spaces.Matches(labels.Set(p.space.labels))) &&
		(m.accounts == nil || m.accounts.Matches(labels.Set{"account": p.account})) &&
		m.pods.Matches(labels.Set(p.labels))
}
