package reach

import (
	"errors"
	"fmt"
	"slices"
	"strings"
)

// ErrUnknownPod: the state has no such pod, or it has run to its end.
var ErrUnknownPod = errors.New("no such pod is running")

// Report says what gets through between one pod and everybody else, by policy.
type Report struct {
	// Pod is NAMESPACE/NAME.
	Pod  string `json:"pod"`
	Node string `json:"node,omitempty"`
	// HostNetwork says that the pod uses its node's network, so that no policy
	// binds it.
	HostNetwork bool `json:"host_network,omitempty"`
	// Policies are those that select it, by direction.
	Policies struct {
		Egress  []Policy `json:"egress,omitempty"`
		Ingress []Policy `json:"ingress,omitempty"`
	} `json:"policies"`
	// Egress is what it may reach, Ingress who may reach it. Empty is nothing
	// and nobody, but for Always.
	Egress  []Flow `json:"egress"`
	Ingress []Flow `json:"ingress"`
	// Apart are the directions, egress before ingress, in which a policy keeps even
	// the pod's own node out. Only Cilium's deny rules can.
	Apart []string `json:"apart,omitempty"`
	// Always is what no policy stops; Unknown what can't be known from policies.
	Always  []string `json:"always"`
	Unknown []string `json:"unknown"`
	// Doubts are those of Unknown that are about this pod's policies: without
	// any, all policies that select it were understood.
	Doubts []string `json:"doubts,omitempty"`
}

// Flow is one thing that gets through.
type Flow struct {
	Direction string `json:"direction"`
	Peer      Peer   `json:"peer"`
	Ports     Ports  `json:"ports"`
	// By lets it through on this pod's side; without a kind it is that no policy
	// says anything. Far are those that let it through on the peers' side.
	By  Policy   `json:"by"`
	Far []Policy `json:"far,omitempty"`
}

// String reads "to all 3 pods of namespace prod on TCP 80: NetworkPolicy
// prod/web allows it".
func (f Flow) String() string {
	way := "to"
	if f.Direction == Ingress.String() {
		way = "from"
	}
	why := "no policy forbids it"
	if f.By.Kind != "" {
		why = f.By.String() + " allows it"
	}
	return fmt.Sprintf("%s %s on %s: %s", way, f.Peer, f.Ports, why)
}

// Held says that nothing gets through but what no policy stops.
func (r *Report) Held() bool { return !r.HostNetwork && len(r.Egress)+len(r.Ingress) == 0 }

// Flows are all that gets through, what the pod may reach first.
func (r *Report) Flows() []Flow { return append(slices.Clone(r.Egress), r.Ingress...) }

// Report evaluates every policy of the world for one pod.
func (w *World) Report(namespace, name string) (*Report, error) {
	subject, ok := w.pods[namespace+"/"+name]
	if !ok {
		return nil, fmt.Errorf("%s/%s: %w", namespace, name, ErrUnknownPod)
	}
	r := &Report{Pod: namespace + "/" + name, Node: subject.node, HostNetwork: subject.kind != kindPod, Egress: []Flow{}, Ingress: []Flow{}}
	doubts := map[string]bool{}
	for _, d := range []Direction{Egress, Ingress} {
		stack := w.stack(subject, d)
		policies := stack.ids()
		if subject.kind == kindPod && stack.apart(d) {
			r.Apart = append(r.Apart, d.String())
		}
		for _, p := range policies {
			for _, what := range w.doubts[p] {
				doubts[p.String()+": "+what] = true
			}
		}
		flows := append(w.summary(subject, w.flows(subject, d, stack), d), domains(stack, d)...)
		if d == Egress {
			r.Policies.Egress, r.Egress = policies, append(r.Egress, flows...)
		} else {
			r.Policies.Ingress, r.Ingress = policies, append(r.Ingress, flows...)
		}
	}
	r.Doubts = append(sortedKeys(doubts), w.missing...)
	if len(w.engines) > 1 {
		r.Doubts = append(r.Doubts, "there are policies of "+strings.Join(sortedKeys(w.engines), " and of ")+": only one network plugin enforces them")
	}
	r.Always = w.always(subject, r.Apart)
	r.Unknown = append(slices.Clone(r.Doubts), unknowns...)
	return r, nil
}

// unknowns hold for every pod.
var unknowns = []string{
	"whether the network plugin enforces these policies",
	"whether connections that are open already are cut",
	"ICMP and protocols other than TCP, UDP and SCTP: plugins treat them differently",
}

