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
	case event.VerbCostly:
		return g.costly(e, at), nil
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
