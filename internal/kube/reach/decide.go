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

// allowed are the ports that the subject's policies let through between it and
// a peer, each with who decided. The destination is who names ports. A peer of
// several addresses (two families, or a node's) gets through by any of them: what
// a rule denies by address is that address, and no more.
func (s stack) allowed(subject, peer *endpoint, d Direction) []piece {
	if len(peer.addresses) < 2 || !s.asksAddresses() {
		return s.through(subject, peer, d)
	}
	var out []piece
	for _, a := range peer.addresses {
		one := *peer
		one.addresses = []netip.Addr{a}
		for _, p := range s.through(subject, &one, d) {
			if i := slices.IndexFunc(out, func(o piece) bool { return o.by == p.by }); i >= 0 {
				out[i].ports = out[i].ports.union(p.ports)
			} else {
				out = append(out, p)
			}
		}
	}
	return out
}

// asksAddresses says whether any policy of the stack names addresses.
func (s stack) asksAddresses() bool {
	return slices.ContainsFunc(s, func(policies []*policy) bool {
		return slices.ContainsFunc(policies, func(p *policy) bool { return len(p.prefixes) > 0 })
	})
}

// through is allowed for a peer of one address.
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
