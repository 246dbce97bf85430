package reach

import (
	"fmt"
	"strings"
	"testing"
)

// town is a small cluster: web and db in prod, tool in dev, and agent of the
// host network, on two nodes.
const town = `
{apiVersion: v1, kind: Namespace, metadata: {name: prod, labels: {env: prod}}}
---
{apiVersion: v1, kind: Namespace, metadata: {name: dev, labels: {env: dev}}}
---
{apiVersion: v1, kind: Node, metadata: {name: n1, labels: {zone: a}}, status: {addresses: [{type: InternalIP, address: 172.16.0.1}]}}
---
{apiVersion: v1, kind: Node, metadata: {name: n2, labels: {zone: b}}, status: {addresses: [{type: InternalIP, address: 172.16.0.2}]}}
---
apiVersion: v1
kind: Pod
metadata: {name: web, namespace: prod, labels: {app: web}}
spec:
  nodeName: n1
  serviceAccountName: front
  containers:
  - {name: c, ports: [{name: http, containerPort: 8080}, {name: dns, containerPort: 53, protocol: UDP}, {name: sig, containerPort: 9899, protocol: SCTP}]}
  initContainers:
  - {name: proxy, restartPolicy: Always, ports: [{name: proxy, containerPort: 15001}]}
  - {name: once, ports: [{name: once, containerPort: 4444}]}
status: {podIP: 10.0.0.1, podIPs: [{ip: 10.0.0.1}, {ip: "fd00::1"}]}
---
{apiVersion: v1, kind: Pod, metadata: {name: db, namespace: prod, labels: {app: db}}, spec: {nodeName: n2, containers: [{name: c, ports: [{name: http, containerPort: 5432}]}]}, status: {podIP: 10.0.0.2}}
---
{apiVersion: v1, kind: Pod, metadata: {name: tool, namespace: dev, labels: {app: web}}, spec: {nodeName: n2}, status: {podIP: 10.0.0.3}}
---
{apiVersion: v1, kind: Pod, metadata: {name: agent, namespace: dev, labels: {app: agent}}, spec: {nodeName: n2, hostNetwork: true}, status: {podIP: 172.16.0.2}}
---
{apiVersion: v1, kind: Pod, metadata: {name: done, namespace: dev, labels: {app: web}}, spec: {nodeName: n2}, status: {podIP: 10.0.0.9, phase: Succeeded}}
---
`

// of writes the flows of one direction short.
func of(flows []Flow) string {
	var list []string
	for _, f := range flows {
		list = append(list, fmt.Sprintf("%s on %s by %s", f.Peer, f.Ports, f.By))
	}
	return strings.Join(list, " | ")
}

