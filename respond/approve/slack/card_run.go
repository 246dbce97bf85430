package slack

import (
	"fmt"
	"slices"
	"strings"
	"time"

	slackapi "github.com/slack-go/slack"

	"github.com/firebreak-io/firebreak/internal/event"
	"github.com/firebreak-io/firebreak/respond/approve"
)

// What the buttons offer.
const (
	// shorterHold is the hold of "approve for a shorter time".
	shorterHold = 15 * time.Minute
	extendFor   = time.Hour
	silenceFor  = time.Hour
)

// runBlocks are a run in full.
func runBlocks(s face, r event.Run) []slackapi.Block {
	blocks := section(runLine(r))
	switch {
	case open(r):
		blocks = append(blocks, question(s, r)...)
	case r.State == event.RunExpired:
		blocks = append(blocks, buttons(breaking(s, r, Order{Deed: DeedBreak, On: r.ID, Why: true}))...)
	case r.State.Terminal():
	default:
		blocks = append(blocks, section(holds(r)...)...)
		blocks = append(blocks, buttons(ending(s.Sealer, r)...)...)
	}
	return blocks
}

// runLine is a run in a line.
func runLine(r event.Run) string {
	text := fmt.Sprintf("Playbook %s on %s %s", Text(r.Playbook, 63), object(r.Target), state(r.State))
	if r.Reason != "" {
		text += ": " + Text(r.Reason, maxText)
	}
	return text + " · run " + short(r.ID)
}

// question shows all that is decided on: the exact writes, what would be lost,
// until when it holds, who may decide and who has.
func question(s face, r event.Run) []slackapi.Block {
	a := *r.Approval
	steps := asked(r)
	var blocks []slackapi.Block
	blocks = append(blocks, section(effects(steps)...)...)
	blocks = append(blocks, listing(diff(steps))...)
	if lost := losses(steps); len(lost) > 0 {
		blocks = append(blocks, section(lost...)...)
	}
	blocks = append(blocks, aside(terms(s, r, a)...)...)
	return append(blocks, buttons(deciding(s, r, steps)...)...)
}

// asked are the steps that the open question is about.
func asked(r event.Run) []event.Step {
	return slices.DeleteFunc(slices.Clone(r.Steps), func(s event.Step) bool {
		return s.Plan == nil || !slices.Contains(r.Approval.Steps, s.Name)
	})
}

// effects are the steps in words.
func effects(steps []event.Step) []string {
	var lines []string
	for _, s := range steps {
		line := fmt.Sprintf("%s: %s", Text(s.Name, 63), Text(s.Plan.Summary, maxText))
		if !s.Plan.Reversible {
			line += " (can't be undone)"
		}
		lines = append(lines, line)
		for _, n := range s.Plan.Notes {
			lines = append(lines, "• "+Text(n, maxText))
		}
	}
	return lines
}

// diff lists the writes to the letter.
func diff(steps []event.Step) string {
	var out strings.Builder
	for _, s := range steps {
		for _, w := range s.Plan.Writes {
			fmt.Fprintf(&out, "%s %s", line(w.Verb, 20), line(strings.Trim(w.Resource+"/"+w.Namespace+"/"+w.Name, "/"), 300))
			if len(w.Body) > 0 {
				fmt.Fprintf(&out, "\n  %s", line(string(w.Body), 1500))
			}
			out.WriteByte('\n')
		}
	}
	return strings.TrimSuffix(out.String(), "\n")
}

// losses are what the surroundings would lose.
func losses(steps []event.Step) []string {
	var lines []string
	for _, s := range steps {
		l := s.Plan.Loss
		if l == nil {
			continue
		}
		if len(l.Endpoints) > 0 {
			lines = append(lines, "Lost as an endpoint of "+Text(strings.Join(l.Endpoints, ", "), maxText))
		}
		if l.Workload != "" {
			line := fmt.Sprintf("%s: %d of %d ready, %d after", Text(l.Workload, 200), l.Ready, l.Wanted, l.ReadyAfter)
			if l.Replaced {
				line += ", until it is replaced"
			}
			lines = append(lines, line)
		}
		for _, b := range l.Budgets {
			lines = append(lines, fmt.Sprintf("PodDisruptionBudget %s allows %d more", Text(b.Budget, 200), b.Allowed))
		}
		for _, u := range l.Unknown {
			lines = append(lines, "Not known: "+Text(u, maxText))
		}
	}
	return lines
}

