package reach

import (
	"strings"
	"testing"
)

const cnp = "apiVersion: policy.networking.k8s.io/v1alpha2\nkind: ClusterNetworkPolicy\nmetadata: {name: %}\nspec: "

func admin(name, spec string) string { return strings.Replace(cnp, "%", name, 1) + spec + "\n---\n" }

func cilium(spec string) string {
	return "apiVersion: cilium.io/v2\nkind: CiliumNetworkPolicy\nmetadata: {name: c, namespace: prod}\nspec: " + spec + "\n---\n"
}

func calico(kind, meta, spec string) string {
	return "apiVersion: crd.projectcalico.org/v1\nkind: " + kind + "\nmetadata: {" + meta + "}\nspec: " + spec + "\n---\n"
}

// open is a NetworkPolicy that lets the whole of prod talk to everybody.
const open = "{apiVersion: networking.k8s.io/v1, kind: NetworkPolicy, metadata: {name: open, namespace: prod}, spec: {podSelector: {}, policyTypes: [Ingress, Egress], ingress: [{}], egress: [{}]}}\n---\n"

// What each engine's deny does to pod prod/web, which a NetworkPolicy lets talk
// to everybody.
func TestEngines(t *testing.T) {
	byOpen := strings.ReplaceAll(all, "no policy", "NetworkPolicy prod/open")
	for _, c := range []struct{ name, manifest, ingress, egress string }{
		{"without a deny", open, byOpen, "*"},
		{"admin tier denies pods both ways, and networks at egress",
			open + admin("d", `{tier: Admin, priority: 0, subject: {namespaces: {}}, ingress: [{action: Deny, from: [{namespaces: {}}]}], egress: [{action: Deny, to: [{networks: [0.0.0.0/0, "::/0"]}]}]}`),
			"node n2 on all ports by NetworkPolicy prod/open | 0.0.0.0/0, ::/0 on all ports by NetworkPolicy prod/open", ""},
		{"an earlier accept wins",
			open + admin("a", `{tier: Admin, priority: 1, subject: {namespaces: {}}, ingress: [{action: Accept, from: [{pods: {namespaceSelector: {}, podSelector: {matchLabels: {app: db}}}}], protocols: [{tcp: {destinationPort: {number: 80}}}, {udp: {}}, {destinationNamedPort: sig}]}]}`) +
				admin("d", `{tier: Admin, priority: 2, subject: {namespaces: {}}, ingress: [{action: Deny, from: [{namespaces: {}}]}]}`),
			"pod prod/db on TCP 80; UDP all; SCTP 9899 by ClusterNetworkPolicy a | node n2 on all ports by NetworkPolicy prod/open | 0.0.0.0/0, ::/0 on all ports by NetworkPolicy prod/open", "*"},
		{"of equal priorities the accept counts, whatever the names",
			open + admin("z", `{tier: Admin, priority: 2, subject: {namespaces: {}}, ingress: [{action: Accept, from: [{pods: {namespaceSelector: {}, podSelector: {matchLabels: {app: db}}}}]}]}`) +
				admin("d", `{tier: Admin, priority: 2, subject: {namespaces: {}}, ingress: [{action: Deny, from: [{namespaces: {}}]}]}`),
			"pod prod/db on all ports by ClusterNetworkPolicy z | node n2 on all ports by NetworkPolicy prod/open | 0.0.0.0/0, ::/0 on all ports by NetworkPolicy prod/open", "*"},
		{"the baseline speaks last, and not where a NetworkPolicy selects",
			open + admin("b", `{tier: Baseline, priority: 0, subject: {namespaces: {}}, ingress: [{action: Deny, from: [{namespaces: {}}]}]}`), byOpen, "*"},
		{"the baseline speaks where none selects",
			admin("b", `{tier: Baseline, priority: 0, subject: {namespaces: {}}, ingress: [{action: Deny, from: [{namespaces: {}}]}]}`),
			"node n2 on all ports by no policy | 0.0.0.0/0, ::/0 on all ports by no policy", "*"},
		{"a peer of an unknown kind fails closed",
			admin("u", `{tier: Admin, priority: 0, subject: {namespaces: {}}, ingress: [{action: Deny, from: [{galaxies: {}}]}]}`), "", "*"},
		{"cilium's deny goes before every allow",
			open + cilium(`{endpointSelector: {matchLabels: {app: web}}, ingressDeny: [{fromEntities: [all]}], egressDeny: [{toEntities: [all]}]}`), "", ""},
		{"cilium's allow joins what NetworkPolicies allow",
			policyText(`{podSelector: {}, policyTypes: [Ingress]}`) + "---\n" + cilium(`{endpointSelector: {}, ingress: [{fromEndpoints: [{matchLabels: {"k8s:app": db}}], toPorts: [{ports: [{port: "80", endPort: 90, protocol: TCP}, {port: dns}]}]}]}`),
			"pod prod/db on TCP 80-90; UDP 53 by CiliumNetworkPolicy prod/c", "*"},
		{"cilium's selectors stay in the namespace unless they say so",
			cilium(`{endpointSelector: {matchLabels: {app: web}}, ingress: [{fromEndpoints: [{}]}]}`), "pod prod/db on all ports by CiliumNetworkPolicy prod/c", "*"},
		{"cilium's selector by namespace",
			cilium(`{endpointSelector: {matchLabels: {app: web}}, ingress: [{fromEndpoints: [{matchLabels: {"k8s:io.kubernetes.pod.namespace": dev}}, {matchLabels: {"io.cilium.k8s.namespace.labels.env": nowhere}}]}]}`), "pod dev/tool on all ports by CiliumNetworkPolicy prod/c", "*"},
		{"cilium's blocks are outside of the cluster",
			cilium(`{endpointSelector: {matchLabels: {app: web}}, egress: [{toCIDR: [10.0.0.0/24]}]}`), all, "10.0.0.0/24 on all ports by CiliumNetworkPolicy prod/c"},
		{"cilium's empty list selects nothing, ports without peers everything",
			cilium(`{endpointSelector: {matchLabels: {app: web}}, ingress: [{fromEndpoints: []}, {toPorts: [{ports: [{port: "443", protocol: TCP}]}]}]}`),
			strings.NewReplacer("all ports", "TCP 443", "no policy", "CiliumNetworkPolicy prod/c").Replace(all), "*"},
		{"cilium's deny of only some does not cut off the rest when it says so",
			cilium(`{endpointSelector: {matchLabels: {app: web}}, enableDefaultDeny: {ingress: false}, ingressDeny: [{fromEntities: [world]}]}`),
			allPods + " | " + allNodes, "*"},
		{"cilium's host is the pod's own node, and no other",
			cilium(`{endpointSelector: {matchLabels: {app: web}}, enableDefaultDeny: {ingress: false, egress: false}, ingressDeny: [{fromEntities: [host]}], egressDeny: [{toEntities: [remote-node]}]}`),
			all, strings.Replace(all, " | "+allNodes, "", 1)},
		{"calico's earlier deny beats a NetworkPolicy",
			open + calico("GlobalNetworkPolicy", "name: default.d", `{order: 1, selector: "app == 'web' && projectcalico.org/namespace == 'prod'", types: [Ingress, Egress], ingress: [{action: Deny}], egress: [{action: Deny}]}`), "", ""},
		{"calico's later deny does not",
			open + calico("GlobalNetworkPolicy", "name: default.d", `{order: 2000, selector: "all()", types: [Ingress], ingress: [{action: Deny}]}`), byOpen, "*"},
		{"calico's tiers go by their order, and pass on",
			calico("Tier", "name: sec", `{order: 100}`) +
				calico("GlobalNetworkPolicy", "name: sec.p", `{tier: sec, order: 1, selector: "has(app)", types: [Ingress], ingress: [{action: Allow, protocol: TCP, source: {selector: "app in {'db'}", namespaceSelector: "all()"}, destination: {ports: [80, "90:99", http]}}, {action: Pass, source: {nets: [192.0.2.0/24]}}]}`) + policyText(`{podSelector: {}, policyTypes: [Ingress], ingress: [{ports: [{port: 22}]}]}`),
			"pod prod/db on TCP 80, 90-99, 8080 by Calico GlobalNetworkPolicy sec.p | 192.0.2.0/24 on TCP 22 by NetworkPolicy prod/p", "*"},
		{"calico's namespaced selectors stay there",
			calico("NetworkPolicy", "name: np, namespace: prod", `{selector: "app == 'web'", ingress: [{action: Allow, source: {selector: "app starts with 'w' || app == 'db'"}}]}`),
			"pod prod/db on all ports by Calico NetworkPolicy prod/np", "*"},
	} {
		t.Run(c.name, func(t *testing.T) {
			wantFlows(t, c.manifest, c.ingress, c.egress)
		})
	}
}

