package guard

import (
	"context"
	"slices"
	"strings"

	"github.com/firebreak-io/firebreak/internal/event"
)

func init() {
	register(Kind{
		Name: "target",
		Doc:  "An effect needs a target that is known by UID: a name alone may be another object by now.",
		New:  func(Options) Guard { return target{} },
	})
}

type target struct{}

// made says that a plan only makes objects of Firebreak's own, or calls a
// function: which object has a name by now makes no difference to it.
func made(p event.Plan) bool {
	for _, w := range p.Writes {
		own := w.Verb == "create" && w.Subresource == "" && w.UID == "" && strings.HasPrefix(w.Name, ownName)
		if !own && !(w.Verb == "post" && w.Resource == "functions") {
			return false
		}
	}
	return len(p.Writes) > 0 && len(p.Also) == 0
}

func (target) Judge(_ context.Context, c Check) (event.Decision, string) {
	t := c.Plan.Target
	switch {
	case !c.Effect || c.Run.Mode == event.ModeObserve:
		return event.Pass, "nothing is written"
	case (t.Name == "" || t.UID == "") && made(c.Plan):
		return event.Pass, "what it is about stands in its parameters, and nothing that was there is changed"
	case t.Name == "" || t.UID == "":
		return event.Deny, "the target has no name or no UID"
	case t.UID != c.Run.StepTarget(c.Step).UID:
		return event.Deny, "the plan is for another object than the step"
	}
	known := []string{t.UID}
	for _, also := range c.Plan.Also {
		if also.Name == "" || also.UID == "" {
			return event.Deny, "another object that is changed has no name or no UID"
		}
		known = append(known, also.UID)
	}
	for _, w := range c.Plan.Writes {
		bound := w.Verb == "patch" || w.Verb == "delete" || w.Subresource != ""
		if bound && !slices.Contains(known, w.UID) {
			return event.Deny, "a write is not bound to the target's UID"
		}
	}
	return event.Pass, "known by UID"
}
