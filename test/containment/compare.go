package containment

import (
	"fmt"
	"net/netip"
	"slices"

	"github.com/firebreak-io/firebreak/internal/kube/reach"
)

// Judge says whether a connection is allowed.
type Judge func(from, to End, protocol string, port int) bool

// Compare asks a judge about every connection that each pod of the state could
// have, by each pair of addresses that [Between] gives, and says where package reach says otherwise. It gives how many
// connections were compared.
func Compare(s State, one Judge) (int, error) {
	judge := func(from, to End, protocol string, port int) bool {
		for _, pair := range Between(from, to) {
			if one(pair[0], pair[1], protocol, port) {
				return true
			}
		}
		return false
	}
	state, err := s.Reach()
	if err != nil {
		return 0, err
	}
	w, n := reach.New(state), 0
	for i := range s.Pods {
		p := &s.Pods[i]
		r, err := w.Report(p.Namespace, p.Name)
		if err != nil {
			return n, err
		}
		for _, peer := range s.peers(i) {
			for number, protocol := range []string{"TCP", "UDP", "SCTP"} {
				for _, port := range Ports() {
					for _, way := range []struct {
						flows    []reach.Flow
						from, to End
					}{{r.Egress, End{Pod: p}, peer}, {r.Ingress, peer, End{Pod: p}}} {
						got, said := through(way.flows, peer, number, port)
						if !said {
							continue
						}
						n++
						if want := judge(way.from, way.to, protocol, port); got != want {
							return n, fmt.Errorf("%s to %s on %s %d: reach says %v", way.from, way.to, protocol, port, got)
						}
					}
				}
			}
		}
	}
	return n, nil
}

// String names the end.
func (e End) String() string {
	switch {
	case e.Pod != nil:
		return e.Pod.Namespace + "/" + e.Pod.Name
	case e.Node != nil:
		return "node " + e.Node.Name
	}
	return e.Address
}

// peers are all that a pod could talk to, but for what is on its own node and
// uses the node's network, which always gets through and is not reported.
func (s State) peers(of int) []End {
	var out []End
	own := s.Pods[of].Spec.NodeName
	for i := range s.Pods {
		if i != of && !s.Pods[i].Spec.HostNetwork {
			out = append(out, End{Pod: &s.Pods[i]})
		}
	}
	for i := range s.Nodes {
		if n := &s.Nodes[i]; n.Name != own {
			out = append(out, End{Node: n})
		}
	}
	for _, a := range Outside() {
		out = append(out, End{Address: a})
	}
	return out
}

// through says whether a report has a flow with this peer and port; said is that it
// does say so: of addresses that are too many to be written it names some.
func through(flows []reach.Flow, e End, protocol, port int) (yes, said bool) {
	said = true
	for _, f := range flows {
		if !f.Ports.Contains(reach.Protocol(protocol), uint16(port)) {
			continue
		}
		switch f.Peer.Kind {
		case "pods":
			yes = yes || e.Pod != nil && slices.Contains(f.Peer.Names, e.Pod.Namespace+"/"+e.Pod.Name)
		case "nodes":
			yes = yes || e.Node != nil && slices.Contains(f.Peer.Names, e.Node.Name)
		case "addresses":
			if e.Pod != nil || e.Node != nil {
				continue
			}
			blocks := f.Peer.Blocks
			if cut := len(blocks) - 1; cut >= 0 && blocks[cut] == reach.AndMore {
				blocks, said = blocks[:cut], false
			}
			yes = yes || slices.ContainsFunc(blocks, func(b string) bool {
				return netip.MustParsePrefix(b).Contains(netip.MustParseAddr(e.Address))
			})
		}
	}
	return yes, yes || said
}
