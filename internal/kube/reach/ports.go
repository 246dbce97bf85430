package reach

import (
	"fmt"
	"slices"
	"strings"
)

// Protocol is one of those that policies can tell apart.
type Protocol uint8

// The protocols of ports.
const (
	TCP Protocol = iota
	UDP
	SCTP
	protocols
)

// String reads TCP, UDP or SCTP.
func (p Protocol) String() string {
	if p >= protocols {
		return "unknown"
	}
	return [...]string{"TCP", "UDP", "SCTP"}[p]
}

// ParseProtocol reads TCP, UDP or SCTP, in any case; empty is TCP, as in the
// API.
func ParseProtocol(s string) (Protocol, bool) {
	switch strings.ToUpper(s) {
	case "", "TCP":
		return TCP, true
	case "UDP":
		return UDP, true
	case "SCTP":
		return SCTP, true
	}
	return 0, false
}

// span is a range of ports with both ends.
type span struct{ lo, hi uint16 }

// Ports is a set of ports of each protocol. The zero value is empty. It is a
// value: operations make new ones.
type Ports struct {
	// by protocol: sorted, apart, and not even touching.
	by [protocols][]span
}

const lowest, highest = 1, 65535

// AllPorts is every port of every protocol.
func AllPorts() Ports {
	return Ports{by: [protocols][]span{{{lowest, highest}}, {{lowest, highest}}, {{lowest, highest}}}}
}

// portRange is a set of one range; one that is out of bounds or the wrong way
// round is empty.
func portRange(p Protocol, lo, hi int) Ports {
	lo, hi = max(lo, lowest), min(hi, highest)
	var s Ports
	if lo <= hi && p < protocols {
		s.by[p] = []span{{uint16(lo), uint16(hi)}}
	}
	return s
}

// Empty says that no port is in the set.
func (s Ports) Empty() bool { return len(s.by[TCP])+len(s.by[UDP])+len(s.by[SCTP]) == 0 }

// All says that every port is.
func (s Ports) All() bool {
	for _, spans := range s.by {
		if len(spans) != 1 || spans[0] != (span{lowest, highest}) {
			return false
		}
	}
	return true
}

// Contains says whether a port is in the set.
func (s Ports) Contains(p Protocol, port uint16) bool {
	if p >= protocols {
		return false
	}
	i, found := slices.BinarySearchFunc(s.by[p], port, func(x span, port uint16) int { return int(x.lo) - int(port) })
	return found || i > 0 && s.by[p][i-1].hi >= port
}

// First is one port of the set, the lowest of the first protocol that has any.
func (s Ports) First() (Protocol, uint16, bool) {
	for p, spans := range s.by {
		if len(spans) > 0 {
			return Protocol(p), spans[0].lo, true
		}
	}
	return 0, 0, false
}

func (s Ports) union(t Ports) Ports {
	var out Ports
	for p := range out.by {
		out.by[p] = join(s.by[p], t.by[p])
	}
	return out
}

func (s Ports) intersect(t Ports) Ports {
	var out Ports
	for p := range out.by {
		out.by[p] = common(s.by[p], t.by[p])
	}
	return out
}

func (s Ports) minus(t Ports) Ports {
	var out Ports
	for p := range out.by {
		out.by[p] = common(s.by[p], complement(t.by[p]))
	}
	return out
}

// join is the union of two lists.
func join(a, b []span) []span {
	switch {
	case len(a) == 0:
		return b
	case len(b) == 0:
		return a
	}
	all := append(slices.Clone(a), b...)
	slices.SortFunc(all, func(x, y span) int { return int(x.lo) - int(y.lo) })
	out := all[:1]
	for _, x := range all[1:] {
		if last := &out[len(out)-1]; int(x.lo) <= int(last.hi)+1 {
			last.hi = max(last.hi, x.hi)
		} else {
			out = append(out, x)
		}
	}
	return out
}

// common is the intersection of two lists.
func common(a, b []span) []span {
	var out []span
	for i, j := 0, 0; i < len(a) && j < len(b); {
		if lo, hi := max(a[i].lo, b[j].lo), min(a[i].hi, b[j].hi); lo <= hi {
			out = append(out, span{lo, hi})
		}
		if a[i].hi < b[j].hi {
			i++
		} else {
			j++
		}
	}
	return out
}

// complement is every other port.
func complement(a []span) []span {
	var out []span
	next := lowest
	for _, x := range a {
		if int(x.lo) > next {
			out = append(out, span{uint16(next), x.lo - 1})
		}
		next = int(x.hi) + 1
	}
	if next <= highest {
		out = append(out, span{uint16(next), highest})
	}
	return out
}

// String reads "all ports", "TCP 80, 443, 8000-8010; UDP all" or "none".
func (s Ports) String() string {
	if s.All() {
		return "all ports"
	}
	var parts []string
	for p, spans := range s.by {
		if len(spans) == 0 {
			continue
		}
		var list []string
		for _, x := range spans {
			switch {
			case x == span{lowest, highest}:
				list = append(list, "all")
			case x.lo == x.hi:
				list = append(list, fmt.Sprint(x.lo))
			default:
				list = append(list, fmt.Sprintf("%d-%d", x.lo, x.hi))
			}
		}
		parts = append(parts, Protocol(p).String()+" "+strings.Join(list, ", "))
	}
	if len(parts) == 0 {
		return "none"
	}
	return strings.Join(parts, "; ")
}

// MarshalText is [Ports.String], for JSON.
func (s Ports) MarshalText() ([]byte, error) { return []byte(s.String()), nil }
