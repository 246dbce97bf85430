package timeline

import (
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/firebreak-io/firebreak/internal/event"
	"github.com/firebreak-io/firebreak/respond/journal"
	"github.com/firebreak-io/firebreak/respond/receipt"
)

// Incident prints an incident: what makes its risk, and all that happened in
// it, in its runs and with its messages to people, in order.
func Incident(w io.Writer, in event.Incident, runs map[string][]event.Run, told []event.Delivery) {
	fmt.Fprintf(w, "incident    %s  %s\n", clean(in.ID, 64), word(in.State))
	fmt.Fprintf(w, "priority    %s: risk %d, confidence %d\n", word(in.Priority), in.Risk, in.Confidence)
	for _, why := range in.Why {
		fmt.Fprintf(w, "              %s\n", clean(why, 300))
	}
	fmt.Fprintf(w, "subject     %s\n", clean(in.Subject.String(), 200))
	fmt.Fprintf(w, "findings    %d of %s\n", in.Count, clean(strings.Join(in.Rules, ", "), 500))
	if len(in.Threats) > 0 {
		fmt.Fprintf(w, "threats     %s\n", clean(strings.Join(in.Threats, ", "), 300))
	}
	if len(in.Recommended) > 0 {
		fmt.Fprintf(w, "recommended %s\n", clean(strings.Join(in.Recommended, ", "), 500))
	}
	if in.AcknowledgedBy != "" {
		fmt.Fprintf(w, "seen to by  %s since %s\n", clean(in.AcknowledgedBy, 120), stamp(in.Acknowledged))
	}
	if in.Verdict != "" {
		fmt.Fprintf(w, "verdict     %s, says %s\n", clean(in.Verdict, 10), clean(in.VerdictBy, 120))
	}
	if len(in.Refuted) > 0 {
		fmt.Fprintf(w, "refuted     %d of its findings are false alarms, people say\n", len(in.Refuted))
	}
	if len(in.Linked) > 0 {
		fmt.Fprintf(w, "linked      %s\n", clean(strings.Join(in.Linked, ", "), 500))
	}
	type moment struct {
		at   time.Time
		text string
	}
	var all []moment
	for _, m := range in.Timeline {
		if _, known := runs[m.ID]; m.What == event.MomentRun && known {
			continue // its own records say more
		}
		text := clean(m.Text, 400)
		if m.By != "" {
			text = clean(m.By, 120) + ": " + text
		}
		all = append(all, moment{m.Time, word(m.What) + "  " + text})
	}
	for id, records := range runs {
		before := event.Run{}
		for _, r := range records {
			for _, line := range journal.Moves(before, r) {
				all = append(all, moment{r.Updated, "run " + short(id) + "  " + line})
			}
			before = r
		}
	}
	for _, d := range told {
		all = append(all, moment{d.Updated, "message  " + journal.Delivery(d)})
	}
	slices.SortStableFunc(all, func(a, b moment) int { return a.at.Compare(b.at) })
	fmt.Fprintln(w)
	for _, m := range all {
		fmt.Fprintf(w, "%s  %s\n", stamp(m.at), m.text)
	}
	if in.Forgotten > 0 {
		fmt.Fprintf(w, "(%d moments in the middle are left out)\n", in.Forgotten)
	}
}

// Proof prints what a receipt proves.
func Proof(w io.Writer, p receipt.Proof) {
	fmt.Fprintf(w, "proved    run %s: %d records, %s\n", clean(p.Run, 64), p.Records, word(p.State))
	fmt.Fprintf(w, "head      %s\n", clean(p.Head, 64))
	fmt.Fprintf(w, "playbook  %s (version %s)\ntarget    %s uid %s\n", clean(p.Playbook, 63), short(p.Version), clean(p.Target.String(), 200), clean(p.Target.UID, 64))
	for _, e := range p.Effects {
		fmt.Fprintf(w, "effect    %s: meant in record %d", clean(e.Step, 100), e.Intent)
		if e.Done > 0 {
			fmt.Fprintf(w, ", %s in %d", word(e.Result), e.Done)
		}
		if e.Undone > 0 {
			fmt.Fprintf(w, ", undone in %d", e.Undone)
		}
		fmt.Fprintf(w, "; it is %s\n", word(e.State))
	}
	for _, e := range p.Evidence {
		fmt.Fprintf(w, "kept      %s: %s, %d bytes, SHA-256 %s\n", clean(e.Step, 100), clean(e.Where+"/"+e.Object, 600), e.Size, clean(e.SHA256, 64))
	}
}
