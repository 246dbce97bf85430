package containment

import (
	"fmt"
	"io"
	"strings"

	"github.com/firebreak-io/firebreak/internal/kube/reach"
)

// maxArrows bounds a picture.
const maxArrows = 200

// arrow is a flow in a picture.
type arrow struct {
	peer, label string
	in          bool
}

// arrows are the flows of a report; more says how many are left out.
func arrows(r *reach.Report) (list []arrow, more int) {
	for _, f := range r.Flows() {
		if len(list) == maxArrows {
			more++
			continue
		}
		list = append(list, arrow{clean(f.Peer.String()), clean(f.Ports.String() + ", " + f.By.String()), f.Direction == reach.Ingress.String()})
	}
	return list, more
}

// draw gives each peer once, before the first arrow to or from it, and says how
// many arrows are left out.
func draw(r *reach.Report, peer func(id, name string), arrow func(from, to, label string)) (more int) {
	ids := map[string]string{}
	list, more := arrows(r)
	for _, a := range list {
		id, known := ids[a.peer]
		if !known {
			id = fmt.Sprintf("p%d", len(ids))
			ids[a.peer] = id
			peer(id, a.peer)
		}
		if a.in {
			arrow(id, "pod", a.label)
		} else {
			arrow("pod", id, a.label)
		}
	}
	return more
}

// Dot writes a report as a graph for Graphviz.
func Dot(w io.Writer, r *reach.Report) {
	quote := func(s string) string {
		return `"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(s) + `"`
	}
	fmt.Fprintf(w, "digraph containment {\n  rankdir=LR;\n  node [shape=box];\n  pod [label=%s, style=bold];\n", quote(clean(r.Pod)))
	more := draw(r,
		func(id, name string) { fmt.Fprintf(w, "  %s [label=%s];\n", id, quote(name)) },
		func(from, to, label string) { fmt.Fprintf(w, "  %s -> %s [label=%s];\n", from, to, quote(label)) })
	if more > 0 {
		fmt.Fprintf(w, "  more [label=%s, shape=plaintext];\n", quote(fmt.Sprintf("and %d more", more)))
	}
	fmt.Fprintln(w, "}")
}

// Mermaid writes a report as a Mermaid flowchart.
func Mermaid(w io.Writer, r *reach.Report) {
	quote := func(s string) string {
		return `"` + strings.NewReplacer(`"`, "#quot;", "<", "#lt;", ">", "#gt;", "`", "'", "#", "#35;", ";", ",").Replace(s) + `"`
	}
	fmt.Fprintf(w, "flowchart LR\n  pod[[%s]]\n", quote(clean(r.Pod)))
	more := draw(r,
		func(id, name string) { fmt.Fprintf(w, "  %s[%s]\n", id, quote(name)) },
		func(from, to, label string) { fmt.Fprintf(w, "  %s -->|%s| %s\n", from, quote(label), to) })
	if more > 0 {
		fmt.Fprintf(w, "  more[%s]\n", quote(fmt.Sprintf("and %d more", more)))
	}
}
