package reach

import (
	"fmt"
	"testing"
)

func TestSealed(t *testing.T) {
	shut := policyText(`{podSelector: {}, policyTypes: [Ingress, Egress]}`) + "---\n"
	for _, c := range []struct {
		name, manifest string
		open           string
	}{
		{"no policy", "", "[no policy no policy]"},
		{"deny all", shut, "[]"},
		{"ingress alone", policyText(`{podSelector: {}}`), "[no policy]"},
		{"another allows", shut + open, "[NetworkPolicy prod/open NetworkPolicy prod/open]"},
		{"a deny tier of everybody shuts", open + calico("GlobalNetworkPolicy", "name: d", `{order: 1, selector: "all()", types: [Ingress, Egress], ingress: [{action: Deny}], egress: [{action: Deny}]}`), "[]"},
		{"cilium's deny of all shuts", open + cilium(`{endpointSelector: {}, ingressDeny: [{fromEntities: [all]}], egressDeny: [{toEntities: [all]}]}`), "[]"},
		{"a deny of pods alone does not", open + admin("d", `{tier: Admin, priority: 0, subject: {namespaces: {}}, ingress: [{action: Deny, from: [{namespaces: {}}]}], egress: [{action: Deny, to: [{namespaces: {}}]}]}`), "[NetworkPolicy prod/open NetworkPolicy prod/open]"},
		{"an accept before", shut + admin("a", `{tier: Admin, priority: 0, subject: {namespaces: {}}, ingress: [{action: Accept, from: [{namespaces: {}}]}]}`), "[ClusterNetworkPolicy a]"},
		{"an accept at the baseline is never asked", shut + admin("a", `{tier: Baseline, priority: 0, subject: {namespaces: {}}, ingress: [{action: Accept, from: [{namespaces: {}}]}]}`), "[]"},
	} {
		t.Run(c.name, func(t *testing.T) {
			s, err := Decode([]byte(town + c.manifest))
			if err != nil {
				t.Fatal(err)
			}
			sealed, open, err := New(s).Sealed("prod", "web")
			if got := fmt.Sprint(open); err != nil || got != c.open || sealed != (len(open) == 0) {
				t.Errorf("%v %s %v, want %s", sealed, got, err, c.open)
			}
		})
	}
}
