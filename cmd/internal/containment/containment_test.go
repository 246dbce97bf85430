package containment

import (
	"bytes"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"testing"

	"gonum.org/v1/gonum/graph/formats/dot"
	"gonum.org/v1/gonum/graph/formats/dot/ast"

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
  pod [label="pod prod/web\non node n1", style=bold];
  p0 [label="pod prod/db"];
  p0 -> pod [label="TCP 80\nNetworkPolicy prod/web"];
  label="always gets through:\ltraffic with its own node n1, probes of the kubelet among it\ltraffic inside the pod\l";
  labeljust=l;
}
`
	const mermaid = `flowchart LR
  pod[["pod prod/web<br/>on node n1"]]
  p0["pod prod/db"]
  p0 -->|"TCP 80<br/>NetworkPolicy prod/web"| pod
  aside>"always gets through:<br/>traffic with its own node n1, probes of the kubelet among it<br/>traffic inside the pod"]
`
	if got := write(Dot, sample(t)); got != dot {
		t.Errorf("got\n%s", got)
	}
	if got := write(Mermaid, sample(t)); got != mermaid {
		t.Errorf("got\n%s", got)
	}
}

// TestPictureOfNothing: a pod without an arrow says why.
func TestPictureOfNothing(t *testing.T) {
	for name, f := range map[string]func(io.Writer, *reach.Report){"dot": Dot, "mermaid": Mermaid} {
		for doubts, wants := range map[string][]string{
			"":                   {"held: by all policies nothing gets through", "always gets through:", "traffic inside"},
			"what policy x says": {"not known:", "what policy x says"},
		} {
			r := &reach.Report{Pod: "prod/web", Always: []string{"traffic inside the pod"}}
			if doubts != "" {
				r.Doubts = []string{doubts}
			}
			got := write(f, r)
			for _, want := range wants {
				if !strings.Contains(got, want) {
					t.Errorf("%s lacks %q:\n%s", name, want, got)
				}
			}
			if strings.Contains(got, "held:") != r.Held() {
				t.Errorf("%s of what is held %v:\n%s", name, r.Held(), got)
			}
		}
	}
}

// hostileReport has every name that there is from an attacker.
func hostileReport(t *testing.T, flows int) *reach.Report {
	r := sample(t)
	r.Pod, r.Node, r.Always, r.Doubts = hostile, hostile, []string{hostile, `\`}, []string{hostile}
	for range flows {
		by := reach.Policy{Kind: "NetworkPolicy", Namespace: "prod", Name: hostile}
		r.Egress = append(r.Egress, reach.Flow{Direction: "egress", Peer: reach.Peer{Kind: "hosts", Hosts: []string{hostile}}, Ports: reach.AllPorts(), By: by})
	}
	return r
}

// Hostile names stay inside of their quotes, and out of the terminal.
func TestHostileNames(t *testing.T) {
	r := hostileReport(t, 2*maxArrows)
	for name, f := range map[string]func(io.Writer, *reach.Report){"text": Text, "dot": Dot, "mermaid": Mermaid} {
		got := write(f, r)
		if strings.ContainsAny(got, "\x1b\u202e") {
			t.Errorf("%s lets control characters through", name)
		}
		if name == "mermaid" && (strings.Contains(got, `evil"`) || strings.Contains(got, "<b>")) {
			t.Errorf("mermaid: %.200s", got)
		}
		if name != "text" && !strings.Contains(got, "more arrows") {
			t.Errorf("%s is not bounded", name)
		}
	}
}

// TestDotIsRead: a reader of Graphviz's language finds the nodes and arrows of
// the report and nothing else, and each name as it is, whatever it is made of.
func TestDotIsRead(t *testing.T) {
	for _, evil := range []string{hostile, `"`, `\`, `\\"`, `\n`, `x\`, "\"; evil -> pod; \"", "]", "}", "<b>x</b>", "//", "/*", "#", "\n\n", "ü", "\u202e", `\N`} {
		shown := clean(evil)
		r := &reach.Report{
			Pod: "prod/" + evil, Node: evil, Always: []string{evil}, Doubts: []string{evil},
			Egress: []reach.Flow{{
				Direction: "egress", Peer: reach.Peer{Kind: "hosts", Hosts: []string{evil}}, Ports: reach.AllPorts(),
				By: reach.Policy{Kind: "NetworkPolicy", Namespace: "prod", Name: evil},
			}},
		}
		file, err := dot.ParseString(write(Dot, r))
		if err != nil || len(file.Graphs) != 1 {
			t.Errorf("%q: %v", evil, err)
			continue
		}
		labels := map[string]string{}
		for _, s := range file.Graphs[0].Stmts {
			switch s := s.(type) {
			case *ast.NodeStmt:
				labels["node "+s.Node.ID] = label(s.Attrs)
			case *ast.EdgeStmt:
				labels[fmt.Sprint("arrow ", s.From, " ", s.To.Vertex)] = label(s.Attrs)
			case *ast.Attr:
				labels[s.Key] = label([]*ast.Attr{s})
			}
		}
		want := map[string]string{
			"rankdir": "", "labeljust": "", "label": "always gets through:|" + shown + "|not known:|" + shown + "|",
			"node pod": "pod prod/" + shown + "|on node " + shown, "node p0": "hosts " + shown, "arrow pod p0": "all ports|NetworkPolicy prod/" + shown,
		}
		if !maps.Equal(labels, want) {
			t.Errorf("%q is read as\n%q\nwant\n%q", evil, labels, want)
		}
	}
}

// label is what Graphviz shows of a label, its lines parted by a bar.
func label(attrs []*ast.Attr) string {
	i := slices.IndexFunc(attrs, func(a *ast.Attr) bool { return a.Key == "label" })
	if i < 0 {
		return ""
	}
	quoted := strings.TrimSuffix(strings.TrimPrefix(attrs[i].Val, `"`), `"`)
	return strings.NewReplacer(`\\`, `\`, `\"`, `"`, `\n`, "|", `\l`, "|").Replace(quoted)
}
