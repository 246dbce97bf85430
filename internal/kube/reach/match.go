package reach

import (
	"net/netip"
	"slices"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
)

// matcher says whether a peer of a subject is meant.
type matcher interface {
	match(subject, peer *endpoint) bool
}

// anyone is every peer; nobody is none.
type anyone struct{}

func (anyone) match(_, _ *endpoint) bool { return true }

type nobody struct{}

func (nobody) match(_, _ *endpoint) bool { return false }

// podsIn are pods by namespace and labels. Those of the host network are none.
type podsIn struct {
	spaces spaceMatcher
	pods   labels.Selector
}

func (m podsIn) match(subject, peer *endpoint) bool {
	return peer.kind == kindPod && m.spaces.matchSpace(subject, peer.space) && m.pods.Matches(labels.Set(peer.labels))
}

// spaceMatcher says whether a namespace is meant.
type spaceMatcher interface {
	matchSpace(subject *endpoint, s *space) bool
}

type spaceNamed string

func (n spaceNamed) matchSpace(_ *endpoint, s *space) bool { return s.name == string(n) }

type spaceLabelled struct{ selector labels.Selector }

func (l spaceLabelled) matchSpace(_ *endpoint, s *space) bool {
	return l.selector.Matches(labels.Set(s.labels))
}

// spaceSame are namespaces that have all of the labels, with the same values as
// the subject's, or with differ set at least one other.
type spaceSame struct {
	keys   []string
	differ bool
}

func (m spaceSame) matchSpace(subject *endpoint, s *space) bool {
	if len(m.keys) == 0 || subject.space == nil {
		return false
	}
	same := true
	for _, k := range m.keys {
		v, ok := s.labels[k]
		if !ok {
			return false
		}
		own, has := subject.space.labels[k]
		same = same && has && own == v
	}
	return same != m.differ
}

// within are peers by address. With outside set those of the cluster's own pods
// and nodes are none.
type within struct {
	blocks  []block
	outside bool
}

func (m within) match(_, peer *endpoint) bool {
	if m.outside && peer.kind != kindAddress {
		return false
	}
	return slices.ContainsFunc(peer.addresses, func(a netip.Addr) bool {
		return slices.ContainsFunc(m.blocks, func(b block) bool { return b.contains(a) })
	})
}

// nodesBy are nodes by label, with all that uses their network.
type nodesBy struct{ selector labels.Selector }

func (m nodesBy) match(_, peer *endpoint) bool {
	return peer.kind == kindNode && m.selector.Matches(labels.Set(peer.labels))
}

// ownNode is the subject's own node.
type ownNode struct{}

func (ownNode) match(subject, peer *endpoint) bool {
	return peer.kind == kindNode && peer.name == subject.node
}

// kinds are all peers of some kinds.
type kinds []kind

func (m kinds) match(_, peer *endpoint) bool { return slices.Contains(m, peer.kind) }

// either is any of several, both all of them, not the others.
type (
	either []matcher
	both   []matcher
	not    struct{ matcher }
)

func (m either) match(s, p *endpoint) bool {
	return slices.ContainsFunc(m, func(x matcher) bool { return x.match(s, p) })
}

func (m both) match(s, p *endpoint) bool {
	return !slices.ContainsFunc(m, func(x matcher) bool { return !x.match(s, p) })
}

func (m not) match(s, p *endpoint) bool { return !m.matcher.match(s, p) }

// collector gathers what policies can tell peers apart by.
type collector struct {
	keys     map[string]bool
	names    map[string]bool
	accounts bool
	prefixes []netip.Prefix
}

func newCollector() *collector {
	return &collector{keys: map[string]bool{}, names: map[string]bool{}}
}

// selector compiles a label selector. Nil is refused by callers: what it means
// differs from place to place.
func (c *collector) selector(s *metav1.LabelSelector) (labels.Selector, error) {
	compiled, err := metav1.LabelSelectorAsSelector(s)
	if err != nil {
		return nil, err
	}
	requirements, _ := compiled.Requirements()
	for _, r := range requirements {
		c.keys[r.Key()] = true
	}
	return compiled, nil
}

func (c *collector) block(cidr string, except ...string) (block, error) {
	b, err := parseBlock(cidr, except...)
	if err == nil {
		c.prefixes = append(append(c.prefixes, b.in), b.except...)
	}
	return b, err
}