// always is what no policy stops for this pod.
func (w *World) always(e *endpoint, apart []string) []string {
	if e.kind != kindPod {
		return []string{"the pod uses the network of node " + e.node + ": policies do not bind it"}
	}
	own := "its own node"
	if e.node != "" {
		own += " " + e.node
	}
	switch n := w.hosts[e.node]; n {
	case 0:
	case 1:
		own += " and the pod there that uses its network"
	default:
		own += fmt.Sprintf(" and the %d pods there that use its network", n)
	}
	const inside = "traffic inside the pod"
	switch {
	case len(apart) == 2:
		return []string{inside}
	case slices.Contains(apart, Egress.String()):
		return []string{"traffic from " + own + ", probes of the kubelet among it", inside}
	case len(apart) == 1:
		return []string{"traffic to " + own, inside}
	}
	return []string{"traffic with " + own + ", probes of the kubelet among it", inside}
}

// apart says whether a policy denies a pod all traffic with its own node.
func (s stack) apart(d Direction) bool {
	for _, policies := range s {
		for _, p := range policies {
			cilium := p.id.Kind == "CiliumNetworkPolicy" || p.id.Kind == "CiliumClusterwideNetworkPolicy"
			if cilium && slices.ContainsFunc(p.rules[d], func(r rule) bool { return r.verdict == deny && r.every && meansHost(r.peers) }) {
				return true
			}
		}
	}
	return false
}

// meansHost says whether a matcher of Cilium's surely means the own node of
// whatever pod.
func meansHost(m matcher) bool {
	switch m := m.(type) {
	case anyone, ownNode:
		return true
	case kinds:
		return slices.Contains(m, kindNode)
	case either:
		return slices.ContainsFunc(m, meansHost)
	}
	return false
}

// ids are the policies of a stack, in order of evaluation.
func (s stack) ids() []Policy {
	var out []Policy
	for _, policies := range s {
		for _, p := range policies {
			if !slices.Contains(out, p.id) {
				out = append(out, p.id)
			}
		}
	}
	return out
}

// domains are the hosts that a subject's policies allow by name.
func domains(s stack, d Direction) []Flow {
	var out []Flow
	for _, policies := range s {
		for _, p := range policies {
			for i := range p.rules[d] {
				r := &p.rules[d][i]
				if len(r.domains) == 0 || r.verdict != allow {
					continue
				}
				f := Flow{Direction: d.String(), Peer: Peer{Kind: "hosts", Hosts: r.domains}, By: p.id}
				f.Ports = r.match(&endpoint{kind: kindAddress})
				out = append(out, f)
			}
		}
	}
	return out
}

// flow is what gets through to one class, in pieces by who lets it.
type flow struct {
	class
	edges []edge
}

type edge struct {
	ports Ports
	near  Policy
	far   []Policy
}

// add adds what gets through both sides by one way.
func (f *flow) add(near, far []piece) {
	for _, a := range near {
		e := edge{near: a.by}
		for _, b := range far {
			if ports := a.ports.intersect(b.ports); !ports.Empty() {
				e.ports = e.ports.union(ports)
				if b.by.Kind != "" {
					e.far = append(e.far, b.by)
				}
			}
		}
		at := slices.IndexFunc(f.edges, func(o edge) bool { return o.near == e.near })
		switch {
		case e.ports.Empty():
		case at < 0:
			f.edges = append(f.edges, e)
		default:
			old := &f.edges[at]
			old.ports = old.ports.union(e.ports)
			for _, by := range e.far {
				if !slices.Contains(old.far, by) {
					old.far = append(old.far, by)
				}
			}
		}
	}
}

// flows evaluates both sides for every class of peers.
func (w *World) flows(subject *endpoint, d Direction, own stack) []flow {
	other := Ingress
	if d == Ingress {
		other = Egress
	}
	var out []flow
	for _, c := range w.classes(subject, own) {
		var theirs stack
		if c.kind == kindPod && !local(subject, c.endpoint) {
			theirs = w.stack(c.endpoint, other)
		}
		pairs := []way{{subject, c.endpoint}}
		if own.asksAddresses() || theirs.asksAddresses() {
			pairs = ways(subject, c.endpoint)
		}
		f := flow{class: c}
		for _, one := range pairs {
			near, far := own.through(one.subject, one.peer, d), []piece{{ports: AllPorts()}}
			if len(near) > 0 && len(theirs) > 0 {
				far = apart(theirs.through(one.peer, one.subject, other))
			}
			f.add(near, far)
		}
		if len(f.edges) > 0 {
			out = append(out, f)
		}
	}
	return out
}