// wantFlows holds what is said of prod/web against what is wanted; * is anything.
func wantFlows(t *testing.T, manifest, ingress, egress string) {
	t.Helper()
	r := report(t, manifest, "prod/web")
	if got := of(r.Ingress); ingress != "*" && got != ingress {
		t.Errorf("ingress %s\nwant %s", got, ingress)
	}
	if got := of(r.Egress); egress != "*" && got != egress {
		t.Errorf("egress %s\nwant %s", got, egress)
	}
}

// TestOwnNode: only a deny rule of Cilium's about every port keeps the pod's own
// node out, and the report says in which directions.
func TestOwnNode(t *testing.T) {
	const node = "its own node n1"
	for _, c := range []struct{ name, manifest, apart, always string }{
		{"no policy", "", "", "traffic with " + node},
		{"NetworkPolicy can't", policyText(`{podSelector: {}, policyTypes: [Ingress, Egress]}`), "", "traffic with " + node},
		{"nor can an admin tier", admin("d", `{tier: Admin, priority: 0, subject: {namespaces: {}}, ingress: [{action: Deny, from: [{namespaces: {}}]}]}`), "", "traffic with " + node},
		{"nor Calico", calico("GlobalNetworkPolicy", "name: default.d", `{order: 1, selector: "all()", types: [Ingress, Egress], ingress: [{action: Deny}], egress: [{action: Deny}]}`), "", "traffic with " + node},
		{"host, both ways", cilium(`{endpointSelector: {}, ingressDeny: [{fromEntities: [host]}], egressDeny: [{toEntities: [host]}]}`), "egress ingress", "traffic inside"},
		{"all, one way", cilium(`{endpointSelector: {}, egressDeny: [{toEntities: [all]}]}`), "egress", "traffic from " + node},
		{"the cluster, the other", cilium(`{endpointSelector: {}, ingressDeny: [{fromEntities: [cluster]}]}`), "ingress", "traffic to " + node},
		{"one port", cilium(`{endpointSelector: {}, ingressDeny: [{fromEntities: [host], toPorts: [{ports: [{port: "80"}]}]}]}`), "", "traffic with " + node},
		{"other nodes, addresses and pods", cilium(`{endpointSelector: {}, ingressDeny: [{fromEntities: [remote-node, world]}, {fromCIDR: [0.0.0.0/0]}, {fromEndpoints: [{}]}]}`), "", "traffic with " + node},
		{"another pod's", cilium(`{endpointSelector: {matchLabels: {app: db}}, ingressDeny: [{fromEntities: [host]}]}`), "", "traffic with " + node},
		{"default deny alone", cilium(`{endpointSelector: {}, enableDefaultDeny: {ingress: true, egress: true}}`), "", "traffic with " + node},
	} {
		r := report(t, c.manifest, "prod/web")
		if got := strings.Join(r.Apart, " "); got != c.apart || !strings.HasPrefix(r.Always[0], c.always) {
			t.Errorf("%s: kept out at %q, always %q", c.name, got, r.Always)
		}
	}
}

