// Package timeline prints runs and incidents for people: who, what, why, the
// plan, the verdicts and the receipt. All text that others wrote is tamed
// first. Write errors are the terminal's and are not reported.
package timeline

import (
	"fmt"
	"io"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/firebreak-io/firebreak/internal/event"
	"github.com/firebreak-io/firebreak/internal/telemetry"
)

// clean makes one line of text of others, at most n bytes.
func clean(s string, n int) string {
	return strings.Join(strings.Fields(telemetry.Tame(s, n)), " ")
}

// short is the beginning of an id, enough to name it.
func short(id string) string { return clean(id[:min(len(id), 12)], 12) }

// word is a name of a closed set. The server is trusted to send one of it, the
// terminal is not made to.
func word[T ~string](s T) string { return clean(string(s), 40) }

// stamp is a time as it stands in every line.
func stamp(t time.Time) string { return t.UTC().Format("2006-01-02 15:04:05.000") }

// named is the rule or the model that a finding is from.
func named(f event.Finding) string { return f.Rule + f.Model }

// Runs prints one line a run.
func Runs(w io.Writer, runs []event.Run) {
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(t, "RUN\tSTATE\tPLAYBOOK\tTARGET\tRULE\tMODE\tUPDATED")
	for _, r := range runs {
		fmt.Fprintf(t, "%s\t%s\t%s\t%s\t%s\t%s\t%s\n", short(r.ID), word(r.State), clean(r.Playbook, 63),
			clean(r.Target.String(), 120), clean(named(r.Finding), 63), word(r.Mode), stamp(r.Updated))
	}
	_ = t.Flush()
}

// Incidents prints one line an incident.
func Incidents(w io.Writer, list []event.Incident) {
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(t, "INCIDENT\tSTATE\tPRIORITY\tRISK\tSUBJECT\tFINDINGS\tRULES\tUPDATED")
	for _, in := range list {
		fmt.Fprintf(t, "%s\t%s\t%s\t%d\t%s\t%d\t%s\t%s\n", short(in.ID), word(in.State), word(in.Priority), in.Risk,
			clean(in.Subject.String(), 120), in.Count, clean(strings.Join(in.Rules, ","), 200), stamp(in.Updated))
	}
	_ = t.Flush()
	for _, in := range list {
		if in.Unreadable != "" {
			fmt.Fprintf(w, "incident %s: %s\n", short(in.ID), clean(in.Unreadable, 500))
		}
	}
}
