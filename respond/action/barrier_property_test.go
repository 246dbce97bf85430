package action

import (
	"encoding/json"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

// somebody is at the other end of a connection: an address outside the cluster,
// or a pod of a namespace.
type somebody struct {
	addr      netip.Addr
	namespace string // empty is outside
	port      int
}

func drawPrefix(t *rapid.T) netip.Prefix {
	// Few bits make prefixes that lie in one another.
	b := rapid.IntRange(0, 3)
	if rapid.Bool().Draw(t, "six") {
		a := netip.AddrFrom16([16]byte{0x20, 0x01, 0x0d, 0xb8, byte(b.Draw(t, "x")), byte(b.Draw(t, "y"))})
		return netip.PrefixFrom(a, rapid.SampledFrom([]int{32, 40, 48, 128}).Draw(t, "bits")).Masked()
	}
	a := netip.AddrFrom4([4]byte{10, byte(b.Draw(t, "x")), byte(b.Draw(t, "y")), byte(b.Draw(t, "z"))})
	return netip.PrefixFrom(a, rapid.SampledFrom([]int{8, 16, 24, 32}).Draw(t, "bits")).Masked()
}

func drawBarrier(t *rapid.T) barrier {
	list := func(name string, from int) []string {
		var all []string
		for _, p := range rapid.SliceOfN(rapid.Custom(drawPrefix), from, 60).Draw(t, name) {
			all = append(all, p.String())
		}
		return all
	}
	b := barrier{namespace: "shop", egress: true, ingress: rapid.Bool().Draw(t, "ingress")}
	var err error
	if b.only = rapid.Bool().Draw(t, "only"); !b.only {
		b.deny, err = prefixes(list("deny", 1))
	} else {
		b.allow, err = prefixes(list("allow", 0))
		b.namespaces = rapid.SliceOfNDistinct(rapid.SampledFrom([]string{"shop", "bank", "kube-system"}), 0, 2, rapid.ID[string]).Draw(t, "namespaces")
		b.dns = rapid.Bool().Draw(t, "dns")
	}
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func contains(list []netip.Prefix, a netip.Addr) bool {
	return slices.ContainsFunc(list, func(p netip.Prefix) bool { return p.Contains(a) })
}

// keepsOut is what a barrier means for egress. Some means don't see the address
// of a pod.
func (b barrier) keepsOut(s somebody, podAddresses bool) bool {
	seen := s.namespace == "" || podAddresses
	if !b.only {
		return seen && contains(b.deny, s.addr)
	}
	switch {
	case s.namespace != "" && slices.Contains(b.namespaces, s.namespace):
		return false
	case b.dns && s.namespace == dnsNamespace && s.port == 53:
		return false
	}
	return !seen || !contains(b.allow, s.addr)
}

// The readings of each kind of policy, as its documentation has it.

func selects(selector any, namespace string) bool {
	s, _ := selector.(map[string]any)
	if labels, ok := s["matchLabels"].(map[string]any); ok {
		return labels["kubernetes.io/metadata.name"] == namespace
	}
	if list, ok := s["matchExpressions"].([]any); ok {
		e := list[0].(map[string]any)
		values, _ := e["values"].([]any)
		has := slices.Contains(values, any(namespace))
		return e["operator"] == "In" && has || e["operator"] == "NotIn" && !has || e["operator"] == "Exists"
	}
	return true
}

func anyPrefix(list any, a netip.Addr) bool {
	for _, text := range list.([]any) {
		if netip.MustParsePrefix(text.(string)).Contains(a) {
			return true
		}
	}
	return false
}

func byTier(spec map[string]any, s somebody) bool {
	for _, r := range spec["egress"].([]any) {
		rule := r.(map[string]any)
		if rule["protocols"] != nil && s.port != 53 {
			continue
		}
		for _, p := range rule["to"].([]any) {
			peer := p.(map[string]any)
			hit := peer["networks"] != nil && anyPrefix(peer["networks"], s.addr) ||
				peer["namespaces"] != nil && s.namespace != "" && selects(peer["namespaces"], s.namespace)
			if hit {
				return rule["action"] == "Deny"
			}
		}
	}
	return false
}

func byCilium(spec map[string]any, s somebody) bool {
	for _, r := range spec["egressDeny"].([]any) {
		rule := r.(map[string]any)
		if s.namespace != "" {
			for _, e := range asList(rule["toEndpoints"]) {
				if selects(e, s.namespace) {
					return true
				}
			}
			continue
		}
		if list := asList(rule["toCIDR"]); list != nil && anyPrefix(list, s.addr) {
			return true
		}
		for _, set := range asList(rule["toCIDRSet"]) {
			block := set.(map[string]any)
			if anyPrefix([]any{block["cidr"]}, s.addr) && !(block["except"] != nil && anyPrefix(block["except"], s.addr)) {
				return true
			}
		}
	}
	return false
}

func asList(v any) []any { list, _ := v.([]any); return list }

func byCalico(spec map[string]any, s somebody) bool {
	for _, r := range spec["egress"].([]any) {
		rule := r.(map[string]any)
		to, _ := rule["destination"].(map[string]any)
		if to["nets"] != nil && !anyPrefix(to["nets"], s.addr) || to["ports"] != nil && s.port != 53 {
			continue
		}
		if text, ok := to["namespaceSelector"].(string); ok && (s.namespace == "" || !strings.Contains(text, "'"+s.namespace+"'")) {
			continue
		}
		return rule["action"] == "Deny"
	}
	return true // a tier whose rules don't match drops
}

func byPlain(spec map[string]any, s somebody) bool {
	for _, r := range asList(spec["egress"]) {
		rule := r.(map[string]any)
		if rule["ports"] != nil && s.port != 53 {
			continue
		}
		for _, p := range rule["to"].([]any) {
			peer := p.(map[string]any)
			if peer["namespaceSelector"] != nil && s.namespace != "" && selects(peer["namespaceSelector"], s.namespace) {
				return false
			}
			if block, ok := peer["ipBlock"].(map[string]any); ok && anyPrefix([]any{block["cidr"]}, s.addr) &&
				!(block["except"] != nil && anyPrefix(block["except"], s.addr)) {
				return false
			}
		}
	}
	return true
}

// Every means keeps out what the barrier says, and nothing else.
func TestMeansKeepOut(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		b := drawBarrier(t)
		side := b
		side.ingress = false
		s := somebody{
			addr: drawPrefix(t).Addr(), port: rapid.SampledFrom([]int{53, 443}).Draw(t, "port"),
			namespace: rapid.SampledFrom([]string{"", "shop", "bank", "kube-system", "far"}).Draw(t, "namespace"),
		}
		tier, ok := side.tier()
		if !ok {
			t.Fatal("the tier can't do egress")
		}
		for name, c := range map[string]struct {
			own
			reads func(map[string]any, somebody) bool
			pods  bool
		}{
			"tier": {tier, byTier, true}, "calico": {b.calico(), byCalico, true},
			"cilium": {b.cilium(), byCilium, false}, "plain": {b.plain(), byPlain, b.only},
		} {
			want := b.keepsOut(s, c.pods)
			if name == "cilium" && b.dns && s.namespace == dnsNamespace {
				want = false // it lets the whole namespace pass
			}
			if got := c.reads(specOf(t, c.own), s); got != want {
				t.Fatalf("%s keeps out %+v: %v, want %v\n%s", name, s, got, want, specText(t, c.own))
			}
		}
	})
}

