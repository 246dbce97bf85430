package cases

import (
	"errors"
	"slices"
	"strings"

	"github.com/firebreak-io/firebreak/internal/conf"
	"github.com/firebreak-io/firebreak/internal/event"
	"github.com/firebreak-io/firebreak/respond"
)

// happening is what happens while runs are played.
type happening struct {
	// At is when, since the case began.
	At conf.Duration `yaml:"at"`
	// Vote and Deny are who says yes or no, with their groups; Undo is who ends
	// all, as End says (restore or delete).
	Vote   string   `yaml:"vote"`
	Deny   string   `yaml:"deny"`
	Groups []string `yaml:"groups"`
	Undo   string   `yaml:"undo"`
	End    string   `yaml:"end"`
	// Extend is who lets the holds last For longer from then on, Keep who lets
	// them last until somebody says undo.
	Extend string        `yaml:"extend"`
	For    conf.Duration `yaml:"for"`
	Keep   string        `yaml:"keep"`
	// Fail is a step that fails from now on, On do (or plan, undo), as As says:
	// retry, conflict, gone or final; Times is how often, 1 if it says nothing.
	Fail  string `yaml:"fail"`
	On    string `yaml:"on"`
	As    string `yaml:"as"`
	Times int    `yaml:"times"`

	// finding is one that comes.
	finding *event.Finding
	raw     conf.Raw
}

// happens reads one, and says what makes no sense in it.
func happens(raw conf.Raw) (happening, error) {
	h := happening{raw: raw}
	if err := raw.Decode(&h); err != nil {
		return h, err
	}
	said := 0
	for _, one := range []string{h.Vote, h.Deny, h.Undo, h.Extend, h.Keep, h.Fail} {
		if one != "" {
			said++
		}
	}
	oneOf := func(key, value string, values ...string) error {
		if value == "" || slices.Contains(values, value) {
			return nil
		}
		return raw.Errorf("%s: %q is none of %s%s", key, value, strings.Join(values, ", "), conf.Suggest(value, values))
	}
	errs := []error{
		oneOf("end", h.End, string(event.AtEndRestore), string(event.AtEndDelete)),
		oneOf("on", h.On, string(respond.EffectDo), string(respond.EffectPlan), string(respond.EffectUndo)),
		oneOf("as", h.As, string(respond.FailedRetry), string(respond.FailedConflict), string(respond.FailedGone), string(respond.FailedFinal)),
	}
	if said != 1 {
		errs = append(errs, raw.Errorf("%d of vote, deny, undo, extend, keep and fail: say one", said))
	}
	if h.Extend != "" && h.For <= 0 {
		errs = append(errs, raw.Errorf("extend: say for how long, as in for: 1h"))
	}
	return h, errors.Join(errs...)
}

func (p *player) happen(h happening) {
	p.sequence++
	switch {
	case h.Fail != "":
		if h.Times == 0 {
			h.Times = 1
		}
		if h.On == "" {
			h.On = string(respond.EffectDo)
		}
		p.failing = append(p.failing, &h)
	case h.Undo != "":
		p.tell(event.Input{Kind: event.InputUndo, User: h.Undo, AtEnd: event.AtEnd(h.End), Time: p.now})
	case h.Extend != "":
		p.tell(event.Input{Kind: event.InputExtend, User: h.Extend, Until: p.now.Add(h.For.Std()), Time: p.now})
	case h.Keep != "":
		p.tell(event.Input{Kind: event.InputKeep, User: h.Keep, Time: p.now})
	default:
		who, yes := h.Vote, true
		if who == "" {
			who, yes = h.Deny, false
		}
		for _, r := range p.runs {
			v := &event.Vote{User: who, Groups: h.Groups, Approve: yes, Time: p.now}
			if r.run.Approval != nil {
				v.Digest = r.run.Approval.Digest
			}
			p.say(r, event.Input{Kind: event.InputVote, Vote: v, Time: p.now})
		}
	}
}

func (p *player) tell(in event.Input) {
	for _, r := range p.runs {
		p.say(r, in)
	}
}

func (p *player) say(r *played, in event.Input) {
	in.Run = r.run.ID
	r.run = respond.Next(r.book, r.run, respond.Input{Person: &in, Sequence: p.sequence}, p.now)
}