func report(t *testing.T, manifest, pod string) *Report {
	t.Helper()
	s, err := Decode([]byte(town + manifest))
	if err != nil {
		t.Fatal(err)
	}
	namespace, name, _ := strings.Cut(pod, "/")
	r, err := New(s).Report(namespace, name)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func policyText(spec string) string {
	return "apiVersion: networking.k8s.io/v1\nkind: NetworkPolicy\nmetadata: {name: p, namespace: prod}\nspec: " + spec + "\n"
}

const (
	allPods  = "all 2 other pods of the cluster on all ports by no policy"
	tool     = "pod dev/tool on all ports by no policy | " + allNodes + " | " + allAddrs
	allNodes = "node n2 on all ports by no policy"
	allAddrs = "0.0.0.0/0, ::/0 on all ports by no policy"
	all      = allPods + " | " + allNodes + " | " + allAddrs
)

// The traps of NetworkPolicy. Each is about pod prod/web.
func TestTraps(t *testing.T) {
	for _, c := range []struct{ name, spec, ingress, egress string }{
		{"no rules, no types: all ingress is denied, egress is not touched", `{podSelector: {}}`, "", tool},
		{"null rules deny", `{podSelector: {}, policyTypes: [Ingress, Egress], ingress: null, egress: null}`, "", ""},
		{"empty rules deny", `{podSelector: {}, policyTypes: [Ingress, Egress], ingress: [], egress: []}`, "", ""},
		{"one empty rule allows all", `{podSelector: {}, ingress: [{}]}`, strings.ReplaceAll(all, "no policy", "NetworkPolicy prod/p"), "*"},
		{"an empty from is every source", `{podSelector: {}, ingress: [{from: []}]}`, strings.ReplaceAll(all, "no policy", "NetworkPolicy prod/p"), "*"},
		{"egress rules make it of type Egress", `{podSelector: {matchLabels: {app: web}}, egress: [{to: [{podSelector: {matchLabels: {app: db}}}]}]}`, "", "pod prod/db on all ports by NetworkPolicy prod/p"},
		{"types win over rules", `{podSelector: {}, policyTypes: [Ingress], egress: []}`, "", tool},
		{"another pod's policy", `{podSelector: {matchLabels: {app: db}}, policyTypes: [Ingress]}`, all, tool},
		{"an empty pod selector in a peer is the own namespace", `{podSelector: {}, ingress: [{from: [{podSelector: {}}]}]}`, "pod prod/db on all ports by NetworkPolicy prod/p", "*"},
		{"an empty namespace selector is every pod and no address", `{podSelector: {matchLabels: {app: web}}, ingress: [{from: [{namespaceSelector: {}}]}]}`, "all 2 other pods of the cluster on all ports by NetworkPolicy prod/p", all},
		{"both selectors in one peer", `{podSelector: {}, ingress: [{from: [{namespaceSelector: {matchLabels: {env: dev}}, podSelector: {matchLabels: {app: db}}}]}]}`, "", tool},
		{"two peers", `{podSelector: {matchLabels: {app: web}}, ingress: [{from: [{namespaceSelector: {matchLabels: {env: dev}}}, {podSelector: {matchLabels: {app: db}}}]}]}`, "all 2 other pods of the cluster on all ports by NetworkPolicy prod/p", all},
		{"the name's own label", `{podSelector: {}, ingress: [{from: [{namespaceSelector: {matchLabels: {kubernetes.io/metadata.name: dev}}}]}]}`, "pod dev/tool on all ports by NetworkPolicy prod/p", tool},
		{"a named port at ingress is the subject's", `{podSelector: {}, ingress: [{from: [{podSelector: {}}], ports: [{port: http}]}]}`, "pod prod/db on TCP 8080 by NetworkPolicy prod/p", "*"},
		{"a named port at egress is the peer's", `{podSelector: {matchLabels: {app: web}}, egress: [{ports: [{port: http}]}], ingress: [{}]}`, "*", "pod prod/db on TCP 5432 by NetworkPolicy prod/p"},
		{"a named port of another protocol", `{podSelector: {}, ingress: [{from: [{podSelector: {}}], ports: [{port: dns}]}]}`, "", "*"},
		{"a named port with its protocol", `{podSelector: {}, ingress: [{from: [{podSelector: {}}], ports: [{port: dns, protocol: UDP}]}]}`, "pod prod/db on UDP 53 by NetworkPolicy prod/p", "*"},
		{"a sidecar's named port counts, an init container's does not", `{podSelector: {}, ingress: [{from: [{podSelector: {}}], ports: [{port: proxy}, {port: once}]}]}`, "pod prod/db on TCP 15001 by NetworkPolicy prod/p", "*"},
		{"SCTP", `{podSelector: {}, ingress: [{from: [{podSelector: {}}], ports: [{port: sig, protocol: SCTP}, {protocol: SCTP, port: 1}]}]}`, "pod prod/db on SCTP 1, 9899 by NetworkPolicy prod/p", "*"},
		{"no port is all of the protocol, TCP if none is named", `{podSelector: {}, ingress: [{from: [{podSelector: {}}], ports: [{protocol: UDP}, {}]}]}`, "pod prod/db on TCP all; UDP all by NetworkPolicy prod/p", "*"},
		{"endPort", `{podSelector: {}, ingress: [{from: [{podSelector: {}}], ports: [{port: 32000, endPort: 32768}]}]}`, "pod prod/db on TCP 32000-32768 by NetworkPolicy prod/p", "*"},
		{"endPort at the end of ports", `{podSelector: {}, ingress: [{from: [{podSelector: {}}], ports: [{port: 65000, endPort: 65535}]}]}`, "pod prod/db on TCP 65000-65535 by NetworkPolicy prod/p", "*"},
		{"overlapping except", `{podSelector: {}, policyTypes: [Egress], egress: [{to: [{ipBlock: {cidr: 192.0.2.0/24, except: [192.0.2.0/25, 192.0.2.64/26]}}]}]}`, "*", "192.0.2.128/25 on all ports by NetworkPolicy prod/p"},
		{"except of one block is allowed by another", `{podSelector: {}, policyTypes: [Egress], egress: [{to: [{ipBlock: {cidr: 192.0.2.0/24, except: [192.0.2.128/25]}}, {ipBlock: {cidr: 192.0.2.192/26}}]}]}`, "*", "192.0.2.0/25, 192.0.2.192/26 on all ports by NetworkPolicy prod/p"},
		{"an ipBlock holds pods and nodes by address", `{podSelector: {matchLabels: {app: web}}, policyTypes: [Egress], egress: [{to: [{ipBlock: {cidr: 10.0.0.2/32}}, {ipBlock: {cidr: 172.16.0.0/30}}]}]}`, "*", "pod prod/db on all ports by NetworkPolicy prod/p | node n2 on all ports by NetworkPolicy prod/p | 10.0.0.2/32, 172.16.0.0/30 on all ports by NetworkPolicy prod/p"},
		{"an ipBlock of the other family", `{podSelector: {matchLabels: {app: web}}, policyTypes: [Egress], egress: [{to: [{ipBlock: {cidr: "::/0"}}]}]}`, "*", "::/0 on all ports by NetworkPolicy prod/p"},
		{"NotIn means what has no such label, too", `{podSelector: {matchExpressions: [{key: gone, operator: NotIn, values: [x]}]}, policyTypes: [Ingress]}`, "", tool},
		{"a peer without a member is nobody", `{podSelector: {}, ingress: [{from: [{}]}]}`, "", "*"},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := report(t, policyText(c.spec), "prod/web")
			if got := of(r.Ingress); c.ingress != "*" && got != c.ingress {
				t.Errorf("ingress %s\nwant %s", got, c.ingress)
			}
			if got := of(r.Egress); c.egress != "*" && got != c.egress {
				t.Errorf("egress %s\nwant %s", got, c.egress)
			}
		})
	}
}