// terms are why it is asked, who may decide and until when.
func terms(s face, r event.Run, a event.Approval) []string {
	var lines []string
	for _, line := range approve.Lasting(r) {
		lines = append(lines, Text(line, maxText))
	}
	for _, why := range a.Reasons {
		lines = append(lines, "Asked because "+Text(why, maxText))
	}
	who := "who the cluster's RBAC lets approve"
	if len(a.By) > 0 {
		who = Text(strings.Join(a.By, ", "), maxText)
	}
	lines = append(lines, fmt.Sprintf("Needs %d of %s, by %s (plan %s)", a.Need, who, clock(a.Expires), short(a.Digest)))
	if s.barred(r) {
		line := "It can't be approved here, only by firebreak approve"
		if s.console != "" {
			line += " or on the page"
		}
		lines = append(lines, line)
	}
	for _, v := range a.Votes {
		if v.Refused == "" && v.Approve {
			lines = append(lines, fmt.Sprintf("%s has approved", Text(v.User, 120)))
		}
	}
	return append(lines, "run "+Text(r.ID, 64))
}

// deciding are the buttons of a question.
func deciding(s face, r event.Run, steps []event.Step) []*slackapi.ButtonBlockElement {
	a := *r.Approval
	o := Order{Deed: DeedApprove, On: r.ID, Approval: a.ID, Digest: a.Digest, Why: a.Explain}
	sure := fmt.Sprintf("%s on %s, plan %s", count(len(steps), "step"), object(r.Target), short(a.Digest))
	no, broken := o, o
	no.Deed, broken.Deed, broken.Why = DeedDeny, DeedBreak, true
	if s.barred(r) {
		row := []*slackapi.ButtonBlockElement{button(s.Sealer, "Deny", no, slackapi.StyleDanger, "")}
		if b := s.leading(r.Incident.ID); b != nil {
			row = append(row, b)
		}
		return row
	}
	row := []*slackapi.ButtonBlockElement{button(s.Sealer, "Approve", o, slackapi.StylePrimary, sure)}
	if slices.ContainsFunc(steps, func(s event.Step) bool { return s.Plan.Reversible }) {
		less := o
		less.Deed, less.For = DeedShorter, shorterHold
		row = append(row, button(s.Sealer, "Approve for "+approve.Span(shorterHold), less, "", sure+", for "+approve.Span(shorterHold)))
	}
	row = append(row, button(s.Sealer, "Deny", no, slackapi.StyleDanger, ""))
	return append(row, breaking(s, r, broken))
}

// breaking is the button by which somebody approves alone.
func breaking(s face, r event.Run, o Order) *slackapi.ButtonBlockElement {
	sure := "You approve alone, for " + object(r.Target) + ". People are paged, and somebody else reviews it."
	if r.State == event.RunExpired {
		sure = "Nobody approved in time: the playbook begins anew, and asks again. " + sure
	}
	return button(s.Sealer, "Break the glass…", o, slackapi.StyleDanger, sure)
}

// holds are what a run holds, and until when.
func holds(r event.Run) []string {
	var lines []string
	for i, s := range r.Steps {
		if s.State != event.StepDone || s.Until == nil {
			continue
		}
		text := fmt.Sprintf("%s holds %s", Text(s.Name, 63), object(r.StepTarget(i)))
		switch {
		case s.Differs != "":
			text += ", and was changed by somebody else: " + Text(s.Differs, maxText)
		case s.EndAsked:
			text += ". Its time is up: give back, or delete?"
		case s.Kept:
			text += " until somebody undoes it"
		default:
			text += " until " + s.Until.UTC().Format("2006-01-02 15:04 UTC")
		}
		if s.Receipt != nil {
			text += " (" + Text(string(s.Receipt.Result), 40) + ")"
			for _, n := range s.Receipt.Notes {
				text += "; " + Text(n, maxText)
			}
		}
		lines = append(lines, text)
	}
	return lines
}

// ending are the buttons of a run that holds something.
func ending(s Sealer, r event.Run) []*slackapi.ButtonBlockElement {
	if len(holds(r)) == 0 {
		return nil
	}
	o := func(d Deed) Order { return Order{Deed: d, On: r.ID} }
	row := []*slackapi.ButtonBlockElement{
		button(s, "Undo", o(DeedRestore), "", "What is held gets back what it had, and its traffic with it: "+object(r.Target)),
	}
	if slices.ContainsFunc(r.Steps, func(s event.Step) bool { return s.EndAsked && s.AtEnd == event.AtEndAsk }) {
		row = append(row, button(s, "Delete it", o(DeedDelete), slackapi.StyleDanger, "What is held is deleted: "+object(r.Target)))
	}
	longer := o(DeedExtend)
	longer.For = extendFor
	return append(row, button(s, "Extend by "+approve.Span(extendFor), longer, "", ""), button(s, "Keep", o(DeedKeep), "", ""))
}
