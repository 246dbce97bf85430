package approve

import (
	"fmt"

	"github.com/firebreak-io/firebreak/internal/event"
	"github.com/firebreak-io/firebreak/respond"
)

// Status is what is answered about what operators hold back.
type Status struct {
	Paused bool   `json:"paused"`
	By     string `json:"by,omitempty"`
	Reason string `json:"reason,omitempty"`
	// Release are those who said that it may end, Need how many it takes.
	Release []string   `json:"release,omitempty"`
	Need    int        `json:"need,omitempty"`
	Ceiling event.Mode `json:"ceiling"`
	// Raise are those who want the ceiling to be To.
	Raise []string   `json:"raise,omitempty"`
	To    event.Mode `json:"to,omitempty"`
}

// SetMode is the body of a wish for another ceiling.
type SetMode struct {
	Mode   event.Mode `json:"mode"`
	Reason string     `json:"reason,omitempty"`
}

func (a *API) paused(c call) error {
	if err := a.allowed(c, "get", "pauses", "", ""); err != nil {
		return err
	}
	return a.status(c, nil)
}

// status answers whether effects are held back. Who may pause or resume is told
// it too, without the right to ask for it.
func (a *API) status(c call, ceiling *respond.Ceiling) error {
	p, err := a.Control.State(c.r.Context())
	if err != nil {
		return err
	}
	s := Status{Paused: p.By != "", By: p.By, Reason: p.Reason, Release: by(p.Release), Need: p.Need}
	if ceiling != nil {
		s.Raise, s.To = by(ceiling.Raise), ceiling.To
		s.Need = max(s.Need, ceiling.Need)
	}
	if s.Ceiling, err = a.Control.Ceiling(c.r.Context()); err != nil {
		return err
	}
	answer(c.w, 200, s)
	return nil
}

func by(list []respond.Release) []string {
	var names []string
	for _, r := range list {
		names = append(names, r.By)
	}
	return names
}

func (a *API) pause(c call) error {
	if err := a.allowed(c, "create", "pauses", "", ""); err != nil {
		return err
	}
	body, err := read(c)
	if err != nil {
		return err
	}
	if err := a.Control.Pause(c.r.Context(), respond.Pause{By: c.user.Name, Reason: body.Reason, Time: a.now()}); err != nil {
		return err
	}
	a.Logger.WarnContext(c.r.Context(), "paused", "user", c.user.Name, "reason", body.Reason)
	return a.status(c, nil)
}

func (a *API) resume(c call) error {
	if err := a.allowed(c, "delete", "pauses", "", ""); err != nil {
		return err
	}
	left, err := a.Control.Resume(c.r.Context(), c.user.Name, a.now())
	if err != nil {
		return err
	}
	a.Logger.WarnContext(c.r.Context(), "resume", "user", c.user.Name, "over", left.By == "", "said", len(left.Release), "need", left.Need)
	return a.status(c, nil)
}

// mode sets the ceiling: who may pause may lower it, who may resume raise it.
func (a *API) mode(c call) error {
	var body SetMode
	if err := decode(c, &body); err != nil {
		return err
	}
	if body.Mode != respond.Lower(body.Mode, event.ModeAct) || len(body.Reason) > maxReason {
		return problem{400, fmt.Sprintf("mode is observe, ask or act, and the reason is up to %d bytes", maxReason)}
	}
	before, err := a.Control.Ceiling(c.r.Context())
	if err != nil {
		return err
	}
	verb := "delete"
	if body.Mode == respond.Lower(body.Mode, before) {
		verb = "create"
	}
	if err := a.allowed(c, verb, "pauses", "", ""); err != nil {
		return err
	}
	ceiling, err := a.Control.SetMode(c.r.Context(), respond.Ceiling{Mode: body.Mode, By: c.user.Name, Reason: body.Reason, Time: a.now()})
	if err != nil {
		return err
	}
	a.Logger.WarnContext(c.r.Context(), "ceiling", "user", c.user.Name, "wants", body.Mode, "is", ceiling.Mode, "reason", body.Reason)
	return a.status(c, &ceiling)
}
