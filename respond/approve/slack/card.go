package slack

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	slackapi "github.com/slack-go/slack"

	"github.com/firebreak-io/firebreak/internal/event"
)

// maxFull is how many runs of an incident are shown in full; of the others
// there is a line.
const maxFull = 3

// Card is what is known of an incident, of which its message is made.
type Card struct {
	Incident event.Incident
	// Runs are its runs, as their newest records say.
	Runs []event.Run
}

// Message renders the card. The same card gives the same message; whatever
// stands in it, the message keeps to Slack's limits.
func (c Card) Message(s face) Message {
	in := c.Incident
	m := Message{Text: cutEscaped(c.headline()+" · "+object(in.Subject)+c.pending(), maxNotice)}
	m.Blocks = append(m.Blocks, header(c.headline()))
	m.Blocks = append(m.Blocks, section(c.broken()...)...)
	m.Blocks = append(m.Blocks, section(c.story()...)...)
	m.Blocks = append(m.Blocks, fields(c.facts()...))
	m.Blocks = append(m.Blocks, aside(why(in)...)...)
	runs := c.sorted()
	for _, r := range runs[:min(len(runs), maxFull)] {
		m.Blocks = append(m.Blocks, slackapi.NewDividerBlock())
		m.Blocks = append(m.Blocks, runBlocks(s, r)...)
	}
	if len(runs) > maxFull {
		var rest []string
		for _, r := range runs[maxFull:] {
			rest = append(rest, runLine(r))
		}
		m.Blocks = append(m.Blocks, slackapi.NewDividerBlock())
		m.Blocks = append(m.Blocks, section(rest...)...)
	}
	m.Blocks = append(m.Blocks, buttons(c.judging(s)...)...)
	return m
}

// headline is the incident in a few words.
func (c Card) headline() string {
	in := c.Incident
	mark := Text(strings.ToUpper(string(in.Priority)), 20)
	if in.State.Over() {
		mark = strings.ReplaceAll(Text(string(in.State), 20), "_", " ")
	}
	return fmt.Sprintf("%s · %s", mark, detectors(in))
}

// pending says what the message waits for, for the notification.
func (c Card) pending() string {
	n := 0
	for _, r := range c.Runs {
		if open(r) {
			n++
		}
	}
	if n == 0 {
		return ""
	}
	return " · waits for your decision"
}

// story is what happened: the newest finding that a run began with says it in
// words, and why a model found it.
func (c Card) story() []string {
	var f event.Finding
	for _, r := range c.Runs {
		if f.ID == "" || r.Finding.Severity.Rank() > f.Severity.Rank() {
			f = r.Finding
		}
	}
	if f.ID == "" {
		var lines []string
		for _, m := range c.Incident.Timeline {
			if m.What == event.MomentFinding {
				lines = append(lines, Text(m.Text, maxText))
			}
		}
		return lines[:min(len(lines), 3)]
	}
	lines := []string{Text(f.Title, maxText)}
	if f.Explanation != "" {
		lines = append(lines, Text(f.Explanation, 2*maxText))
	}
	for _, x := range f.Features[:min(len(f.Features), 3)] {
		lines = append(lines, "• "+feature(x))
	}
	if len(f.Counterfactual) > 0 {
		lines = append(lines, "It would be usual, were "+Text(strings.Join(f.Counterfactual, ", "), maxText))
	}
	return lines
}

// facts are the incident in numbers.
func (c Card) facts() []string {
	in := c.Incident
	list := []string{
		"Object: " + object(in.Subject),
		fmt.Sprintf("Risk %d of 100, confidence %d", in.Risk, in.Confidence),
		fmt.Sprintf("State: %s", strings.ReplaceAll(Text(string(in.State), 40), "_", " ")),
		count(in.Count, "finding") + " since " + in.Created.UTC().Format("2006-01-02 15:04 UTC"),
	}
	if len(in.Threats) > 0 {
		list = append(list, "Threat: "+Text(strings.Join(in.Threats, ", "), 200))
	}
	if in.Importance != "" {
		list = append(list, "Importance: "+Text(string(in.Importance), 40))
	}
	if in.AcknowledgedBy != "" {
		list = append(list, Text(in.AcknowledgedBy, 120)+" sees to it since "+clock(in.Acknowledged))
	}
	if in.Verdict != "" {
		said := "a true positive"
		if in.Verdict == "false" {
			said = "a false positive"
		}
		list = append(list, fmt.Sprintf("%s says it is %s", Text(in.VerdictBy, 120), said))
	}
	return list
}

func why(in event.Incident) []string {
	var lines []string
	for _, w := range in.Why {
		lines = append(lines, Text(w, maxText))
	}
	lines = append(lines, "incident "+short(in.ID))
	return lines
}

// sorted are the runs, those first of which people have to decide something.
func (c Card) sorted() []event.Run {
	rank := func(r event.Run) int {
		switch {
		case open(r):
			return 0
		case r.State == event.RunNeedsHuman || slices.ContainsFunc(r.Steps, func(s event.Step) bool { return s.EndAsked }):
			return 1
		case !r.State.Terminal():
			return 2
		}
		return 3
	}
	runs := slices.Clone(c.Runs)
	slices.SortStableFunc(runs, func(a, b event.Run) int {
		return cmp.Or(cmp.Compare(rank(a), rank(b)), a.Created.Compare(b.Created), strings.Compare(a.ID, b.ID))
	})
	return runs
}

// broken says for which runs the glass was broken, and by whom.
func (c Card) broken() []string {
	var lines []string
	for _, r := range c.Runs {
		for _, s := range r.Steps {
			if s.BrokenBy != "" {
				lines = append(lines, fmt.Sprintf("THE GLASS WAS BROKEN by %s for playbook %s. Somebody else has to review it: /firebreak, or firebreak reviews", Text(s.BrokenBy, 120), Text(r.Playbook, 63)))
				break
			}
		}
	}
	return lines
}

// judging are the buttons by which people say that they see to the incident, and
// whether it is one.
func (c Card) judging(s face) []*slackapi.ButtonBlockElement {
	in := c.Incident
	if in.State.Over() {
		return nil
	}
	var row []*slackapi.ButtonBlockElement
	if in.AcknowledgedBy == "" {
		row = append(row, button(s.Sealer, "Acknowledge", Order{Deed: DeedAcknowledge, On: in.ID}, "", ""))
	}
	if in.Verdict != "" {
		return row
	}
	return append(row,
		button(s.Sealer, "True positive", Order{Deed: DeedTrue, On: in.ID}, "", ""),
		button(s.Sealer, "False positive", Order{Deed: DeedFalse, On: in.ID}, "", ""),
		button(s.Sealer, "Silence for 1h…", Order{Deed: DeedSilence, On: in.ID, For: silenceFor, Why: true}, "", ""),
	)
}

// open says whether a run waits for people's decision.
func open(r event.Run) bool {
	return r.Approval != nil && r.Approval.State == event.ApprovalOpen && r.State == event.RunAwaiting
}