// What can't be mapped is told, and widens what is allowed, never what is
// denied.
func TestDoubts(t *testing.T) {
	for _, c := range []struct{ name, manifest, doubt, egress string }{
		{"cilium by name of host", cilium(`{endpointSelector: {matchLabels: {app: web}}, egress: [{toFQDNs: [{matchName: example.com}], toPorts: [{ports: [{port: "443", protocol: TCP}]}]}]}`),
			"allows hosts by name", "hosts example.com on TCP 443 by CiliumNetworkPolicy prod/c"},
		{"cilium's deny by service is none", cilium(`{endpointSelector: {matchLabels: {app: web}}, enableDefaultDeny: {egress: false}, egressDeny: [{toServices: [{k8sService: {serviceName: x, namespace: prod}}]}]}`),
			"by service", all},
		{"cluster policy by name of host", admin("h", `{tier: Admin, priority: 0, subject: {namespaces: {}}, egress: [{action: Accept, to: [{domainNames: [example.com]}]}, {action: Deny, to: [{networks: [0.0.0.0/0, "::/0"]}]}]}`),
			"accepts hosts by name", "hosts example.com on all ports by ClusterNetworkPolicy h"},
		{"unreadable", admin("x", `{tier: Galactic, priority: 0, subject: {namespaces: {}}}`), `tier "Galactic" is not known`, all},
		{"calico by service account", calico("GlobalNetworkPolicy", "name: g", `{selector: "all()", types: [Egress], egress: [{action: Deny, destination: {serviceAccounts: {names: [x]}}}, {action: Allow}]}`),
			"service accounts", strings.ReplaceAll(all, "no policy", "Calico GlobalNetworkPolicy g")},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := report(t, c.manifest, "prod/web")
			if !strings.Contains(strings.Join(r.Doubts, "\n"), c.doubt) {
				t.Errorf("doubts %q", r.Doubts)
			}
			if got := of(r.Egress); got != c.egress {
				t.Errorf("egress %s\nwant %s", got, c.egress)
			}
		})
	}
}

