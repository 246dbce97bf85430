package reach

import (
	"fmt"
	"slices"
)

// Sealed says whether the policies that select a pod deny it every connection
// with whomever, both ways, so that there is no need to look at who is there.
// False is that some rule could let something through, to somebody; open names
// the policies whose rules those are, or the zero Policy where none forbids.
func (w *World) Sealed(namespace, name string) (sealed bool, open []Policy, err error) {
	e, ok := w.pods[namespace+"/"+name]
	if !ok {
		return false, nil, fmt.Errorf("%s/%s: %w", namespace, name, ErrUnknownPod)
	}
	if e.kind != kindPod {
		return false, []Policy{{}}, nil
	}
	for _, d := range []Direction{Ingress, Egress} {
		open = append(open, w.stack(e, d).open(d)...)
	}
	return len(open) == 0, open, nil
}

// open are the policies of a stack that could let something through. A deny rule
// counts only when it is about everybody and every port.
func (s stack) open(d Direction) []Policy {
	var out []Policy
	for _, policies := range s {
		closes := false
		for i := 0; i < len(policies); {
			// Among policies of one order, whichever allows counts.
			shut, order := false, policies[i].order
			for ; i < len(policies) && policies[i].order == order; i++ {
				p := policies[i]
				closes = closes || p.closes[d]
				opens, shuts := p.opens(d)
				if opens {
					out = append(out, p.id)
				}
				shut = shut || shuts
			}
			if shut {
				return out
			}
		}
		if closes {
			return out
		}
	}
	return append(out, Policy{})
}

// opens says whether a policy could allow something, and whether it denies all
// that is left.
func (p *policy) opens(d Direction) (opens, shuts bool) {
	for i := range p.rules[d] {
		r := &p.rules[d][i]
		all := r.every && everybody(r.peers)
		switch {
		case r.verdict == deny && all:
			return opens, true
		case r.verdict == pass && all:
			return opens, false
		case r.verdict == allow:
			opens = true
		}
	}
	return opens, false
}

// everybody says whether a matcher surely means every peer.
func everybody(m matcher) bool {
	switch m := m.(type) {
	case anyone:
		return true
	case either:
		return slices.ContainsFunc(m, everybody)
	case both:
		return !slices.ContainsFunc(m, func(x matcher) bool { return !everybody(x) })
	case ofSubject:
		return everybody(m.matcher)
	}
	return false
}
