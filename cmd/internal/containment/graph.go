package containment

import (
	"fmt"
	"io"
	"strings"

	"github.com/firebreak-io/firebreak/internal/kube/reach"
)

// maxArrows bounds a picture.
const maxArrows = 200

// arrow is a flow in a picture; label are its lines.
type arrow struct {
	peer  string
	label []string
	in    bool
}

// arrows are the flows of a report; more says how many are left out.
func arrows(r *reach.Report) (list []arrow, more int) {
	for _, f := range r.Flows() {
		if len(list) == maxArrows {
			more++
			continue
		}
		list = append(list, arrow{f.Peer.String(), []string{f.Ports.String(), f.By.String()}, f.Direction == reach.Ingress.String()})
	}
	return list, more
}

// subject are the lines of the pod itself: a pod without an arrow says why.
func subject(r *reach.Report) []string {
	lines := []string{"pod " + r.Pod}
	if r.Node != "" {
		lines = append(lines, "on node "+r.Node)
	}
	if r.Held() {
		lines = append(lines, "held: by all policies nothing gets through")
	}
	return lines
}

// aside are the lines of what no arrow shows: what always gets through, and what
// of the pod's policies is not understood.
func aside(r *reach.Report) []string {
	lines := []string{"always gets through:"}
	lines = append(lines, r.Always...)
	if len(r.Doubts) > 0 {
		lines = append(append(lines, "not known:"), r.Doubts...)
	}
	return lines
}

// picture is a format: how it writes a node, and an arrow from one to another.
type picture struct {
	node  func(id string, lines ...string)
	arrow func(from, to string, lines ...string)
}

// draw gives each peer once on either side, who reaches the pod and what the pod
// reaches, before its first arrow, and says how many arrows are left out.
func draw(r *reach.Report, p picture) {
	type side struct {
		peer string
		in   bool
	}
	ids := map[side]string{}
	list, more := arrows(r)
	for _, a := range list {
		at := side{a.peer, a.in}
		id, known := ids[at]
		if !known {
			id = fmt.Sprintf("p%d", len(ids))
			ids[at] = id
			p.node(id, a.peer)
		}
		if a.in {
			p.arrow(id, "pod", a.label...)
		} else {
			p.arrow("pod", id, a.label...)
		}
	}
	if more > 0 {
		p.node("more", fmt.Sprintf("and %d more arrows", more))
	}
}

// Dot writes a report as a graph for Graphviz.
func Dot(w io.Writer, r *reach.Report) {
	escape := strings.NewReplacer(`\`, `\\`, `"`, `\"`)
	quote := func(lines []string) string { return `"` + joined(lines, escape, `\n`) + `"` }
	fmt.Fprintf(w, "digraph containment {\n  rankdir=LR;\n  node [shape=box];\n  pod [label=%s, style=bold];\n", quote(subject(r)))
	draw(r, picture{
		node: func(id string, lines ...string) { fmt.Fprintf(w, "  %s [label=%s];\n", id, quote(lines)) },
		arrow: func(from, to string, lines ...string) {
			fmt.Fprintf(w, "  %s -> %s [label=%s];\n", from, to, quote(lines))
		},
	})
	// The graph's own label stands below it; \l ends a line that begins at the left.
	fmt.Fprintf(w, "  label=\"%s\\l\";\n  labeljust=l;\n}\n", joined(aside(r), escape, `\l`))
}

// Mermaid writes a report as a Mermaid flowchart.
func Mermaid(w io.Writer, r *reach.Report) {
	escape := strings.NewReplacer(`"`, "#quot;", "<", "#lt;", ">", "#gt;", "&", "#amp;", "`", "'", "#", "#35;", ";", ",")
	quote := func(lines []string) string { return `"` + joined(lines, escape, "<br/>") + `"` }
	fmt.Fprintf(w, "flowchart LR\n  pod[[%s]]\n", quote(subject(r)))
	draw(r, picture{
		node:  func(id string, lines ...string) { fmt.Fprintf(w, "  %s[%s]\n", id, quote(lines)) },
		arrow: func(from, to string, lines ...string) { fmt.Fprintf(w, "  %s -->|%s| %s\n", from, quote(lines), to) },
	})
	fmt.Fprintf(w, "  aside>%s]\n", quote(aside(r)))
}

// joined are the lines of a label, without what ends a quoted text.
func joined(lines []string, escape *strings.Replacer, newline string) string {
	out := make([]string, len(lines))
	for i, l := range lines {
		out[i] = escape.Replace(clean(l))
	}
	return strings.Join(out, newline)
}
