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
}

// Run prints a run as it stands: why it began, each step with plan, verdicts
// and receipt, who decided, and what comes next.
func Run(w io.Writer, r event.Run) {
	fmt.Fprintf(w, "run       %s  %s\n", clean(r.ID, 64), word(r.State))
	if r.Reason != "" {
		fmt.Fprintf(w, "because   %s\n", clean(r.Reason, 500))
	}
	fmt.Fprintf(w, "playbook  %s (version %s), mode %s\n", clean(r.Playbook, 63), short(r.Version), word(r.Mode))
	fmt.Fprintf(w, "finding   %s: %s (%s, trust %s)\n", clean(named(r.Finding), 63), clean(r.Finding.Title, 200), word(r.Finding.Severity), r.Finding.Trust)
	if r.Finding.Explanation != "" {
		fmt.Fprintf(w, "          %s\n", clean(r.Finding.Explanation, 500))
	}
	if r.Starter != "" {
		fmt.Fprintf(w, "started   by hand by %s\n", clean(r.Starter, 120))
	}
	if r.Incident.ID != "" {
		fmt.Fprintf(w, "incident  %s (risk %d, confidence %d)\n", short(r.Incident.ID), r.Incident.Risk, r.Incident.Confidence)
	}
	fmt.Fprintf(w, "target    %s uid %s\n", clean(r.Target.String(), 200), clean(r.Target.UID, 64))
	for _, s := range r.Steps {
		step(w, s)
	}
	if r.Approval != nil {
		approval(w, *r.Approval)
	}
}

func step(w io.Writer, s event.Step) {
	fmt.Fprintf(w, "step      %s (%s): %s\n", clean(s.Name, 63), clean(s.Action, 63), word(s.State))
	if s.Error != "" {
		fmt.Fprintf(w, "            %s\n", clean(s.Error, 500))
	}
	if s.Plan != nil {
		fmt.Fprintf(w, "            plan %s: %s\n", short(s.Digest), clean(s.Plan.Summary, 500))
	}
	for _, v := range s.Verdicts {
		fmt.Fprintf(w, "            guard %s says %s: %s\n", word(v.Guard), word(v.Decision), clean(v.Reason, 300))
	}
	if s.Receipt != nil {
		fmt.Fprintf(w, "            %s  %s\n", stamp(s.Receipt.Time), word(s.Receipt.Result))
		for _, n := range s.Receipt.Notes {
			fmt.Fprintf(w, "              %s\n", clean(n, 500))
		}
	}
	if s.Again > 0 {
		fmt.Fprintf(w, "            somebody took the hold off; it was set again %d times\n", s.Again)
	}
	switch {
	case s.Differs != "":
		fmt.Fprintf(w, "            %s\n            it holds until somebody says keep, extend, or undo --leave-changes\n", clean(s.Differs, 500))
	case s.Kept && s.State == event.StepDone:
		fmt.Fprintln(w, "            holds until somebody says undo")
	case s.EndAsked:
		fmt.Fprintln(w, "            its time is up: it holds until somebody says undo or extend")
	case s.Until != nil && s.State == event.StepDone:
		fmt.Fprintf(w, "            holds until %s, then %s\n", stamp(*s.Until), word(s.AtEnd))
	}
	if s.Undo != nil {
		fmt.Fprintf(w, "            %s  %s\n", stamp(s.Undo.Time), word(s.Undo.Result))
		for _, n := range s.Undo.Notes {
			fmt.Fprintf(w, "              %s\n", clean(n, 500))
		}
	}
}

func approval(w io.Writer, a event.Approval) {
	fmt.Fprintf(w, "approval  %s: %s, %d needed, until %s\n", short(a.Digest), word(a.State), a.Need, stamp(a.Expires))
	for _, r := range a.Reasons {
		fmt.Fprintf(w, "            asked because %s\n", clean(r, 300))
	}
	for _, v := range a.Votes {
		answer := "denied"
		if v.Approve {
			answer = "approved"
		}
		if v.Refused != "" {
			answer += " (does not count: " + clean(v.Refused, 200) + ")"
		}
		fmt.Fprintf(w, "            %s  %s %s %s\n", stamp(v.Time), clean(v.User, 120), answer, clean(v.Reason, 300))
	}
}

// maxBody is how much of a write is shown: more than any object takes.
const maxBody = 1 << 20

// Plan prints exactly what is to be decided on.
func Plan(w io.Writer, r event.Run) {
	Run(w, r)
	for _, s := range r.Steps {
		if s.Plan == nil || s.State != event.StepPlanned {
			continue
		}
		fmt.Fprintf(w, "\n%s would send:\n", clean(s.Name, 63))
		for _, wr := range s.Plan.Writes {
			fmt.Fprintf(w, "  %s %s %s\n    %s\n", word(wr.Verb), word(wr.Resource), clean(strings.Trim(wr.Namespace+"/"+wr.Name, "/"), 300), clean(string(wr.Body), maxBody))
			if n := len(wr.Body) - maxBody; n > 0 {
				fmt.Fprintf(w, "    %d bytes more are not shown: see firebreak runs -o json\n", n)
			}
		}
		for _, n := range s.Plan.Notes {
			fmt.Fprintf(w, "  note: %s\n", clean(n, 500))
		}
	}
}
