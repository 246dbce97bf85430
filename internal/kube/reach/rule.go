package reach

import (
	"cmp"
	"fmt"
	"net/netip"
	"slices"
)

// Policy names an object that decides.
type Policy struct {
	Kind      string `json:"kind"`
	Namespace string `json:"namespace,omitempty"`
	Name      string `json:"name"`
}

// String reads "NetworkPolicy prod/web".
func (p Policy) String() string {
	switch {
	case p.Kind == "":
		return "no policy"
	case p.Namespace == "":
		return p.Kind + " " + p.Name
	}
	return fmt.Sprintf("%s %s/%s", p.Kind, p.Namespace, p.Name)
}

// Direction is that of a connection, as its subject sees it.
type Direction uint8

// The directions.
const (
	Ingress Direction = iota
	Egress
)

// String reads ingress or egress.
func (d Direction) String() string { return [...]string{"ingress", "egress"}[d&1] }

// verdict is what a rule says of what it matches.
type verdict uint8

const (
	allow verdict = iota
	deny
	pass
)

// portMatch is one way of naming ports: a range, or a name.
type portMatch struct {
	fixed Ports
	// name, if there is one, stands for what the destination calls so, of one
	// protocol or of any.
	name     string
	protocol Protocol
	any      bool
}

// rule is one rule of a policy in one direction.
type rule struct {
	verdict verdict
	peers   matcher
	// every says that ports don't matter; else ports says which, and no entry
	// is none.
	every bool
	ports []portMatch
	// domains are names of hosts that an allow rule is about: who they are is
	// not known, so they are told and match no peer.
	domains []string
}

// match are the ports of a destination that the rule is about.
func (r *rule) match(destination *endpoint) Ports {
	if r.every {
		return AllPorts()
	}
	var s Ports
	for _, p := range r.ports {
		if p.name == "" {
			s = s.union(p.fixed)
			continue
		}
		s = s.union(destination.resolve(p.name, func(of Protocol) bool { return p.any || of == p.protocol }))
	}
	return s
}

// policy is a compiled object, or the part of one that stands in one tier.
type policy struct {
	id    Policy
	order float64
	// namespace, if there is one, is that of its subjects.
	namespace string
	subject   matcher
	// applies says whether it is about a direction at all.
	applies [2]bool
	rules   [2][]rule
	// closes says that what none of its tier's rules matched is denied.
	closes [2]bool
	// prefixes are the address blocks that it names.
	prefixes []netip.Prefix
}

// selects says whether the policy is about a pod. Nothing binds what uses the
// host network.
func (p *policy) selects(e *endpoint, d Direction) bool {
	return e.kind == kindPod && p.applies[d] && (p.namespace == "" || p.namespace == e.space.name) && p.subject.match(e, e)
}

// tier is a group of policies that is asked before the next.
type tier struct {
	name  string
	order float64
	// by namespace; those of all namespaces are under "".
	policies map[string][]*policy
}

// selecting are the policies of a tier that are about a pod, in the order of
// evaluation.
func (t *tier) selecting(e *endpoint, d Direction) []*policy {
	if e.kind != kindPod {
		return nil
	}
	var list []*policy
	for _, in := range []string{"", e.space.name} {
		for _, p := range t.policies[in] {
			if p.selects(e, d) {
				list = append(list, p)
			}
		}
		if e.space.name == "" {
			break
		}
	}
	slices.SortStableFunc(list, func(a, b *policy) int { return cmp.Compare(a.order, b.order) })
	return list
}

// The tiers that every cluster has, in the numbers that Calico gives them, so
// that its own can stand between.
const (
	orderAdmin    = 1_000
	orderDeny     = 999_999
	orderPolicy   = 1_000_000
	orderBaseline = 10_000_000
	// orderOfNetworkPolicy is a NetworkPolicy's among those of Calico.
	orderOfNetworkPolicy = 1_000
)
