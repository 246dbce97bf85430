package reach

import (
	"encoding/json"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
)

// calicoSpec is what is read of Calico's NetworkPolicy and GlobalNetworkPolicy.
type calicoSpec struct {
	Tier                   string       `json:"tier"`
	Order                  *float64     `json:"order"`
	Selector               string       `json:"selector"`
	NamespaceSelector      string       `json:"namespaceSelector"`
	ServiceAccountSelector string       `json:"serviceAccountSelector"`
	Types                  []string     `json:"types"`
	Ingress                []calicoRule `json:"ingress"`
	Egress                 []calicoRule `json:"egress"`
	DoNotTrack             bool         `json:"doNotTrack"`
	PreDNAT                bool         `json:"preDNAT"`
}

type calicoRule struct {
	Action      string          `json:"action"`
	Protocol    any             `json:"protocol"`
	NotProtocol any             `json:"notProtocol"`
	ICMP        json.RawMessage `json:"icmp"`
	NotICMP     json.RawMessage `json:"notICMP"`
	HTTP        json.RawMessage `json:"http"`
	Source      calicoEntity    `json:"source"`
	Destination calicoEntity    `json:"destination"`
}

type calicoEntity struct {
	Nets              []string        `json:"nets"`
	NotNets           []string        `json:"notNets"`
	Selector          string          `json:"selector"`
	NotSelector       string          `json:"notSelector"`
	NamespaceSelector string          `json:"namespaceSelector"`
	Ports             []any           `json:"ports"`
	NotPorts          []any           `json:"notPorts"`
	ServiceAccounts   json.RawMessage `json:"serviceAccounts"`
	Services          json.RawMessage `json:"services"`
	Domains           []string        `json:"domains"`
}

// calicoTier is what a Tier object says.
type calicoTier struct {
	order float64
	pass  bool
}

// calicoTiers reads the Tier objects. A tier that is not there comes last.
func calicoTiers(objects []Object) map[string]calicoTier {
	tiers := map[string]calicoTier{"default": {order: orderPolicy}}
	for _, o := range objects {
		if o.Kind != "Tier" || !strings.HasSuffix(o.Group, "projectcalico.org") {
			continue
		}
		var spec struct {
			Order         *float64 `json:"order"`
			DefaultAction string   `json:"defaultAction"`
		}
		if o.decode(&spec) != nil || o.Name == "default" {
			continue
		}
		t := calicoTier{order: math.MaxFloat64, pass: spec.DefaultAction == "Pass"}
		if spec.Order != nil {
			t.order = *spec.Order
		}
		tiers[o.Name] = t
	}
	return tiers
}

// calico compiles one policy of Calico.
func (c *compiler) calico(o Object, tiers map[string]calicoTier) error {
	if o.Kind != "NetworkPolicy" && o.Kind != "GlobalNetworkPolicy" {
		return nil
	}
	var spec calicoSpec
	if err := o.decode(&spec); err != nil {
		return err
	}
	if spec.DoNotTrack || spec.PreDNAT {
		return nil // about hosts
	}
	id := o.id()
	id.Kind = "Calico " + id.Kind
	name := "default"
	if spec.Tier != "" {
		name = spec.Tier
	}
	t, ok := tiers[name]
	if !ok {
		t = calicoTier{order: math.MaxFloat64}
	}
	p := &policy{id: id, namespace: o.Namespace, order: math.MaxFloat64}
	if spec.Order != nil {
		p.order = *spec.Order
	}
	var err error
	if p.subject, err = c.calicoSubject(o, &spec); err != nil {
		return err
	}
	types := spec.Types
	if len(types) == 0 {
		if len(spec.Ingress) > 0 || len(spec.Egress) == 0 {
			types = append(types, "Ingress")
		}
		if len(spec.Egress) > 0 {
			types = append(types, "Egress")
		}
	}
	p.applies = [2]bool{slices.Contains(types, "Ingress"), slices.Contains(types, "Egress")}
	for d, rules := range [2][]calicoRule{spec.Ingress, spec.Egress} {
		p.closes[d] = p.applies[d] && !t.pass
		for i := range rules {
			r, ok, err := c.calicoRule(id, o, &rules[i], Direction(d))
			if err != nil {
				return err
			}
			if ok {
				p.rules[d] = append(p.rules[d], r)
			}
		}
	}
	if name == "default" {
		name = "NetworkPolicy" // where Calico puts those, too
	}
	c.add(name, t.order, p)
	return nil
}