func TestCalicoSelectors(t *testing.T) {
	labels := map[string]string{"app": "web", "zone": "a-1"}
	of := func(k string) (string, bool) { v, ok := labels[k]; return v, ok }
	for text, want := range map[string]bool{
		`all()`: true, `global()`: false, `has(app)`: true, `!has(app)`: false, `app == "web"`: true, `app != 'web'`: false,
		`none != 'x'`: true, `none == ''`: false, `app in {'a', 'web'}`: true, `app not in {'a'}`: true, `none not in {'a'}`: true,
		`zone contains '-'`: true, `zone starts with 'a'`: true, `zone ends with '2'`: false,
		`app == 'x' || has(zone) && zone == 'a-1'`: true, `!(app == 'web' && zone == 'a-1')`: false,
	} {
		x, err := (&compiler{World: New(State{})}).calicoSelector(text)
		if err != nil {
			t.Errorf("%s: %v", text, err)
			continue
		}
		if got := x(of); got != want {
			t.Errorf("%s is %v", text, got)
		}
	}
	for _, text := range []string{``, `app`, `app == web`, `app ==`, `(all()`, `all() all()`, `foo(x)`, `app in 'x'`, `'app' == 'x'`, `app == 'x`, strings.Repeat("!", 100) + "all()"} {
		if _, err := (&compiler{World: New(State{})}).calicoSelector(text); err == nil {
			t.Errorf("%s was taken", text)
		}
	}
}

func oldAdmin(kind, name, spec string) string {
	return "apiVersion: policy.networking.k8s.io/v1alpha1\nkind: " + kind + "\nmetadata: {name: " + name + "}\nspec: " + spec + "\n---\n"
}

