package function

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"github.com/firebreak-io/firebreak/internal/conf"
)

func init() {
	register(Function{
		Func: conf.Func{
			Name: "cidr", Signature: new(func(any, ...any) bool), Fn: inNetworks, Prepare: prepareNetworks, Constant: afterFirst,
		},
		Usage:   "cidr(address, network…) bool",
		Doc:     "Whether an address is in one of the networks, which are constants or lists of them. A network is an address or a prefix as in 10.0.0.0/8.",
		Example: `cidr("10.1.2.3", "192.168.0.0/16", "10.0.0.0/8")`,
	})
	register(Function{
		Func:    conf.Func{Name: "is_public", Signature: new(func(any) bool), Fn: isPublic},
		Usage:   "is_public(address) bool",
		Doc:     "Whether an address is one of the internet at large: not private, shared (100.64.0.0/10), loopback, link-local, multicast or unspecified. Text that is no address is not public.",
		Example: `is_public("198.51.100.7") and not is_public("10.0.0.1")`,
	})
	register(Function{
		Func:    conf.Func{Name: "is_private", Signature: new(func(any) bool), Fn: isPrivate},
		Usage:   "is_private(address) bool",
		Doc:     "Whether an address is one that only some network of its own knows: private, shared, loopback or link-local. Text that is no address is not private.",
		Example: `is_private("fd00::1") and not is_private("unknown")`,
	})
}

// address reads an IP address, which may have a port, a zone or brackets. An
// IPv4 address that is written as IPv6 is an IPv4 address.
func address(v any) (netip.Addr, bool) {
	s, _ := v.(string)
	if len(s) > 128 {
		return netip.Addr{}, false
	}
	s = strings.TrimSpace(s)
	a, err := netip.ParseAddr(strings.Trim(s, "[]"))
	if err != nil {
		p, err := netip.ParseAddrPort(s)
		if err != nil {
			return netip.Addr{}, false
		}
		a = p.Addr()
	}
	return a.Unmap().WithZone(""), true
}

type networks []netip.Prefix

func prepareNetworks(i int, constant any) (any, error) {
	if i == 0 {
		return constant, nil
	}
	texts, err := constantTexts(constant)
	if err != nil {
		return nil, err
	}
	var out networks
	for _, s := range texts {
		p, err := network(s)
		if err != nil {
			return nil, err
		}
		out = append(out, p)
	}
	return out, nil
}

// network reads an address or a prefix.
func network(s string) (netip.Prefix, error) {
	if a, err := netip.ParseAddr(s); err == nil {
		a = a.Unmap()
		return netip.PrefixFrom(a, a.BitLen()), nil
	}
	p, err := netip.ParsePrefix(s)
	if err != nil {
		return netip.Prefix{}, fmt.Errorf("%q is no network, as in 10.0.0.0/8", s)
	}
	if a := p.Addr(); a.Is4In6() && p.Bits() >= 96 {
		p = netip.PrefixFrom(a.Unmap(), p.Bits()-96)
	}
	return p.Masked(), nil
}

func inNetworks(args ...any) (any, error) {
	a, ok := address(args[0])
	if !ok {
		return false, nil
	}
	return slices.ContainsFunc(args[1:], func(arg any) bool {
		nets, _ := arg.(networks)
		return slices.ContainsFunc(nets, func(p netip.Prefix) bool { return p.Contains(a) })
	}), nil
}

var (
	shared    = netip.MustParsePrefix("100.64.0.0/10") // RFC 6598
	thisNet   = netip.MustParsePrefix("0.0.0.0/8")     // RFC 791
	reserved4 = netip.MustParsePrefix("240.0.0.0/4")   // RFC 1112
)

func isPublic(args ...any) (any, error) {
	a, ok := address(args[0])
	return ok && a.IsGlobalUnicast() && !a.IsPrivate() && !shared.Contains(a) && !thisNet.Contains(a) && !reserved4.Contains(a), nil
}

func isPrivate(args ...any) (any, error) {
	a, ok := address(args[0])
	return ok && (a.IsPrivate() || shared.Contains(a) || a.IsLoopback() || a.IsLinkLocalUnicast()), nil
}
