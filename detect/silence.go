package detect

import (
	"fmt"
	"slices"
	"time"

	"github.com/firebreak-io/firebreak/internal/conf"
	"github.com/firebreak-io/firebreak/internal/event"
)

// silence is one that holds.
type silence struct {
	event.Silence
	when *conf.Program
}

// maxSilences bounds how many there are.
const maxSilences = 1000

// control does what a control event says. More than nil findings or an error
// mean that it was one for the engine.
func (g *Engine) control(e *event.Event, at event.Address) ([]event.Finding, error) {
	switch e.Verb {
	case event.VerbTick:
		return []event.Finding{}, nil
	case event.VerbSilence:
		return []event.Finding{}, g.silence(e)
	case event.VerbSwitchOff:
		return g.switchOff(e, at), nil
	case event.VerbRules:
		return []event.Finding{}, g.reload(e)
	}
	return nil, nil
}

func (g *Engine) silence(e *event.Event) error {
	text := func(name string) string { s, _ := e.Fields[name].(string); return s }
	s := &silence{Silence: event.Silence{ID: text("id"), When: text("when"), Who: text("who"), Why: text("why")}}
	var err error
	if s.Until, err = time.Parse(time.RFC3339Nano, text("until")); err != nil {
		return fmt.Errorf("silence %s: until: %w", s.ID, err)
	}
	if s.when, err = conf.Compile(event.Finding{}, s.When, conf.Bool); err != nil {
		return fmt.Errorf("silence %s: %w", s.ID, err)
	}
	g.silences = slices.DeleteFunc(g.silences, func(o *silence) bool {
		if o.ID == s.ID {
			s.Matched = o.Matched
		}
		return o.ID == s.ID || !o.Until.After(g.now)
	})
	if !s.Until.After(g.now) {
		return nil
	}
	if len(g.silences) >= maxSilences {
		return fmt.Errorf("silence %s: there are %d already", s.ID, maxSilences)
	}
	g.silences = append(g.silences, s)
	return nil
}

// hush marks a finding that a silence is for.
func (g *Engine) hush(f *event.Finding, sequence uint64) {
	for _, s := range g.silences {
		if !s.Until.After(g.now) {
			continue
		}
		if ok, err := s.when.Bool(f); err == nil && ok {
			if sequence >= g.from { // else it was counted
				s.Matched++
			}
			f.Silence = s.ID
			return
		}
	}
}

// Silences are those that hold, and how often each matched.
func (g *Engine) Silences() []event.Silence {
	var all []event.Silence
	for _, s := range g.silences {
		if s.Until.After(g.now) {
			all = append(all, s.Silence)
		}
	}
	return all
}

// switchOff takes out the version of a rule that a control event names, and
// raises the alarm.
func (g *Engine) switchOff(e *event.Event, at event.Address) []event.Finding {
	name, _ := e.Fields["rule"].(string)
	version, _ := e.Fields["version"].(string)
	why, _ := e.Fields["why"].(string)
	for i := range g.running {
		s := &g.running[i]
		if s.Name() != name || s.Version() != version || s.off {
			continue
		}
		s.off, g.off[name] = true, version
		g.turn++
		f := event.Finding{
			ID: event.FindingID("rule-switched-off", name, version), Rule: "rule-switched-off", Title: "A rule was switched off because it is slow",
			Severity: event.SeverityHigh, Score: 1, Explanation: fmt.Sprintf("rule %s finds nothing any more until its file changes: %s", name, why),
			Source: event.SourceControl, Trust: e.Trust, Events: []event.Address{at}, Time: e.Time, Received: e.Received,
		}
		return g.keep([]event.Finding{}, []event.Finding{f}, at.Sequence)
	}
	return []event.Finding{}
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
