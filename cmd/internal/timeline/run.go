package timeline

import (
	"fmt"
	"io"
	"strings"
	"unicode"

	"github.com/firebreak-io/firebreak/internal/event"
	"github.com/firebreak-io/firebreak/respond/journal"
)

const (
	// maxShown is how much of a write's body a run shows, maxBody how much is
	// shown to who decides on it: more than any object takes.
	maxShown = 600
	maxBody  = 1 << 20
)

// Run prints a run as it stands: why it began, who is behind it, each step with
// its plan, what that takes away, the guards with their numbers, the receipt,
// and who was asked.
func Run(w io.Writer, r event.Run) { (&page{w: w, most: maxShown}).run(r) }

// Plan is [Run] with every write in full: exactly what is to be decided on.
func Plan(w io.Writer, r event.Run) { (&page{w: w, most: maxBody}).run(r) }

// page prints lines with a word at their beginning.
type page struct {
	w    io.Writer
	most int
}

// line prints a line under a word, which is empty when it belongs to the one
// before.
func (p *page) line(word, format string, args ...any) {
	fmt.Fprintf(p.w, "%-9s %s\n", word, fmt.Sprintf(format, args...))
}

// under prints a line of a step, under a word.
func (p *page) under(word, format string, args ...any) {
	fmt.Fprintf(p.w, "            %-7s %s\n", word, fmt.Sprintf(format, args...))
}

// all prints lines of a step under one word.
func (p *page) all(word string, lines []string) {
	for _, l := range lines {
		p.under(word, "%s", l)
		word = ""
	}
}

func (p *page) run(r event.Run) {
	p.line("run", "%s  %s", clean(r.ID, 64), word(r.State))
	if r.Reason != "" {
		p.line("because", "%s", clean(r.Reason, 500))
	}
	f := r.Finding
	p.line("why", "%s: %s (%s, trust %s)", clean(named(f), 63), clean(f.Title, 200), word(f.Severity), f.Trust)
	if f.Explanation != "" {
		p.line("", "%s", clean(f.Explanation, 500))
	}
	if f.Actor.User != "" || f.Actor.Address != "" {
		p.line("", "done by %s", clean(strings.Join(strings.Fields(f.Actor.User+" "+f.Actor.Address), " from "), 200))
	}
	if in := r.Incident; in.ID != "" {
		p.line("", "incident %s: risk %d, confidence %d, findings %d", short(in.ID), in.Risk, in.Confidence, in.Count)
	}
	switch r.Starter {
	case "":
		p.line("who", "the finding began it")
	default:
		p.line("who", "started by hand by %s", clean(r.Starter, 120))
	}
	p.line("playbook", "%s (version %s), mode %s", clean(r.Playbook, 63), short(r.Version), word(r.Mode))
	p.line("target", "%s uid %s", clean(r.Target.String(), 200), clean(r.Target.UID, 64))
	for _, s := range r.Steps {
		p.step(s)
	}
	if r.Approval != nil {
		p.approval(*r.Approval)
	}
	for _, s := range r.Said {
		p.line("asked", "%s  %s", stamp(s.Time), journal.Saying(s))
	}
	for _, a := range r.Would {
		asked := journal.Asked(a)
		p.line("would ask", "%s", asked[0])
		for _, l := range asked[1:] {
			p.line("", "%s", l)
		}
	}
}

func (p *page) step(s event.Step) {
	p.line("step", "%s (%s): %s", clean(s.Name, 63), clean(s.Action, 63), word(s.State))
	if s.Target != nil {
		p.under("target", "%s", clean(s.Target.String(), 200))
	}
	if s.Error != "" {
		p.under("because", "%s", clean(s.Error, 500))
	}
	if s.Plan != nil {
		p.plan(s)
	}
	p.guards(s.Verdicts)
	if n := s.Attempts; n > 1 {
		p.under("tried", "%d times, of that %d met a target that had changed", n, s.Conflicts)
	}
	p.receipt("did", s.Receipt)
	if s.Again > 0 {
		p.under("again", "somebody took the hold off; it was set again %d times", s.Again)
	}
	p.hold(s)
	p.receipt("undone", s.Undo)
}

// plan prints what would be, or was, written.
func (p *page) plan(s event.Step) {
	p.under("plan", "%s: %s", short(s.Digest), clean(s.Plan.Summary, 500))
	for _, wr := range s.Plan.Writes {
		body := clean(string(wr.Body), p.most)
		p.under("", "  %s %s %s  %s", word(wr.Verb), word(wr.Resource), clean(strings.Trim(wr.Namespace+"/"+wr.Name, "/"), 300), body)
		if n := len(wr.Body) - p.most; n > 0 {
			p.under("", "  %d bytes more are not shown: see firebreak runs -o json", n)
		}
	}
	p.all("lost", journal.Lost(s.Plan.Loss))
	if s.Receipt == nil { // which has them as they are known since
		notes := make([]string, 0, len(s.Plan.Notes))
		for _, n := range s.Plan.Notes {
			notes = append(notes, clean(n, 500))
		}
		p.all("note", notes)
	}
}

// guards prints those that stand against the plan, then those that counted
// something, and names the rest.
func (p *page) guards(verdicts []event.Verdict) {
	var against, counted, rest []string
	for _, v := range verdicts {
		line := fmt.Sprintf("%s says %s: %s", word(v.Guard), word(v.Decision), clean(v.Reason, 300))
		switch {
		case v.Decision != event.Pass:
			against = append(against, line)
		case strings.ContainsFunc(v.Reason, unicode.IsDigit):
			counted = append(counted, line)
		default:
			rest = append(rest, word(v.Guard))
		}
	}
	lines := append(against, counted...)
	if len(rest) > 0 {
		lines = append(lines, "pass: "+strings.Join(rest, ", "))
	}
	p.all("guards", lines)
}

func (p *page) receipt(what string, r *event.Receipt) {
	if r == nil {
		return
	}
	p.under(what, "%s  %s", stamp(r.Time), word(r.Result))
	for _, n := range r.Notes {
		p.under("", "  %s", clean(n, 500))
	}
}

func (p *page) hold(s event.Step) {
	switch {
	case s.Differs != "":
		p.under("holds", "%s", clean(s.Differs, 500))
		p.under("", "until somebody says keep, extend, or undo --leave-changes")
	case s.Kept && s.State == event.StepDone:
		p.under("holds", "until somebody says undo")
	case s.EndAsked && s.State == event.StepDone:
		p.under("holds", "its time is up: until somebody says undo or extend")
	case s.Until != nil && s.State == event.StepDone:
		p.under("holds", "until %s, then %s", stamp(*s.Until), word(s.AtEnd))
	}
}

func (p *page) approval(a event.Approval) {
	p.line("approval", "%s: %s, until %s", short(a.Digest), word(a.State), stamp(a.Expires))
	p.all("asks", journal.Asked(a))
	for _, v := range a.Votes {
		answer := "denied"
		if v.Approve {
			answer = "approved"
		}
		if v.Reason != "" {
			answer += ": " + clean(v.Reason, 300)
		}
		if v.Refused != "" {
			answer += " (does not count: " + clean(v.Refused, 200) + ")"
		}
		p.under("said", "%s  %s %s", stamp(v.Time), clean(v.User, 120), answer)
	}
}
