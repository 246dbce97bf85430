package replay

import (
	"bufio"
	"cmp"
	"fmt"
	"io"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/firebreak-io/firebreak/internal/event"
	"github.com/firebreak-io/firebreak/internal/telemetry"
	"github.com/firebreak-io/firebreak/respond/journal"
)

// Text writes a timeline for people, and counts at its end. Whatever events
// say is tamed: it can't steer a terminal.
func Text(w io.Writer) Sink {
	return &text{w: bufio.NewWriter(w), rules: map[string]*tally{}, books: map[string]*tally{}}
}

type text struct {
	w            *bufio.Writer
	rules, books map[string]*tally
}

// tally counts what has a name.
type tally struct {
	name     string
	severity event.Severity
	mode     event.Mode
	count    int
	repeats  uint64
	verdicts map[string]int
}

// tame makes one line of text of others, at most n bytes.
func tame(s string, n int) string {
	return strings.Join(strings.Fields(telemetry.Tame(s, n)), " ")
}

func stamp(t time.Time) string {
	if t.IsZero() {
		return "no time                "
	}
	return t.UTC().Format("2006-01-02 15:04:05.000")
}

func (t *text) Finding(f event.Finding) error {
	name := f.Rule + f.Model
	if t.rules[name] == nil {
		t.rules[name] = &tally{name: name, severity: f.Severity}
	}
	t.rules[name].count++
	from := ""
	if len(f.Events) > 0 {
		from = f.Events[0].From
	}
	fmt.Fprintf(t.w, "%s  %-8s  %s: %s  (%s)\n", stamp(f.Time), f.Severity, tame(name, 63), tame(about(f), 160), tame(from, 200))
	if f.Explanation != "" {
		fmt.Fprintf(t.w, "    %s\n", tame(f.Explanation, 500))
	}
	if f.Silence != "" {
		fmt.Fprintf(t.w, "    silenced by %s\n", tame(f.Silence, 32))
	}
	return nil
}

// about is what a finding is about, for people.
func about(f event.Finding) string {
	if s := f.Subject.String(); s != "" {
		return s
	}
	for _, s := range []string{f.Subject.ContainerID, f.Subject.Node, f.Actor.User, f.Actor.Address} {
		if s != "" {
			return s
		}
	}
	return "-"
}

func (t *text) Run(r Run) error {
	if t.books[r.Playbook] == nil {
		t.books[r.Playbook] = &tally{name: r.Playbook, mode: r.Would, verdicts: map[string]int{}}
	}
	t.books[r.Playbook].count++
	fmt.Fprintf(t.w, "    playbook %s would run in mode %s on %s\n", tame(r.Playbook, 63), r.Would, tame(r.Target.String(), 160))
	for i, s := range r.Steps {
		v := r.Verdicts[i]
		t.books[r.Playbook].verdicts[v.Decision]++
		what := s.Action
		if s.Plan != nil {
			what = s.Plan.Summary
		}
		fmt.Fprintf(t.w, "      %-7s  %s: %s", v.Decision, tame(s.Name, 63), tame(what, 300))
		if v.Reason != "" {
			fmt.Fprintf(t.w, "  [%s]", tame(v.Reason, 300))
		}
		fmt.Fprintln(t.w)
		if s.Plan != nil && r.Live {
			t.plan(*s.Plan)
		}
	}
	for _, a := range r.Run.Would {
		fmt.Fprintf(t.w, "      would ask %s\n", strings.Join(journal.Asked(a), "; "))
	}
	return nil
}

// plan prints what a plan that was made in a cluster would send, what that takes
// away, and what the API server says to it.
func (t *text) plan(p event.Plan) {
	for _, w := range p.Writes {
		fmt.Fprintf(t.w, "               %s %s %s  %s\n", w.Verb, w.Resource, tame(strings.Trim(w.Namespace+"/"+w.Name, "/"), 300), tame(string(w.Body), 600))
	}
	for _, l := range journal.Lost(p.Loss) {
		fmt.Fprintf(t.w, "               lost: %s\n", l)
	}
	for _, n := range p.Notes {
		fmt.Fprintf(t.w, "               note: %s\n", tame(n, 500))
	}
}

func (t *text) Rejected(r event.Rejected) error {
	fmt.Fprintf(t.w, "rejected  %s  (%s, %s)\n", tame(r.Reason, 300), r.Source, tame(r.From, 200))
	return nil
}

// Count adds to the rule's: to say it for each finding would hide the others.
func (t *text) Count(f event.Finding, c event.FindingCount) error {
	t.rules[f.Rule+f.Model].repeats += c.Count - 1
	return nil
}

func (t *text) Summary(s Summary) error {
	if len(t.rules) > 0 {
		table := tabwriter.NewWriter(t.w, 0, 0, 2, ' ', 0)
		fmt.Fprintln(table, "\nRULE\tSEVERITY\tFINDINGS\tCAME AGAIN")
		for _, c := range sorted(t.rules) {
			fmt.Fprintf(table, "%s\t%s\t%d\t%d\n", tame(c.name, 63), c.severity, c.count, c.repeats)
		}
		if err := table.Flush(); err != nil {
			return fmt.Errorf("write output: %w", err)
		}
	}
	if len(t.books) > 0 {
		table := tabwriter.NewWriter(t.w, 0, 0, 2, ' ', 0)
		fmt.Fprintln(table, "\nPLAYBOOK\tMODE\tRUNS\tSTEPS")
		for _, c := range sorted(t.books) {
			fmt.Fprintf(table, "%s\t%s\t%d\t%s\n", tame(c.name, 63), c.mode, c.count, verdicts(c.verdicts))
		}
		if err := table.Flush(); err != nil {
			return fmt.Errorf("write output: %w", err)
		}
	}
	if len(t.rules)+len(t.books)+s.Rejected > 0 {
		fmt.Fprintln(t.w)
	}
	again := ""
	if s.Repeats > 0 {
		again = fmt.Sprintf(" (came %d times more)", s.Repeats)
	}
	fmt.Fprintf(t.w, "%d lines: %d blank, %d joined to others, %d rejected; %d events, %d findings%s, %d runs planned\n",
		s.Lines, s.Blank, s.Joined, s.Rejected, s.Events, s.Findings, again, s.Runs)
	if err := t.w.Flush(); err != nil {
		return fmt.Errorf("write output: %w", err)
	}
	return nil
}

func sorted(all map[string]*tally) []*tally {
	list := make([]*tally, 0, len(all))
	for _, c := range all {
		list = append(list, c)
	}
	slices.SortFunc(list, func(a, b *tally) int {
		return cmp.Or(cmp.Compare(b.severity.Rank(), a.severity.Rank()), cmp.Compare(b.count, a.count), cmp.Compare(a.name, b.name))
	})
	return list
}

func verdicts(counts map[string]int) string {
	var parts []string
	for _, decision := range []string{string(event.Pass), string(event.Ask), string(event.Wait), string(event.Deny), verdictSkipped, verdictFailed, verdictExpanded} {
		if n := counts[decision]; n > 0 {
			parts = append(parts, fmt.Sprintf("%d %s", n, decision))
		}
	}
	return strings.Join(parts, ", ")
}
