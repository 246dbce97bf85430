package reach

import (
	"net/netip"
	"slices"
	"strconv"
	"strings"
)

// class are peers that no policy of the world can tell apart from one another,
// as far as one subject is concerned.
type class struct {
	*endpoint
	members []*endpoint
	// parts are the addresses of a class of addresses.
	parts []part
}

// classes puts all that a subject could talk to into classes: pods by
// namespace, the labels that any policy asks for, the ports whose names any
// policy mentions, and by where their addresses lie between the borders that
// the subject's own policies name; nodes one by one; and all other addresses by
// those borders.
func (w *World) classes(subject *endpoint, of stack) []class {
	var prefixes []netip.Prefix
	for _, policies := range of {
		for _, p := range policies {
			prefixes = append(prefixes, p.prefixes...)
		}
	}
	parts := partition(prefixes)
	var out []class
	at := map[string]int{}
	var key []byte
	for _, p := range w.all {
		if p == subject {
			continue
		}
		key = w.key(key[:0], p, parts, len(prefixes) > 0)
		if local(subject, p) {
			key = append(key, '+')
		}
		i, ok := at[string(key)]
		if !ok {
			i = len(out)
			at[string(key)] = i
			out = append(out, class{endpoint: p})
		}
		out[i].members = append(out[i].members, p)
	}
	for _, name := range sortedKeys(w.nodes) {
		// What runs on the subject's own node always gets through.
		if n := w.nodes[name]; n.name != subject.node && n != subject {
			out = append(out, class{endpoint: n, members: []*endpoint{n}})
		}
	}
	for _, p := range parts {
		e := &endpoint{kind: kindAddress, addresses: []netip.Addr{p.lo}}
		out = append(out, class{endpoint: e, parts: []part{p}})
	}
	return out
}

// local says that one end uses the network of the other's node: no policy stops
// what is between them.
func local(a, b *endpoint) bool { return a.kind == kindNode && b.kind == kindPod && a.node == b.node }

func (w *World) key(key []byte, p *endpoint, parts []part, blocks bool) []byte {
	put := func(s string) { key = append(append(key, s...), 0) }
	put(p.space.name)
	keys := make([]string, 0, len(p.labels))
	for k := range p.labels {
		if w.keys[k] {
			keys = append(keys, k)
		}
	}
	slices.Sort(keys)
	for _, k := range keys {
		put(k)
		put(p.labels[k])
	}
	put("")
	for _, n := range p.named {
		if w.names[n.name] {
			put(n.name)
			key = strconv.AppendInt(key, int64(n.protocol)<<16|int64(n.port), 10)
			put("")
		}
	}
	if w.accounts {
		put(p.account)
	}
	for _, a := range p.addresses { // by which addresses of the subject they can talk
		key = strconv.AppendBool(key, a.Is4())
	}
	put("")
	// Pods are told of by workload: one that has none stands for itself.
	put(p.workload)
	if blocks {
		for _, a := range p.addresses {
			key = strconv.AppendInt(key, int64(locate(parts, a)), 10)
			put("")
		}
	}
	return key
}

func sortedKeys[V any](m map[string]V) []string {
	keys := make([]string, 0, len(m))
	for k := range m {
		keys = append(keys, k)
	}
	slices.SortFunc(keys, strings.Compare)
	return keys
}
