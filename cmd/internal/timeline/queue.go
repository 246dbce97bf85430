package timeline

import (
	"cmp"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"text/tabwriter"

	"github.com/firebreak-io/firebreak/respond/approve"
)

// Queue prints what waits for people: a line a question, the gravest first, and
// what is over in a few lines.
func Queue(w io.Writer, q approve.Queue) {
	if len(q.Questions) == 0 && len(q.Ends) == 0 && q.Rest == nil {
		fmt.Fprintln(w, "nothing waits for people")
		return
	}
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(t, "RUN\tPRIORITY\tRISK\tPLAYBOOK\tTARGET\tYES\tEXPIRES\tWHY")
	for _, x := range q.Questions {
		fmt.Fprintf(t, "%s\t%s\t%d\t%s\t%s\t%d of %d\t%s\t%s\n", short(x.Run), word(x.Priority), x.Risk, clean(x.Playbook, 63),
			clean(x.Target.String(), 120), x.Yes, x.Need, stamp(x.Expires), clean(strings.Join(x.Reasons, "; "), 200))
	}
	_ = t.Flush()
	ends(w, q)
	r := q.Rest
	if r == nil {
		return
	}
	fmt.Fprintf(w, "\nand %d more, the first since %s, which expires at %s\n", r.Count, stamp(r.Oldest), stamp(r.Expires))
	fmt.Fprintf(w, "  priorities  %s\n", counts(r.Priorities))
	fmt.Fprintf(w, "  playbooks   %s\n", counts(r.Playbooks))
	fmt.Fprintf(w, "  namespaces  %s\n", counts(r.Namespaces))
	fmt.Fprintf(w, "  answer them all by  firebreak approvals deny %s  or  approve\n", clean(r.Digest, 64))
}

// ends prints the holds that stand until somebody says what becomes of them.
func ends(w io.Writer, q approve.Queue) {
	if len(q.Ends) == 0 {
		return
	}
	fmt.Fprintln(w, "\nholds that stand until somebody says undo, extend or keep:")
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(t, "RUN\tPRIORITY\tRISK\tPLAYBOOK\tSTEP\tTARGET\tENDED\tWHY")
	for _, x := range q.Ends {
		why := "its time is up, and the playbook asks"
		if x.Differs != "" {
			why = clean(x.Differs, 200)
		}
		fmt.Fprintf(t, "%s\t%s\t%d\t%s\t%s\t%s\t%s\t%s\n", short(x.Run), word(x.Priority), x.Risk, clean(x.Playbook, 63), clean(x.Step, 63),
			clean(x.Target.String(), 120), stamp(x.Until), why)
	}
	_ = t.Flush()
	if q.MoreEnds > 0 {
		fmt.Fprintf(w, "and %d more\n", q.MoreEnds)
	}
}

// counts reads NAME N, the most first.
func counts[K ~string](m map[K]int) string {
	names := slices.SortedFunc(maps.Keys(m), func(a, b K) int { return cmp.Or(cmp.Compare(m[b], m[a]), cmp.Compare(a, b)) })
	parts := make([]string, 0, len(names))
	for _, name := range names {
		parts = append(parts, fmt.Sprintf("%s %d", clean(cmp.Or(string(name), "(none)"), 63), m[name]))
	}
	return strings.Join(parts, ", ")
}
