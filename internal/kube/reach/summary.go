package reach

import (
	"cmp"
	"fmt"
	"net/netip"
	"slices"
	"strings"
)

// Peer is who a flow is with.
type Peer struct {
	// Kind is pods, nodes, addresses or hosts (by their names).
	Kind string `json:"kind"`
	// Namespace is that of pods; empty with kind pods is all of them.
	Namespace string `json:"namespace,omitempty"`
	// Workload is KIND/NAME of the pods' controller, where it is one.
	Workload string `json:"workload,omitempty"`
	// Count is how many pods or nodes, All that these are all that there are
	// (of the namespace, or of the cluster).
	Count int  `json:"count,omitempty"`
	All   bool `json:"all,omitempty"`
	// Names are some of them.
	Names []string `json:"names,omitempty"`
	// Blocks are the addresses, outside the cluster and in it, as CIDRs; where they
	// are too many to be written, the last says [AndMore].
	Blocks []string `json:"blocks,omitempty"`
	Hosts  []string `json:"hosts,omitempty"`
}

// maxNames bounds what one peer lists.
const maxNames = 20

// String reads "all 3 pods of namespace prod" or "2 pods of Deployment/web in
// prod".
func (p Peer) String() string {
	switch p.Kind {
	case "addresses":
		return shortened(p.Blocks)
	case "hosts":
		return "hosts " + shortened(p.Hosts)
	case "nodes":
		if p.All && p.Count > 1 {
			return fmt.Sprintf("all %d other nodes", p.Count)
		}
		return "node " + shortened(p.Names)
	}
	switch {
	case p.Count == 1:
		return "pod " + p.Names[0]
	case p.Namespace == "":
		return fmt.Sprintf("all %d other pods of the cluster", p.Count)
	case p.All:
		return fmt.Sprintf("all %d pods of namespace %s", p.Count, p.Namespace)
	case p.Workload == "":
		return fmt.Sprintf("%d pods of namespace %s (%s)", p.Count, p.Namespace, shortened(p.Names))
	}
	return fmt.Sprintf("%d pods of %s in %s", p.Count, p.Workload, p.Namespace)
}

func shortened(list []string) string {
	const most = 4
	if len(list) <= most {
		return strings.Join(list, ", ")
	}
	return fmt.Sprintf("%s and %d more", strings.Join(list[:most], ", "), len(list)-most)
}

// same is what flows are told of together by.
type same struct {
	ports string
	near  Policy
	kind  kind
}

// bundle are the classes that get through alike.
type bundle struct {
	same
	all   Ports
	peers []*endpoint
	parts []part
	far   []Policy
}

// maxFar bounds how many policies of the peers' side a flow names.
const maxFar = 10

// summary tells of flows that are alike together, as widely as is true.
func (w *World) summary(subject *endpoint, flows []flow, d Direction) []Flow {
	index, bundles := map[same]int{}, []bundle{}
	for _, f := range flows {
		for _, e := range f.edges {
			s := same{e.ports.String(), e.near, f.kind}
			i, ok := index[s]
			if !ok {
				i = len(bundles)
				index[s] = i
				bundles = append(bundles, bundle{same: s, all: e.ports})
			}
			bundles[i].peers = append(bundles[i].peers, f.members...)
			bundles[i].parts = append(bundles[i].parts, f.parts...)
			for _, p := range e.far {
				if len(bundles[i].far) < maxFar && !slices.Contains(bundles[i].far, p) {
					bundles[i].far = append(bundles[i].far, p)
				}
			}
		}
	}
	per := map[string]int{}
	for _, p := range w.all {
		per[p.space.name]++
	}
	pods, nodes := len(w.all), len(w.nodes)
	if subject.kind == kindPod {
		pods--
		per[subject.space.name]--
	}
	if _, known := w.nodes[subject.node]; known {
		nodes--
	}
	var out []Flow
	for _, b := range bundles {
		for _, p := range peers(b, per, pods, nodes) {
			out = append(out, Flow{Direction: d.String(), Peer: p, Ports: b.all, By: b.near, Far: b.far})
		}
	}
	return out
}

// peers tells of a bundle: per, pods and nodes count all that there are besides
// the subject.
func peers(b bundle, per map[string]int, pods, nodes int) []Peer {
	switch b.kind {
	case kindAddress:
		return []Peer{{Kind: "addresses", Blocks: blocksOf(b.parts)}}
	case kindNode:
		p := Peer{Kind: "nodes", Count: len(b.peers), All: len(b.peers) >= nodes}
		for _, n := range b.peers[:min(len(b.peers), maxNames)] {
			p.Names = append(p.Names, n.name)
		}
		return []Peer{p}
	}
	if len(b.peers) >= pods {
		return []Peer{{Kind: "pods", Count: len(b.peers), All: true, Names: names(b.peers)}}
	}
	in := map[string][]*endpoint{}
	for _, p := range b.peers {
		in[p.space.name] = append(in[p.space.name], p)
	}
	var out []Peer
	for _, namespace := range sortedKeys(in) {
		if some := in[namespace]; len(some) < per[namespace] {
			out = append(out, workloads(namespace, some)...)
		} else {
			out = append(out, Peer{Kind: "pods", Namespace: namespace, Count: len(some), All: true, Names: names(some)})
		}
	}
	return out
}

// workloads tells of some pods of a namespace by their controllers.
func workloads(namespace string, pods []*endpoint) []Peer {
	by := map[string][]*endpoint{}
	for _, p := range pods {
		by[p.workload] = append(by[p.workload], p)
	}
	var out []Peer
	for _, workload := range sortedKeys(by) {
		out = append(out, Peer{Kind: "pods", Namespace: namespace, Workload: workload, Count: len(by[workload]), Names: names(by[workload])})
	}
	return out
}

func names(pods []*endpoint) []string {
	var out []string
	for _, p := range pods[:min(len(pods), maxNames)] {
		out = append(out, p.space.name+"/"+p.name)
	}
	return out
}

// blocksOf writes runs of addresses as CIDRs, those that touch together.
func blocksOf(parts []part) []string {
	slices.SortFunc(parts, func(a, b part) int { return cmp.Or(a.lo.Compare(b.lo), a.hi.Compare(b.hi)) })
	var runs []part
	for _, p := range parts {
		if n := len(runs); n > 0 && runs[n-1].hi.Next() == p.lo {
			runs[n-1].hi = p.hi
			continue
		}
		runs = append(runs, p)
	}
	var out []string
	for _, r := range runs {
		var list []netip.Prefix
		if list = r.prefixes(); len(out)+len(list) > maxBlocks {
			return append(out, AndMore)
		}
		for _, p := range list {
			out = append(out, p.String())
		}
	}
	return out
}

// AndMore stands for the blocks that a peer is not written as.
const AndMore = "and more"

// maxBlocks bounds how many CIDRs one peer is written as.
const maxBlocks = 256
