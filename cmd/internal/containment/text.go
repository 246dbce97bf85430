// Package containment shows what a pod may reach and who may reach it, as text
// and as pictures. Names come from whoever could make an object, so what could
// steer a terminal or end a quoted string is taken out of them.
package containment

import (
	"fmt"
	"io"
	"strings"
	"unicode"

	"github.com/firebreak-io/firebreak/internal/kube/reach"
)

// Text writes a report for people. Who called it checks the writer's errors.
func Text(w io.Writer, r *reach.Report) {
	fmt.Fprintf(w, "pod %s", clean(r.Pod))
	if r.Node != "" {
		fmt.Fprintf(w, " on node %s", clean(r.Node))
	}
	fmt.Fprintln(w)
	if r.Held() {
		fmt.Fprintln(w, "held: by all policies nothing gets through")
	}
	section(w, "policies of what it sends", policies(r.Policies.Egress))
	section(w, "policies of what it receives", policies(r.Policies.Ingress))
	section(w, "may reach", flows(r.Egress))
	section(w, "may be reached", flows(r.Ingress))
	section(w, "always gets through", r.Always)
	section(w, "not known", r.Unknown)
}

func section(w io.Writer, title string, lines []string) {
	fmt.Fprintf(w, "\n%s:\n", title)
	if len(lines) == 0 {
		lines = []string{"none"}
	}
	for _, l := range lines {
		fmt.Fprintf(w, "  %s\n", clean(l))
	}
}

func policies(list []reach.Policy) []string {
	var out []string
	for _, p := range list {
		out = append(out, p.String())
	}
	return out
}

func flows(list []reach.Flow) []string {
	var out []string
	for _, f := range list {
		line := f.String()
		if len(f.Far) > 0 {
			line += "; so do of the other side " + strings.Join(policies(f.Far), ", ")
		}
		out = append(out, line)
	}
	return out
}

// clean takes out what is not plain text.
func clean(s string) string {
	return strings.Map(func(r rune) rune {
		if !unicode.IsPrint(r) || unicode.Is(unicode.Bidi_Control, r) {
			return '?'
		}
		return r
	}, s)
}