func (c *compiler) calicoSubject(o Object, spec *calicoSpec) (matcher, error) {
	var all both
	for _, s := range []struct {
		text  string
		space bool
	}{{spec.Selector, false}, {spec.NamespaceSelector, true}} {
		if strings.TrimSpace(s.text) == "" {
			continue
		}
		x, err := c.calicoSelector(s.text)
		if err != nil {
			return nil, err
		}
		all = append(all, calicoPods{x, s.space})
	}
	if spec.ServiceAccountSelector != "" {
		// A pod that it does not mean would be bound less than it seems.
		c.doubt(Policy{"Calico " + o.Kind, o.Namespace, o.Name}, "it selects by labels of service accounts, which are not looked at: it counts for every account")
	}
	return append(all, kinds{kindPod}), nil
}

// calicoRule compiles one rule; false is one that says nothing of ports or that
// does not decide (Log).
func (c *compiler) calicoRule(id Policy, o Object, r *calicoRule, d Direction) (rule, bool, error) {
	var out rule
	switch r.Action {
	case "Allow":
		out.verdict = allow
	case "Deny":
		out.verdict = deny
	case "Pass":
		out.verdict = pass
	case "Log":
		return out, false, nil
	default:
		return out, false, fmt.Errorf("action %q is not known", r.Action)
	}
	peer, own := &r.Source, &r.Destination
	if d == Egress {
		peer, own = own, peer
	}
	narrower := r.NotProtocol != nil || len(r.HTTP) > 0 || len(r.Source.Ports)+len(r.Source.NotPorts) > 0 ||
		len(peer.ServiceAccounts)+len(own.ServiceAccounts) > 0 ||
		len(peer.Services)+len(own.Services) > 0
	if narrower {
		c.doubt(id, "a rule narrows by what is not looked at here (service accounts, services, HTTP, source ports or a negated protocol): allow rules count without that, others not at all")
		if out.verdict != allow {
			return out, false, nil
		}
	}
	if len(r.ICMP)+len(r.NotICMP) > 0 {
		return out, false, nil
	}
	if out.domains = peer.Domains; len(out.domains) > 0 {
		c.doubt(id, "it names hosts by name; what their addresses are is not known here")
	}
	peers, err := c.calicoPeer(o, peer)
	if err != nil {
		return out, false, err
	}
	mine, err := c.calicoPeer(o, own)
	if err != nil {
		return out, false, err
	}
	out.peers = both{peers, ofSubject{mine}}
	if len(out.domains) > 0 {
		out.peers = nobody{}
	}
	ok, err := c.calicoPorts(&out, r)
	return out, ok, err
}

// ofSubject asks a matcher about the subject itself.
type ofSubject struct{ matcher }

func (m ofSubject) match(s, _ *endpoint) bool { return m.matcher.match(s, s) }

