package logline

import (
	"net/netip"
	"slices"
	"strings"
)

// maxForwarded is how many of the last entries of a claimed chain are kept.
const maxForwarded = 32

// Client gives the address of a request's client that may be believed. The
// peer is who connected; forwarded is what it claims, client first, as
// X-Forwarded-For has it. A proxy adds whom it saw at the right, so the walk
// goes from there to the left for as long as the address reached is trusted:
// what an untrusted one claims is not looked at. An entry that is no address
// ends the walk before it. It is empty when the peer itself is no address.
//
// Addresses are in the canonical form of RFC 5952, an IPv4 address within IPv6
// as IPv4, without port and zone.
func Client(peer string, forwarded []string, trusted []netip.Prefix) string {
	at, ok := parseAddress(peer)
	if !ok {
		return ""
	}
	for _, entry := range slices.Backward(forwarded) {
		if !slices.ContainsFunc(trusted, func(p netip.Prefix) bool { return p.Contains(at) }) {
			break
		}
		next, ok := parseAddress(entry)
		if !ok {
			break
		}
		at = next
	}
	return at.String()
}

// address is the canonical form of a text that is an IP address, alone or
// with a port, brackets or a zone; empty for any other.
func address(s string) string {
	a, ok := parseAddress(s)
	if !ok {
		return ""
	}
	return a.String()
}

func parseAddress(s string) (netip.Addr, bool) {
	if len(s) < 2 || len(s) > 128 {
		return netip.Addr{}, false
	}
	s = strings.Trim(s, ` "`)
	if strings.HasPrefix(s, "[") {
		inner, port, closed := strings.Cut(s[1:], "]")
		if !closed || port != "" && !isPort(port) {
			return netip.Addr{}, false
		}
		s = inner
	} else if i := strings.IndexByte(s, ':'); i >= 0 && i == strings.LastIndexByte(s, ':') {
		if !isPort(s[i:]) {
			return netip.Addr{}, false
		}
		s = s[:i]
	}
	a, err := netip.ParseAddr(s)
	if err != nil {
		return netip.Addr{}, false
	}
	return a.WithZone("").Unmap(), true
}

// isPort says whether s is a colon and a port's number.
func isPort(s string) bool {
	return len(s) >= 2 && len(s) <= 6 && s[0] == ':' && digits(s[1:])
}

// chain splits an X-Forwarded-For into its entries; of a long one the last.
func chain(s string) []string {
	var list []string
	for len(list) < maxForwarded && s != "" {
		i := strings.LastIndexByte(s, ',')
		if entry := strings.TrimSpace(s[i+1:]); entry != "" && entry != "-" {
			list = append(list, entry)
		}
		s = s[:max(i, 0)]
	}
	slices.Reverse(list)
	return list
}

// hops reads what some servers write in place of the peer's address: a chain
// whose last entry the server's own neighbour added.
func hops(s string) (peer string, forwarded []string) {
	list := chain(s)
	if len(list) == 0 {
		return "", nil
	}
	last := len(list) - 1
	if peer = address(list[last]); peer == "" {
		return "", nil
	}
	return peer, list[:last]
}
