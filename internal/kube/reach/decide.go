package reach

import (
	"net/netip"
	"slices"
)

// piece is a set of ports with the policy that decided them.
type piece struct {
	ports Ports
	by    Policy
}

// stack is what is about one subject in one direction: the policies of each
// tier, found once and asked for every peer.
type stack [][]*policy

func (w *World) stack(subject *endpoint, d Direction) stack {
	var s stack
	for _, t := range w.tiers {
		if list := t.selecting(subject, d); len(list) > 0 {
			s = append(s, list)
		}
	}
	return s
}

// way is a pair of addresses by which two ends can talk: the ends, each with that
// one alone.
type way struct{ subject, peer *endpoint }

// ways are all pairs of addresses of one family. A connection goes by one of them,
// and both ends' policies are asked of that one: what a rule denies by address is
// that address, and no more. Where two ends have no family in common, something
// between may translate: then each pair counts, as it does of addresses outside of
// the cluster. Of an end whose addresses are not known nothing is asked by them.
func ways(subject, peer *endpoint) []way {
	if len(subject.addresses) < 2 && len(peer.addresses) < 2 {
		return []way{{subject, peer}}
	}
	var all, same []way
	for _, a := range subject.each() {
		for _, b := range peer.each() {
			all = append(all, way{a, b})
			if len(a.addresses) > 0 && len(b.addresses) > 0 && a.addresses[0].Is4() == b.addresses[0].Is4() {
				same = append(same, way{a, b})
			}
		}
	}
	if len(same) == 0 || peer.kind == kindAddress {
		return all
	}
	return same
}

// each is the end once for each of its addresses.
func (e *endpoint) each() []*endpoint {
	if len(e.addresses) < 2 {
		return []*endpoint{e}
	}
	var out []*endpoint
	for _, a := range e.addresses {
		one := *e
		one.addresses = []netip.Addr{a}
		out = append(out, &one)
	}
	return out
}

// asksAddresses says whether any policy of the stack names addresses.
func (s stack) asksAddresses() bool {
	return slices.ContainsFunc(s, func(policies []*policy) bool {
		return slices.ContainsFunc(policies, func(p *policy) bool { return len(p.prefixes) > 0 })
	})
}

// through are the ports that the subject's policies let through between it and a
// peer of one address, each with who decided. The destination is who names ports.
func (s stack) through(subject, peer *endpoint, d Direction) []piece {
	destination := subject
	if d == Egress {
		destination = peer
	}
	rest := AllPorts()
	var out []piece
	for _, policies := range s {
		var passed Ports
		closes := false
		for len(policies) > 0 {
			n := 1
			for n < len(policies) && policies[n].order == policies[0].order {
				n++
			}
			var g group
			for _, p := range policies[:n] {
				g.ask(p, rest, subject, peer, destination, d)
				closes = closes || p.closes[d]
			}
			policies = policies[n:]
			out = append(out, g.allowed...)
			through := g.passed.minus(g.open)
			passed = passed.union(through)
			rest = rest.minus(g.open).minus(through).minus(g.denied)
		}
		if closes {
			rest = Ports{}
		}
		if rest = rest.union(passed); rest.Empty() {
			return out
		}
	}
	return append(out, piece{ports: rest})
}

// group are policies of one order. Which of them is asked first is nobody's
// promise, so what one of them allows counts as allowed, and what one of them
// passes on as passed on rather than denied.
type group struct {
	allowed              []piece
	open, passed, denied Ports
}

func (g *group) ask(p *policy, rest Ports, subject, peer, destination *endpoint, d Direction) {
	var mine Ports
	for i := range p.rules[d] {
		r := &p.rules[d][i]
		if !r.peers.match(subject, peer) {
			continue
		}
		hit := r.match(destination).intersect(rest)
		if hit.Empty() {
			continue
		}
		rest = rest.minus(hit)
		switch r.verdict {
		case allow:
			mine = mine.union(hit)
		case deny:
			g.denied = g.denied.union(hit)
		case pass:
			g.passed = g.passed.union(hit)
		}
		if rest.Empty() {
			break
		}
	}
	if !mine.Empty() {
		g.allowed = append(g.allowed, piece{mine, p.id})
		g.open = g.open.union(mine)
	}
}

// apart makes the pieces disjoint: the first that has a port keeps it.
func apart(pieces []piece) []piece {
	var seen Ports
	var out []piece
	for _, p := range pieces {
		if p.ports = p.ports.minus(seen); !p.ports.Empty() {
			out = append(out, p)
			seen = seen.union(p.ports)
		}
	}
	return out
}
