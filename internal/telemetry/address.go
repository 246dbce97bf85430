package telemetry

import (
	"errors"
	"fmt"
	"net/netip"
)

// ErrAddress says that a name led to an address that is not to be reached
// from here.
var ErrAddress = errors.New("address is not allowed")

// inside are the ranges of RFC 6890 and its successors that a host needs the
// operator's leave for: this machine and private networks.
var inside = prefixes(
	"10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", // private
	"100.64.0.0/10",          // carrier-grade NAT, some pod networks
	"127.0.0.0/8", "::1/128", // loopback
	"fc00::/7", // unique local
)

// never are the ranges that no leave opens: where clouds keep credentials,
// and what is no single host.
var never = prefixes(
	"0.0.0.0/8", "::/128",
	"169.254.0.0/16", "fe80::/10", "fec0::/10", // link-local, with most clouds' metadata
	"100.100.100.200/32", "168.63.129.16/32", "fd00:ec2::254/128", "fd20:ce::254/128", "192.0.0.0/24", // other metadata
	"224.0.0.0/4", "240.0.0.0/4", "ff00::/8", // multicast, reserved, broadcast
	"192.0.2.0/24", "198.51.100.0/24", "203.0.113.0/24", "2001:db8::/32", // documentation
	"198.18.0.0/15", "192.88.99.0/24", // benchmarks, old relays
	"2001::/32", "2002::/16", // tunnels that carry an IPv4 address
	"64:ff9b:1::/48",
)

// nat64 carries an IPv4 address in its last four bytes.
var nat64 = netip.MustParsePrefix("64:ff9b::/96")

// checkAddress refuses an address that was resolved. Leave opens the ranges
// inside.
func checkAddress(addr netip.Addr, leave bool) error {
	if !addr.IsValid() {
		return ErrAddress
	}
	addr = addr.WithZone("").Unmap()
	if nat64.Contains(addr) {
		b := addr.As16()
		addr = netip.AddrFrom4([4]byte(b[12:]))
	}
	switch {
	case contains(never, addr):
		return ErrAddress
	case contains(inside, addr) && !leave:
		return fmt.Errorf("%w without leave: it is in a private network or this machine (allow_private)", ErrAddress)
	}
	return nil
}

func contains(ranges []netip.Prefix, addr netip.Addr) bool {
	for _, r := range ranges {
		if r.Contains(addr) {
			return true
		}
	}
	return false
}

func prefixes(texts ...string) []netip.Prefix {
	ranges := make([]netip.Prefix, len(texts))
	for i, t := range texts {
		ranges[i] = netip.MustParsePrefix(t)
	}
	return ranges
}