// The traps of the admin tiers, about pod prod/web, which has an address of each
// family. (https://network-policy-api.sigs.k8s.io/reference/spec/)
func TestAdminTraps(t *testing.T) {
	byOpen := strings.ReplaceAll(all, "no policy", "NetworkPolicy prod/open")
	const anybody = "{namespaceSelector: {}}"
	for _, c := range []struct{ name, manifest, ingress, egress string }{
		{"pass leaves it to NetworkPolicy, whatever later rules of the tier deny",
			open + oldAdmin("AdminNetworkPolicy", "pass", `{priority: 1, subject: {namespaces: {}}, ingress: [{action: Pass, from: [{pods: {namespaceSelector: {}, podSelector: {matchLabels: {app: db}}}}]}]}`) +
				oldAdmin("AdminNetworkPolicy", "deny", `{priority: 2, subject: {namespaces: {}}, ingress: [{action: Deny, from: [{namespaces: {}}]}, {action: Deny, from: [{namespaces: `+anybody+`}]}]}`),
			"pod prod/db on all ports by NetworkPolicy prod/open | node n2 on all ports by NetworkPolicy prod/open | 0.0.0.0/0, ::/0 on all ports by NetworkPolicy prod/open", "*"},
		{"what is passed on where no NetworkPolicy selects is for the baseline",
			oldAdmin("AdminNetworkPolicy", "pass", `{priority: 1, subject: {namespaces: {}}, ingress: [{action: Pass, from: [{namespaces: {namespaceSelector: {}}}]}]}`) +
				oldAdmin("BaselineAdminNetworkPolicy", "default", `{subject: {namespaces: {}}, ingress: [{action: Allow, from: [{pods: {namespaceSelector: {}, podSelector: {matchLabels: {app: db}}}}]}, {action: Deny, from: [{namespaces: {namespaceSelector: {}}}]}]}`),
			"pod prod/db on all ports by BaselineAdminNetworkPolicy default | node n2 on all ports by no policy | 0.0.0.0/0, ::/0 on all ports by no policy", "*"},
		{"an allow of the tier is no matter for NetworkPolicy",
			policyText(`{podSelector: {}, policyTypes: [Ingress]}`) + "---\n" + oldAdmin("AdminNetworkPolicy", "a", `{priority: 1, subject: {namespaces: {}}, ingress: [{action: Allow, from: [{pods: {namespaceSelector: {}, podSelector: {matchLabels: {app: db}}}}], ports: [{portNumber: {protocol: SCTP, port: 7}}, {portRange: {protocol: UDP, start: 5, end: 9}}, {namedPort: http}]}]}`),
			"pod prod/db on TCP 8080; UDP 5-9; SCTP 7 by AdminNetworkPolicy a", "*"},
		{"a sidecar's port has its name in the tier, too",
			policyText(`{podSelector: {}, policyTypes: [Ingress]}`) + "---\n" + admin("a", `{tier: Admin, priority: 1, subject: {namespaces: {}}, ingress: [{action: Accept, from: [{pods: {namespaceSelector: {}, podSelector: {matchLabels: {app: db}}}}], protocols: [{destinationNamedPort: proxy}, {destinationNamedPort: once}]}]}`),
			"pod prod/db on TCP 15001 by ClusterNetworkPolicy a", "*"},
		{"pods of the same labels of their namespaces",
			open + oldAdmin("AdminNetworkPolicy", "s", `{priority: 1, subject: {namespaces: {}}, ingress: [{action: Deny, from: [{namespaces: {notSameLabels: [env]}}]}]}`),
			"pod prod/db on all ports by NetworkPolicy prod/open | node n2 on all ports by NetworkPolicy prod/open | 0.0.0.0/0, ::/0 on all ports by NetworkPolicy prod/open", "*"},
		{"nodes at egress", open + admin("zone", `{tier: Admin, priority: 0, subject: {namespaces: {}}, egress: [{action: Deny, to: [{nodes: {matchLabels: {zone: b}}}]}]}`),
			"*", strings.Replace(byOpen, " | node n2 on all ports by NetworkPolicy prod/open", "", 1)},
		{"a pod that is stopping is a peer still",
			"{apiVersion: v1, kind: Pod, metadata: {name: late, namespace: prod, labels: {app: late}, deletionTimestamp: '2026-01-01T00:00:00Z'}, spec: {nodeName: n2}, status: {phase: Running, podIP: 10.0.0.8}}\n---\n" +
				policyText(`{podSelector: {}, ingress: [{from: [{podSelector: {matchLabels: {app: late}}}]}]}`),
			"pod prod/late on all ports by NetworkPolicy prod/p", "*"},
		{"one that has failed is none",
			"{apiVersion: v1, kind: Pod, metadata: {name: late, namespace: prod, labels: {app: late}}, spec: {nodeName: n2}, status: {phase: Failed, podIP: 10.0.0.8}}\n---\n" +
				policyText(`{podSelector: {}, ingress: [{from: [{podSelector: {matchLabels: {app: late}}}]}]}`), "", "*"},
	} {
		t.Run(c.name, func(t *testing.T) {
			wantFlows(t, c.manifest, c.ingress, c.egress)
		})
	}
}

