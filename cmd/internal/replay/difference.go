package replay

import (
	"bufio"
	"cmp"
	"fmt"
	"io"
	"maps"
	"slices"
	"text/tabwriter"

	"github.com/firebreak-io/firebreak/internal/event"
)

// TextDifferences writes what differs for people: + is added, - removed, ~
// changed.
func TextDifferences(w io.Writer) Differences {
	return &textDifferences{w: bufio.NewWriter(w), rules: map[string]*[3]int{}}
}

type textDifferences struct {
	w     *bufio.Writer
	rules map[string]*[3]int // of rules and playbooks: added, removed, changed
}

var signs = map[Change]string{Added: "+", Removed: "-", Changed: "~"}

func (t *textDifferences) Rejected(r event.Rejected) error {
	return (&text{w: t.w}).Rejected(r)
}

func (t *textDifferences) Difference(d Difference) error {
	name := ""
	if f := d.Finding; f != nil {
		name = "rule " + f.Rule + f.Model
		from := ""
		if len(f.Events) > 0 {
			from = f.Events[0].From
		}
		fmt.Fprintf(t.w, "%s %s  %-8s  %s: %s  (%s)\n", signs[d.Change], stamp(f.Time), f.Severity, tame(f.Rule+f.Model, 63), tame(about(*f), 160), tame(from, 200))
	} else {
		name = "playbook " + d.Run.Playbook
		fmt.Fprintf(t.w, "%s     playbook %s would run in mode %s on %s\n", signs[d.Change], tame(d.Run.Playbook, 63), d.Run.Would, tame(d.Run.Target.String(), 160))
	}
	for _, p := range d.Parts {
		fmt.Fprintf(t.w, "      %s: %s → %s\n", p.Name, tame(p.Before, 300), tame(p.Now, 300))
	}
	if t.rules[name] == nil {
		t.rules[name] = &[3]int{}
	}
	t.rules[name][slices.Index([]Change{Added, Removed, Changed}, d.Change)]++
	return nil
}

func (t *textDifferences) Compared(c Comparison) error {
	if len(t.rules) > 0 {
		table := tabwriter.NewWriter(t.w, 0, 0, 2, ' ', 0)
		fmt.Fprintln(table, "\nWHAT\tADDED\tREMOVED\tCHANGED")
		for _, name := range slices.SortedFunc(maps.Keys(t.rules), cmp.Compare) {
			n := t.rules[name]
			fmt.Fprintf(table, "%s\t%d\t%d\t%d\n", tame(name, 80), n[0], n[1], n[2])
		}
		if err := table.Flush(); err != nil {
			return fmt.Errorf("write output: %w", err)
		}
		fmt.Fprintln(t.w)
	}
	fmt.Fprintf(t.w, "%d events: %d findings, before %d (%d added, %d removed, %d changed); %d runs planned, before %d (%d added, %d removed, %d changed)\n",
		c.Events, c.Findings, c.Before.Findings, c.Changes[Added].Findings, c.Changes[Removed].Findings, c.Changes[Changed].Findings,
		c.Runs, c.Before.Runs, c.Changes[Added].Runs, c.Changes[Removed].Runs, c.Changes[Changed].Runs)
	if err := t.w.Flush(); err != nil {
		return fmt.Errorf("write output: %w", err)
	}
	return nil
}

// NDJSONDifferences writes one object a line, as [NDJSON] does; each finding and
// run has its change, and a changed one what is changed.
func NDJSONDifferences(w io.Writer) Differences { return &ndjsonDifferences{ndjson{w: w}} }

type ndjsonDifferences struct{ ndjson }

func (n *ndjsonDifferences) Difference(d Difference) error {
	if d.Finding != nil {
		return n.write(struct {
			findingLine
			Change Change `json:"change"`
			Parts  []Part `json:"changed,omitempty"`
		}{findingOf(*d.Finding), d.Change, d.Parts})
	}
	return n.write(struct {
		runLine
		Change Change `json:"change"`
		Parts  []Part `json:"changed,omitempty"`
	}{runOf(*d.Run), d.Change, d.Parts})
}

func (n *ndjsonDifferences) Compared(c Comparison) error {
	return n.write(struct {
		Type string `json:"type"`
		Comparison
	}{"summary", c})
}
