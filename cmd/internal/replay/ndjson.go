package replay

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/firebreak-io/firebreak/internal/event"
)

// NDJSON writes one object a line: findings, runs and rejects in stream order,
// how often findings came again, and the summary last.
func NDJSON(w io.Writer) Sink { return &ndjson{w: w} }

type ndjson struct {
	w    io.Writer
	line bytes.Buffer
}

type findingLine struct {
	Type     string         `json:"type"`
	ID       string         `json:"id"`
	Rule     string         `json:"rule"`
	Severity event.Severity `json:"severity"`
	Time     time.Time      `json:"time"`
	Score    float64        `json:"score"`
	// Subject is an object, or an actor where the finding is about no object.
	Subject any         `json:"subject"`
	Events  []eventLine `json:"events"`
	// Explanation is what people are told, Silence the id of the silence for it.
	Explanation string `json:"explanation,omitempty"`
	Silence     string `json:"silence,omitempty"`
	// Of a model's finding alone: how rare the score is, whose it is, and why.
	P              float64         `json:"p,omitempty"`
	Entity         string          `json:"entity,omitempty"`
	Features       []event.Feature `json:"features,omitempty"`
	Counterfactual []string        `json:"counterfactual,omitempty"`
}

type eventLine struct {
	ID   string `json:"id"`
	From string `json:"from"`
}

func (n *ndjson) Finding(f event.Finding) error { return n.write(findingOf(f)) }

func findingOf(f event.Finding) findingLine {
	l := findingLine{
		Type: "finding", ID: f.ID, Rule: f.Rule + f.Model, Severity: f.Severity, Time: f.Time, Score: f.Score, Subject: subject(f),
		Explanation: f.Explanation, Silence: f.Silence, Events: make([]eventLine, 0, len(f.Events)),
	}
	for _, a := range f.Events {
		l.Events = append(l.Events, eventLine{ID: a.ID, From: a.From})
	}
	if f.Model != "" {
		l.P, l.Entity, l.Features, l.Counterfactual = f.P, f.Entity, f.Features, f.Counterfactual
	}
	return l
}

// subject is what a finding is about: an object, or else who did it.
func subject(f event.Finding) any {
	if s := f.Subject; s.String() == "" && s.ContainerID == "" && s.Node == "" && s.Container == "" {
		return f.Actor
	}
	return f.Subject
}

type runLine struct {
	Type     string     `json:"type"`
	Playbook string     `json:"playbook"`
	Incident string     `json:"incident"`
	Mode     event.Mode `json:"mode"`
	Steps    []stepLine `json:"steps"`
	// Asks are the questions that people would be asked.
	Asks []askLine `json:"asks,omitempty"`
}

type askLine struct {
	Steps   []string `json:"steps"`
	By      []string `json:"by,omitempty"`
	Need    int      `json:"need"`
	Within  string   `json:"within"`
	Never   []string `json:"never,omitempty"`
	Reasons []string `json:"reasons,omitempty"`
}

type stepLine struct {
	Action string    `json:"action"`
	Target event.Ref `json:"target"`
	// Plan is null where none could be made.
	Plan    *event.Plan `json:"plan"`
	Verdict string      `json:"verdict"`
	Name    string      `json:"name"`
	// Reason is the verdict's, Guards what each guard says; where there is no
	// cluster to look at, what stands against the plan.
	Reason string          `json:"reason,omitempty"`
	Guards []event.Verdict `json:"guards,omitempty"`
}

func (n *ndjson) Run(r Run) error { return n.write(runOf(r)) }

func runOf(r Run) runLine {
	l := runLine{Type: "run", Playbook: r.Playbook, Incident: r.Incident.ID, Mode: r.Would, Steps: make([]stepLine, 0, len(r.Steps))}
	for i, s := range r.Steps {
		l.Steps = append(l.Steps, stepLine{
			Name: s.Name, Action: s.Action, Target: r.StepTarget(i), Plan: s.Plan, Verdict: r.Verdicts[i].Decision,
			Reason: r.Verdicts[i].Reason, Guards: guards(r, s),
		})
	}
	for _, a := range r.Run.Would {
		l.Asks = append(l.Asks, askLine{a.Steps, a.By, a.Need, a.Expires.Sub(a.Requested).String(), a.Excluded, a.Reasons})
	}
	return l
}

func guards(r Run, s event.Step) []event.Verdict {
	if r.Live {
		return s.Verdicts
	}
	return slices.DeleteFunc(slices.Clone(s.Verdicts), func(v event.Verdict) bool { return v.Decision == event.Pass })
}

type rejectedLine struct {
	Type   string       `json:"type"`
	Source event.Source `json:"source"`
	From   string       `json:"from"`
	Reason string       `json:"reason"`
}

func (n *ndjson) Rejected(r event.Rejected) error {
	return n.write(rejectedLine{"rejected", r.Source, r.From, r.Reason})
}

type countLine struct {
	Type    string    `json:"type"`
	Finding string    `json:"finding"`
	Rule    string    `json:"rule"`
	Count   uint64    `json:"count"`
	Last    time.Time `json:"last"`
}

func (n *ndjson) Count(f event.Finding, c event.FindingCount) error {
	return n.write(countLine{"count", f.ID, f.Rule + f.Model, c.Count, c.Last})
}

func (n *ndjson) Summary(s Summary) error {
	return n.write(struct {
		Type string `json:"type"`
		Summary
	}{"summary", s})
}

func (n *ndjson) write(v any) error {
	n.line.Reset()
	enc := json.NewEncoder(&n.line)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(v); err != nil {
		return fmt.Errorf("encode %T: %w", v, err)
	}
	if _, err := n.w.Write(escape(n.line.Bytes())); err != nil {
		return fmt.Errorf("write output: %w", err)
	}
	return nil
}

// escape writes the characters that could steer a terminal as JSON escapes.
// ASCII ones are escaped already; in JSON all others stand in strings alone.
func escape(line []byte) []byte {
	if !bytes.ContainsFunc(line, steers) {
		return line
	}
	out := make([]byte, 0, len(line)+64)
	for _, r := range string(line) {
		switch {
		case !steers(r):
			out = utf8.AppendRune(out, r)
		case r > 0xffff:
			hi, lo := (r-0x10000)>>10+0xd800, (r-0x10000)&0x3ff+0xdc00
			out = fmt.Appendf(out, `\u%04x\u%04x`, hi, lo)
		default:
			out = fmt.Appendf(out, `\u%04x`, r)
		}
	}
	return out
}

func steers(r rune) bool {
	return r >= utf8.RuneSelf && unicode.In(r, unicode.Cc, unicode.Cf) || r == 0x7f
}