// TestTwoFamilies: what is denied by the addresses of one family is open by those
// of the other, at peers that have both, and for a pod that has both.
func TestTwoFamilies(t *testing.T) {
	const both = `{apiVersion: v1, kind: Pod, metadata: {name: both, namespace: dev}, spec: {nodeName: n2}, status: {podIP: 10.0.0.9, podIPs: [{ip: 10.0.0.9}, {ip: "fd00::9"}]}}
---
`
	open := strings.ReplaceAll(open, "prod", "dev") + both
	deny := func(networks string) string {
		return admin("d", `{tier: Admin, priority: 0, subject: {namespaces: {}}, egress: [{action: Deny, to: [{networks: [`+networks+`]}]}]}`)
	}
	// prod/web has addresses of both families, prod/db of one, node n1 of one.
	for _, c := range []struct{ name, networks, want string }{
		{"IPv4", "0.0.0.0/0", "pod prod/web on all ports by NetworkPolicy dev/open | ::/0 on all ports by NetworkPolicy dev/open"},
		{"IPv6", `"::/0"`, "all 3 other pods of the cluster on all ports by NetworkPolicy dev/open | node n1 on all ports by NetworkPolicy dev/open | 0.0.0.0/0 on all ports by NetworkPolicy dev/open"},
		{"both", `0.0.0.0/0, "::/0"`, ""},
		{"one address", "10.0.0.1/32", "*"},
	} {
		got := of(report(t, open+deny(c.networks), "dev/both").Egress)
		if c.want == "*" && !strings.HasPrefix(got, "all 3 other pods") || c.want != "*" && got != c.want {
			t.Errorf("%s: egress %s\nwant %s", c.name, got, c.want)
		}
	}
	// Calico's deny by address is the same.
	four := calico("GlobalNetworkPolicy", "name: g", `{order: 1, selector: "all()", types: [Egress], egress: [{action: Deny, destination: {nets: [0.0.0.0/0]}}, {action: Allow}]}`)
	if got := of(report(t, four+both, "dev/both").Egress); !strings.HasPrefix(got, "pod prod/web on all ports by Calico GlobalNetworkPolicy g") || strings.Contains(got, "db") {
		t.Errorf("Calico: egress %s", got)
	}
	// A pod of IPv4 alone can't talk by the other one, whoever allows it.
	if got := of(report(t, open+deny("0.0.0.0/0"), "dev/tool").Egress); got != "::/0 on all ports by NetworkPolicy dev/open" {
		t.Errorf("a pod of one family: egress %s", got)
	}
	// What one side denies by one family and the other side by the other is closed.
	sides := admin("d", `{tier: Admin, priority: 0, subject: {namespaces: {matchLabels: {kubernetes.io/metadata.name: dev}}}, egress: [{action: Deny, to: [{networks: [0.0.0.0/0]}]}]}`) +
		policyText(`{podSelector: {matchLabels: {app: web}}, policyTypes: [Ingress], ingress: [{from: [{ipBlock: {cidr: 0.0.0.0/0}}]}]}`)
	if got := of(report(t, open+sides, "dev/both").Egress); got != "::/0 on all ports by NetworkPolicy dev/open" {
		t.Errorf("each side by another family: egress %s", got)
	}
}
