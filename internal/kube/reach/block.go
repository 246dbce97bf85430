package reach

import (
	"fmt"
	"net/netip"
	"slices"
)

// block is a CIDR without some of its parts.
type block struct {
	in     netip.Prefix
	except []netip.Prefix
}

// parseBlock reads a CIDR; a bare address is a block of one.
func parseBlock(cidr string, except ...string) (block, error) {
	in, err := parsePrefix(cidr)
	if err != nil {
		return block{}, err
	}
	b := block{in: in}
	for _, text := range except {
		out, err := parsePrefix(text)
		if err != nil {
			return block{}, err
		}
		b.except = append(b.except, out)
	}
	return b, nil
}

func parsePrefix(text string) (netip.Prefix, error) {
	if p, err := netip.ParsePrefix(text); err == nil {
		return p.Masked(), nil
	}
	a, err := netip.ParseAddr(text)
	if err != nil {
		return netip.Prefix{}, fmt.Errorf("%q is no address block", text)
	}
	a = a.Unmap().WithZone("")
	return netip.PrefixFrom(a, a.BitLen()), nil
}

func (b block) contains(a netip.Addr) bool {
	if !b.in.Contains(a) {
		return false
	}
	for _, e := range b.except {
		if e.Contains(a) {
			return false
		}
	}
	return true
}

// part is a run of addresses between two borders that policies name.
type part struct{ lo, hi netip.Addr }

// partition cuts all addresses at the borders of the prefixes, so that every
// part is wholly inside or outside of each of them.
func partition(prefixes []netip.Prefix) []part {
	starts := map[netip.Addr]bool{netip.IPv4Unspecified(): true, netip.IPv6Unspecified(): true}
	for _, p := range prefixes {
		starts[p.Addr()] = true
		if next := last(p).Next(); next.IsValid() {
			starts[next] = true
		}
	}
	list := make([]netip.Addr, 0, len(starts))
	for a := range starts {
		list = append(list, a)
	}
	slices.SortFunc(list, netip.Addr.Compare)
	parts := make([]part, len(list))
	for i, lo := range list {
		hi := last(netip.PrefixFrom(lo, 0).Masked())
		if i+1 < len(list) && list[i+1].Is4() == lo.Is4() {
			hi = list[i+1].Prev()
		}
		parts[i] = part{lo, hi}
	}
	return parts
}

// locate is the number of the part that holds an address.
func locate(parts []part, a netip.Addr) int {
	i, found := slices.BinarySearchFunc(parts, a, func(p part, a netip.Addr) int { return p.lo.Compare(a) })
	if !found {
		i--
	}
	return i
}

// last is the last address of a prefix.
func last(p netip.Prefix) netip.Addr {
	bytes := p.Masked().Addr().AsSlice()
	for i := p.Bits(); i < len(bytes)*8; i++ {
		bytes[i/8] |= 1 << (7 - i%8)
	}
	a, _ := netip.AddrFromSlice(bytes)
	return a
}

// prefixes writes a run of addresses as the fewest CIDRs.
func (p part) prefixes() []netip.Prefix {
	var out []netip.Prefix
	for lo := p.lo; lo.IsValid() && lo.Compare(p.hi) <= 0; {
		bits := lo.BitLen()
		for bits > 0 {
			wider := netip.PrefixFrom(lo, bits-1).Masked()
			if wider.Addr() != lo || last(wider).Compare(p.hi) > 0 {
				break
			}
			bits--
		}
		next := netip.PrefixFrom(lo, bits)
		out = append(out, next)
		lo = last(next).Next()
	}
	return out
}
