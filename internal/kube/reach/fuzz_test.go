package reach

import (
	"testing"
)

// FuzzDecode feeds whole clusters: nothing in them may panic or hang, and what
// is reported must be well formed.
func FuzzDecode(f *testing.F) {
	for _, seed := range []string{
		open, policyText(`{podSelector: {}, ingress: [{from: [{ipBlock: {cidr: 192.0.2.0/24, except: [192.0.2.0/25]}}], ports: [{port: http}, {port: 1, endPort: 9, protocol: UDP}]}]}`),
		admin("a", `{tier: Admin, priority: 1, subject: {pods: {namespaceSelector: {}, podSelector: {}}}, egress: [{action: Pass, to: [{networks: ["::/0"]}, {nodes: {}}], protocols: [{sctp: {destinationPort: {range: {start: 1, end: 2}}}}]}]}`),
		cilium(`{endpointSelector: {}, egress: [{toEntities: [world], toPorts: [{ports: [{port: "0"}]}]}]}`),
		calico("GlobalNetworkPolicy", "name: g", `{selector: "!(has(a) || b in {'c'})", egress: [{action: Deny, notProtocol: 6}]}`),
		`{"kind": "List", "items": [{"apiVersion": "v1", "kind": "Pod"}]}`,
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		s, err := Decode(append([]byte(town), text...))
		if err != nil {
			return
		}
		w := New(s)
		for _, p := range s.Pods {
			r, err := w.Report(p.Namespace, p.Name)
			if err != nil {
				continue
			}
			for _, flow := range r.Flows() {
				if flow.Ports.Empty() || flow.String() == "" {
					t.Errorf("%+v", flow)
				}
			}
		}
	})
}
