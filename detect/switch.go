package detect

import (
	"encoding/json"
	"fmt"
	"time"

	"github.com/firebreak-io/firebreak/internal/event"
)

// named is the place of the rule that a control event is about, in the version
// that runs.
func (g *Engine) named(e *event.Event) (i int, why string, ok bool) {
	name, _ := e.Fields["rule"].(string)
	version, _ := e.Fields["version"].(string)
	why, _ = e.Fields["why"].(string)
	for i := range g.running {
		if s := &g.running[i]; s.Name() == name && s.Version() == version && !s.off {
			return i, why, true
		}
	}
	return 0, "", false
}

// switchOff takes out the version of a rule that a control event names, and
// raises the alarm.
func (g *Engine) switchOff(e *event.Event, at event.Address) []event.Finding {
	i, why, ok := g.named(e)
	if !ok {
		return []event.Finding{}
	}
	s := &g.running[i]
	s.off, g.off[s.Name()] = true, s.Version()
	g.turn++
	return g.alarm(event.Finding{
		ID: event.FindingID("rule-switched-off", s.Name(), s.Version()), Rule: "rule-switched-off", Title: "A rule was switched off because it is slow",
		Severity: event.SeverityHigh, Explanation: fmt.Sprintf("rule %s finds nothing any more until its file changes: %s", s.Name(), why),
	}, e, at)
}

// costly tells of events that make a rule slow, once an hour for each rule. The
// rule stays on: whoever can write events must not be able to switch it off.
func (g *Engine) costly(e *event.Event, at event.Address) []event.Finding {
	i, why, ok := g.named(e)
	if !ok {
		return []event.Finding{}
	}
	name := g.running[i].Name()
	text := func(field string) string { s, _ := e.Fields[field].(string); return s }
	f := event.Finding{
		ID: event.FindingID("costly-events", name, e.Received.UTC().Truncate(time.Hour).Format(time.RFC3339)), Rule: "costly-events",
		Title: "Events make a rule slow", Severity: event.SeverityMedium, Threat: "denial-of-service",
		Explanation: fmt.Sprintf("rule %s stays on, for it is not slow with ordinary events, but %s; the dearest was of source %s", name, why, text("source")),
		Actor:       event.Actor{User: text("user"), Address: text("address")},
	}
	if json.Unmarshal([]byte(text("object")), &f.Subject) != nil {
		f.Subject = event.Ref{} // nothing is known of what it was about
	}
	return g.alarm(f, e, at)
}

// alarm is a finding of the engine's own.
func (g *Engine) alarm(f event.Finding, e *event.Event, at event.Address) []event.Finding {
	f.Score, f.Source, f.Trust, f.Events, f.Time, f.Received = 1, event.SourceControl, e.Trust, []event.Address{at}, e.Time, e.Received
	return g.keep([]event.Finding{}, []event.Finding{f}, at.Sequence)
}

// Off are the rules that were switched off.
func (g *Engine) Off() []string {
	var all []string
	for i := range g.running {
		if g.running[i].off {
			all = append(all, g.running[i].Name())
		}
	}
	return all
}
