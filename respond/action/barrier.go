package action

import (
	"cmp"
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"strings"
)

// barrier is traffic that is to be kept from the pods of a namespace, whatever
// it is kept out with.
type barrier struct {
	namespace string
	// pods are labels that a pod must have; none is every pod of the namespace.
	pods            map[string]string
	ingress, egress bool
	// deny are the addresses that are kept out. It is empty where only is set:
	// then everything is kept out but what is allowed.
	deny []netip.Prefix
	only bool
	// allow are addresses and namespaces that may pass; dns lets names be looked
	// up, whichever namespaces may pass.
	allow      []netip.Prefix
	namespaces []string
	dns        bool
	// cutProbes keeps the pods' own nodes out too, and the kubelet's probes with
	// them, where the means can.
	cutProbes bool
}

// The directions of traffic, as the pods see it.
const (
	directionIngress = "ingress"
	directionEgress  = "egress"
	directionBoth    = "both"
)

// everywhere are all addresses.
func everywhere() []string { return []string{"0.0.0.0/0", "::/0"} }

// dnsNamespace is where a cluster's names are looked up.
const dnsNamespace = "kube-system"

// maxPrefixes bounds the addresses of one step. Each means is known to take as
// many.
const maxPrefixes = 100

// prefixes reads addresses and CIDRs, once each, in order.
func prefixes(texts []string) ([]netip.Prefix, error) {
	if len(texts) > maxPrefixes {
		return nil, fmt.Errorf("%d addresses are more than %d", len(texts), maxPrefixes)
	}
	var all []netip.Prefix
	for _, text := range texts {
		p, err := prefix(text)
		if err != nil {
			return nil, err
		}
		all = append(all, p)
	}
	slices.SortFunc(all, comparePrefix)
	return slices.Compact(all), nil
}

func comparePrefix(a, b netip.Prefix) int {
	return cmp.Or(a.Addr().Compare(b.Addr()), cmp.Compare(a.Bits(), b.Bits()))
}

// prefix reads an address or a CIDR. One with bits behind the prefix is a
// mistake, and not what somebody meant.
func prefix(text string) (netip.Prefix, error) {
	if a, err := netip.ParseAddr(text); err == nil {
		if a = a.Unmap(); a.Zone() != "" {
			return netip.Prefix{}, fmt.Errorf("address %.60q has a zone", text)
		}
		return netip.PrefixFrom(a, a.BitLen()), nil
	}
	p, err := netip.ParsePrefix(text)
	switch {
	case err != nil:
		return netip.Prefix{}, fmt.Errorf("%.60q is neither an address nor a CIDR", text)
	case p.Addr().Is4In6():
		return netip.Prefix{}, fmt.Errorf("%s: write it as IPv4", p)
	case p.Masked() != p:
		return netip.Prefix{}, fmt.Errorf("%s has bits behind its prefix: %s?", p, p.Masked())
	}
	return p, nil
}

// widest are the shortest prefixes that are denied: what is wider is a large
// part of the world, and mostly a mistake.
const widest4, widest6 = 8, 16

// deniable says what is wrong with denying addresses.
func deniable(p netip.Prefix) error {
	a := p.Addr()
	switch {
	case a.Is4() && p.Bits() < widest4, a.Is6() && p.Bits() < widest6:
		return fmt.Errorf("%s is too wide: at least /%d, or /%d for IPv6", p, widest4, widest6)
	case a.IsUnspecified(), a.IsLoopback(), a.IsMulticast():
		return fmt.Errorf("%s is the address of nobody else", p)
	case a.IsLinkLocalUnicast() && !isMetadata(p):
		return fmt.Errorf("%s is link-local: name resolution of nodes may be there", p)
	}
	return nil
}

// isMetadata says that it is the one address by which clouds tell a machine
// about itself and its credentials.
func isMetadata(p netip.Prefix) bool {
	return p == netip.MustParsePrefix("169.254.169.254/32")
}

// texts are prefixes as APIs take them.
func texts(list []netip.Prefix) []string {
	out := make([]string, 0, len(list))
	for _, p := range list {
		out = append(out, p.String())
	}
	return out
}

// within are the prefixes that lie in a wider one.
func within(wide string, list []netip.Prefix) []string {
	whole := netip.MustParsePrefix(wide)
	var out []string
	for _, p := range list {
		if p.Addr().Is4() == whole.Addr().Is4() && whole.Overlaps(p) {
			out = append(out, p.String())
		}
	}
	return out
}

// sides are the directions that are meant, sorted.
func (b barrier) sides() []string {
	var out []string
	if b.egress {
		out = append(out, directionEgress)
	}
	if b.ingress {
		out = append(out, directionIngress)
	}
	return out
}

// toward is the barrier in one direction only.
func (b barrier) toward(side string) barrier {
	b.ingress, b.egress = side == directionIngress, side == directionEgress
	return b
}

// who says which pods are meant.
func (b barrier) who() string {
	if len(b.pods) == 0 {
		return "pods of namespace " + b.namespace
	}
	return fmt.Sprintf("pods of namespace %s with %s", b.namespace, pairs(b.pods))
}

// what says which traffic is meant.
func (b barrier) what() string {
	sides := strings.Join(b.sides(), " and ")
	if !b.only {
		return fmt.Sprintf("%s of %s", sides, shortList(texts(b.deny)))
	}
	var but []string
	if len(b.allow) > 0 {
		but = append(but, shortList(texts(b.allow)))
	}
	if len(b.namespaces) > 0 {
		but = append(but, "namespaces "+shortList(b.namespaces))
	}
	if b.dns {
		but = append(but, "looking names up")
	}
	if len(but) == 0 {
		return "all " + sides
	}
	return fmt.Sprintf("all %s but %s", sides, strings.Join(but, "; "))
}

// shortList is a list in words, cut.
func shortList(list []string) string {
	const most = 5
	if len(list) <= most {
		return strings.Join(list, ", ")
	}
	return fmt.Sprintf("%s and %d more", strings.Join(list[:most], ", "), len(list)-most)
}

// nameSelector selects namespaces by the label that every one has.
func nameSelector(names ...string) object {
	if len(names) == 1 {
		return object{"matchLabels": object{"kubernetes.io/metadata.name": names[0]}}
	}
	return object{"matchExpressions": []object{{"key": "kubernetes.io/metadata.name", "operator": "In", "values": names}}}
}

// labelsOf are labels as an object, for a selector.
func labelsOf(labels map[string]string) object {
	out := object{}
	for k, v := range labels {
		out[k] = v
	}
	return out
}

// chunks cuts a list into pieces of at most n.
func chunks[T any](list []T, n int) [][]T { return slices.Collect(slices.Chunk(list, n)) }

// pairs are labels in words.
func pairs(labels map[string]string) string {
	var all []string
	for _, k := range slices.Sorted(maps.Keys(labels)) {
		all = append(all, k+"="+labels[k])
	}
	return shortList(all)
}
