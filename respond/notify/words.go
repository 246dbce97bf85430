package notify

import (
	"fmt"
	"strings"

	"github.com/firebreak-io/firebreak/internal/telemetry"
)

// line makes one line of text of others, at most n bytes and never empty.
func line(s string, n int) string {
	s = telemetry.Tame(strings.Join(strings.Fields(s), " "), n)
	if len(s) > n {
		s = strings.ToValidUTF8(s[:n], "")
	}
	return s
}

// title is never empty: pagers refuse that.
func title(m Message, n int) string {
	if s := line(m.Notice.Title, n); s != "" {
		return s
	}
	return line("Security incident in "+source(m), n)
}

// source is what it happened to.
func source(m Message) string {
	if s := line(strings.Trim(m.Notice.Target.String(), "/"), 255); s != "" {
		return s
	}
	return "firebreak"
}

// dedup is the key by which a pager merges: the incident's.
func (m Message) dedup() string {
	if m.Incident != "" {
		return "firebreak-" + line(m.Incident, 200)
	}
	return "firebreak-" + m.hash()
}

// The bounds of texts of others in a message. Opsgenie, the strictest, takes
// 8,000 characters of details in all.
const (
	maxText   = 2000
	maxDetail = 400
	maxSteps  = 20
)

// details are what a pager shows beside the summary.
func details(m Message) map[string]any {
	n, d := m.Notice, map[string]any{"key": line(m.Key, maxDetail)}
	for key, value := range map[string]string{
		"incident": m.Incident, "run": m.Run, "step": m.Step, "playbook": n.Playbook, "rule": n.Rule, "cluster": n.Cluster,
		"target": n.Target.String(), "text": n.Text, "link": n.Link,
	} {
		if value != "" {
			d[key] = line(value, maxDetail)
		}
	}
	if len(n.Steps) > 0 {
		steps := make([]string, min(len(n.Steps), maxSteps))
		for i, s := range n.Steps[:len(steps)] {
			steps[i] = line(s, 120)
		}
		d["steps"] = steps
	}
	return d
}

// words are the message as plain text, a line each.
func words(m Message) string {
	var b strings.Builder
	say := func(what, text string) {
		if text = line(text, maxDetail); text != "" {
			fmt.Fprintf(&b, "%-10s%s\n", what, text)
		}
	}
	n := m.Notice
	fmt.Fprintf(&b, "%s\n\n", title(m, 500))
	switch m.Op {
	case Acknowledge:
		b.WriteString("Somebody sees to it.\n\n")
	case Resolve:
		b.WriteString("It is over.\n\n")
	case Trigger:
	}
	say("severity", string(n.Severity))
	say("target", n.Target.String())
	say("cluster", n.Cluster)
	say("rule", n.Rule)
	say("playbook", n.Playbook)
	for _, s := range n.Steps[:min(len(n.Steps), maxSteps)] {
		say("step", s)
	}
	say("incident", m.Incident)
	say("run", m.Run)
	say("link", n.Link)
	if text := line(n.Text, maxText); text != "" {
		fmt.Fprintf(&b, "\n%s\n", text)
	}
	return b.String()
}