// calicoPorts reads protocol and destination ports.
func (c *compiler) calicoPorts(out *rule, r *calicoRule) (bool, error) {
	of := []Protocol{TCP, UDP, SCTP}
	if text, ok := r.Protocol.(string); ok {
		p, known := ParseProtocol(text)
		if !known {
			return false, nil
		}
		of = []Protocol{p}
	} else if n, ok := r.Protocol.(float64); ok {
		p, known := map[float64]Protocol{6: TCP, 17: UDP, 132: SCTP}[n]
		if !known {
			return false, nil
		}
		of = []Protocol{p}
	}
	ports, nots := r.Destination.Ports, r.Destination.NotPorts
	if out.every = len(ports) == 0 && len(nots) == 0 && len(of) == int(protocols); out.every {
		return true, nil
	}
	var not Ports
	for _, x := range nots {
		for _, p := range of {
			m, err := c.calicoPort(x, p)
			if err != nil || m.name != "" {
				return false, fmt.Errorf("notPorts %v can't be read", x)
			}
			not = not.union(m.fixed)
		}
	}
	if len(ports) == 0 {
		ports = []any{"1:65535"}
	}
	for _, x := range ports {
		for _, p := range of {
			m, err := c.calicoPort(x, p)
			if err != nil {
				return false, err
			}
			m.fixed = m.fixed.minus(not)
			out.ports = append(out.ports, m)
		}
	}
	return true, nil
}

// calicoPort reads a number, a range A:B or a name.
func (c *compiler) calicoPort(x any, p Protocol) (portMatch, error) {
	switch x := x.(type) {
	case float64:
		return portMatch{fixed: portRange(p, int(x), int(x))}, nil
	case string:
		lo, hi, isRange := strings.Cut(x, ":")
		from, err := strconv.Atoi(lo)
		if err != nil {
			c.names[x] = true
			return portMatch{name: x, protocol: p}, nil
		}
		to := from
		if isRange {
			if to, err = strconv.Atoi(hi); err != nil {
				return portMatch{}, fmt.Errorf("port %q can't be read", x)
			}
		}
		return portMatch{fixed: portRange(p, from, to)}, nil
	}
	return portMatch{}, fmt.Errorf("port %v can't be read", x)
}

// calicoPeer compiles source or destination: all that is there must hold. A
// selector in a policy with a namespace means pods of that namespace, unless
// there is a namespace selector.
func (c *compiler) calicoPeer(o Object, e *calicoEntity) (matcher, error) {
	all := both{}
	if e.NamespaceSelector != "" {
		if strings.TrimSpace(e.NamespaceSelector) == "global()" {
			all = append(all, not{kinds{kindPod}})
		} else {
			x, err := c.calicoSelector(e.NamespaceSelector)
			if err != nil {
				return nil, err
			}
			all = append(all, calicoPods{x, true})
		}
	}
	if e.Selector != "" {
		x, err := c.calicoSelector(e.Selector)
		if err != nil {
			return nil, err
		}
		if o.Namespace != "" && e.NamespaceSelector == "" {
			all = append(all, podsIn{spaceNamed(o.Namespace), everything})
		}
		all = append(all, calicoPods{x, false})
	}
	if e.NotSelector != "" {
		x, err := c.calicoSelector(e.NotSelector)
		if err != nil {
			return nil, err
		}
		all = append(all, not{calicoPods{x, false}})
	}
	for i, nets := range [][]string{e.Nets, e.NotNets} {
		var w within
		for _, text := range nets {
			b, err := c.block(text)
			if err != nil {
				return nil, err
			}
			w.blocks = append(w.blocks, b)
		}
		switch {
		case len(nets) == 0:
		case i == 0:
			all = append(all, w)
		default:
			all = append(all, not{w})
		}
	}
	return all, nil
}

// calicoAccount is a label that Calico gives every pod.
const calicoAccount = "projectcalico.org/serviceaccount"

// calicoPods asks a selector of Calico's about a pod, or about its namespace.
type calicoPods struct {
	selector term
	space    bool
}

func (m calicoPods) match(_, p *endpoint) bool {
	if p.kind != kindPod {
		return false
	}
	of := func(k string) (string, bool) {
		switch {
		case m.space && k == "projectcalico.org/name":
			return p.space.name, true
		case m.space:
			v, ok := p.space.labels[k]
			return v, ok
		case k == "projectcalico.org/namespace":
			return p.space.name, true
		case k == "projectcalico.org/orchestrator":
			return "k8s", true
		case k == calicoAccount:
			return p.account, true
		}
		v, ok := p.labels[k]
		return v, ok
	}
	return m.selector(of)
}
