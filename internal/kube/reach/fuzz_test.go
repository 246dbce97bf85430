package reach

import (
	"strings"
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
		// Each kind with most of what it can say.
		cilium(`{endpointSelector: {matchExpressions: [{key: "k8s:app", operator: NotIn, values: [web]}]}, enableDefaultDeny: {ingress: false}, ingress: [{fromEndpoints: [{}], fromRequires: [{}], fromEntities: [cluster, host], fromCIDRSet: [{cidr: 192.0.2.0/24, except: [192.0.2.0/25]}], toPorts: [{ports: [{port: "80", endPort: 90, protocol: ANY}], rules: {http: [{}]}}], icmps: [{fields: [{type: 8}]}]}], ingressDeny: [{fromEntities: [all]}], egress: [{toFQDNs: [{matchName: x}], toServices: [{}], toCIDR: ["2001:db8::/32"]}], egressDeny: [{toNodes: [{}]}]}`),
		strings.ReplaceAll(cilium(`{nodeSelector: {}, ingress: []}`), "CiliumNetworkPolicy", "CiliumClusterwideNetworkPolicy"),
		"apiVersion: cilium.io/v2\nkind: CiliumNetworkPolicy\nmetadata: {name: c, namespace: prod}\nspecs: [{endpointSelector: {}}, {endpointSelector: null, egress: [null]}]\n---\n",
		calico("Tier", "name: t", `{order: 1.5, defaultAction: Pass}`) + calico("NetworkPolicy", "name: t.n, namespace: prod", `{tier: t, order: -1, selector: "all()", types: [Ingress, Egress], ingress: [{action: Pass, protocol: TCP, source: {nets: [192.0.2.0/24], notNets: ["::/0"], selector: "k == 'v' || !has(x)", namespaceSelector: "global()", ports: [80, "1:9", http], notPorts: [7]}, destination: {serviceAccounts: {names: [x]}, services: {name: y}, domains: [z]}}, {action: Log}], egress: [{action: Allow, ipVersion: 6, icmp: {type: 8}}]}`),
		calico("GlobalNetworkPolicy", "name: g", `{namespaceSelector: "a in {'b','c'} && d not in {}", serviceAccountSelector: "e contains 'f'", preDNAT: true, applyOnForward: true, doNotTrack: true, ingress: [{action: Deny, protocol: 300}]}`),
		admin("b", `{tier: Baseline, priority: 1000, subject: {namespaces: {matchLabels: {env: prod}}}, ingress: [{action: Deny, from: [{namespaces: {}}, {pods: {namespaceSelector: {}, podSelector: {}}}], protocols: [{tcp: {destinationPort: {number: 80}}}, {destinationNamedPort: sig}, {udp: null}]}], egress: [{action: Accept, to: [{domainNames: ["*.x"]}, {networks: [nonsense]}]}]}`),
		"apiVersion: policy.networking.k8s.io/v1alpha1\nkind: AdminNetworkPolicy\nmetadata: {name: o}\nspec: {priority: 5, subject: {namespaces: {}}, ingress: [{action: Allow, from: [{namespaces: {namespaceSelector: {}}}, {pods: {namespaceSelector: {}, podSelector: {}}}], ports: [{portNumber: {protocol: TCP, port: 1}}, {portRange: {protocol: UDP, start: 1, end: 9}}, {namedPort: http}]}]}\n---\n",
		"apiVersion: policy.networking.k8s.io/v1alpha1\nkind: BaselineAdminNetworkPolicy\nmetadata: {name: default}\nspec: {subject: {pods: {namespaceSelector: {}, podSelector: {}}}, egress: [{action: Deny, to: [{nodes: {}}, {networks: [0.0.0.0/0]}]}]}\n---\n",
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
