package containment

import (
	"bytes"
	"io"
	"strings"
	"testing"

	"github.com/firebreak-io/firebreak/internal/kube/reach"
)

const hostile = "evil\"]\x1b[31m<b>`;\\ #x\u202e"

func sample(t *testing.T) *reach.Report {
	t.Helper()
	s, err := reach.Decode([]byte(`
{apiVersion: v1, kind: Namespace, metadata: {name: prod}}
---
{apiVersion: v1, kind: Pod, metadata: {name: web, namespace: prod, labels: {app: web}}, spec: {nodeName: n1}, status: {podIP: 10.0.0.1}}
---
{apiVersion: v1, kind: Pod, metadata: {name: db, namespace: prod}, spec: {nodeName: n2}, status: {podIP: 10.0.0.2}}
---
{apiVersion: networking.k8s.io/v1, kind: NetworkPolicy, metadata: {name: web, namespace: prod}, spec: {podSelector: {matchLabels: {app: web}}, policyTypes: [Ingress, Egress], ingress: [{from: [{podSelector: {}}], ports: [{port: 80}]}]}}
`))
	if err != nil {
		t.Fatal(err)
	}
	r, err := reach.New(s).Report("prod", "web")
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func write(f func(io.Writer, *reach.Report), r *reach.Report) string {
	var out bytes.Buffer
	f(&out, r)
	return out.String()
}

func TestText(t *testing.T) {
	const want = `pod prod/web on node n1

policies of what it sends:
  NetworkPolicy prod/web

policies of what it receives:
  NetworkPolicy prod/web

may reach:
  none

may be reached:
  from pod prod/db on TCP 80: NetworkPolicy prod/web allows it

always gets through:
  traffic with its own node n1, probes of the kubelet among it
  traffic inside the pod

not known:
  whether the network plugin enforces these policies
  whether connections that are open already are cut
  ICMP and protocols other than TCP, UDP and SCTP: plugins treat them differently
`
	if got := write(Text, sample(t)); got != want {
		t.Errorf("got\n%s", got)
	}
}

func TestPictures(t *testing.T) {
	const dot = `digraph containment {
  rankdir=LR;
  node [shape=box];
  pod [label="prod/web", style=bold];
  p0 [label="pod prod/db"];
  p0 -> pod [label="TCP 80, NetworkPolicy prod/web"];
}
`
	const mermaid = `flowchart LR
  pod[["prod/web"]]
  p0["pod prod/db"]
  p0 -->|"TCP 80, NetworkPolicy prod/web"| pod
`
	if got := write(Dot, sample(t)); got != dot {
		t.Errorf("got\n%s", got)
	}
	if got := write(Mermaid, sample(t)); got != mermaid {
		t.Errorf("got\n%s", got)
	}
}

// Hostile names stay inside of their quotes, and out of the terminal.
func TestHostileNames(t *testing.T) {
	r := sample(t)
	r.Pod = hostile
	for range 2 * maxArrows {
		r.Egress = append(r.Egress, reach.Flow{Direction: "egress", Peer: reach.Peer{Kind: "hosts", Hosts: []string{hostile}}, Ports: reach.AllPorts()})
	}
	for name, f := range map[string]func(io.Writer, *reach.Report){"text": Text, "dot": Dot, "mermaid": Mermaid} {
		got := write(f, r)
		if strings.ContainsAny(got, "\x1b\u202e") {
			t.Errorf("%s lets control characters through", name)
		}
		if name == "dot" && !strings.Contains(got, `label="evil\"]?[31m<b>`+"`"+`;\\ #x?"`) {
			t.Errorf("dot: %.200s", got)
		}
		if name == "mermaid" && (strings.Contains(got, `evil"`) || strings.Contains(got, "<b>")) {
			t.Errorf("mermaid: %.200s", got)
		}
		if name != "text" && !strings.Contains(got, "more") {
			t.Errorf("%s is not bounded", name)
		}
	}
}