func specText(t interface{ Fatal(...any) }, o own) string {
	text, err := json.Marshal(o.Body["spec"])
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

func specOf(t interface{ Fatal(...any) }, o own) (spec map[string]any) {
	if err := json.Unmarshal([]byte(specText(t, o)), &spec); err != nil {
		t.Fatal(err)
	}
	return spec
}

// FuzzPrefix: whatever text comes, it is an address, a CIDR without stray bits,
// or an error.
func FuzzPrefix(f *testing.F) {
	for _, text := range []string{"10.0.0.1", "10.0.0.0/8", "10.0.0.1/8", "::ffff:10.0.0.1", "::ffff:10.0.0.0/104", "fe80::1%eth0", "fe80::1%eth0/64", "2001:db8::/32", "", "/", "1.2.3.4/33"} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		p, err := prefix(text)
		if err != nil {
			return
		}
		if p.Masked() != p || p.Addr().Is4In6() || p.Addr().Zone() != "" {
			t.Errorf("%q is %s", text, p)
		}
		if again, err := prefix(p.String()); err != nil || again != p {
			t.Errorf("%q is %s is %s %v", text, p, again, err)
		}
		_ = deniable(p)
		_ = fmt.Sprint(within("0.0.0.0/0", []netip.Prefix{p}), within("::/0", []netip.Prefix{p}))
	})
}