// A pod of the host network is its node, whatever selects it; its own node's
// pods are always reached, others by their policies.
func TestHostNetwork(t *testing.T) {
	r := report(t, policyText(`{podSelector: {}, policyTypes: [Ingress]}`)+"---\n"+strings.ReplaceAll(policyText(`{podSelector: {}, policyTypes: [Ingress, Egress]}`), "prod", "dev"), "dev/agent")
	if r.Held() || !r.HostNetwork || len(r.Policies.Egress) != 0 {
		t.Errorf("%+v", r)
	}
	// prod/db and dev/tool are on its own node, prod/web is not.
	if got, want := of(r.Egress), "pod dev/tool on all ports by no policy | pod prod/db on all ports by no policy | node n1 on all ports by no policy | "+allAddrs; got != want {
		t.Errorf("egress %s\nwant %s", got, want)
	}
	// As a peer it is no pod: selectors don't mean it, its node's address does.
	r = report(t, policyText(`{podSelector: {}, ingress: [{from: [{namespaceSelector: {}}]}]}`), "prod/web")
	if strings.Contains(of(r.Ingress), "node") {
		t.Errorf("ingress %s", of(r.Ingress))
	}
	r = report(t, policyText(`{podSelector: {}, ingress: [{from: [{ipBlock: {cidr: 172.16.0.2/32}}]}]}`), "prod/web")
	if !strings.Contains(of(r.Ingress), "node n2 on all ports by NetworkPolicy prod/p") {
		t.Errorf("ingress %s", of(r.Ingress))
	}
}

func TestPodsThatAreOver(t *testing.T) {
	s, err := Decode([]byte(town))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := New(s).Report("dev", "done"); err == nil {
		t.Error("a pod that has run to its end was reported on")
	}
	if _, err := New(s).Report("dev", "nobody"); err == nil {
		t.Error("a pod that is not there was reported on")
	}
}
