package approve

import (
	"context"
	"fmt"
	"time"

	"github.com/firebreak-io/firebreak/internal/event"
	"github.com/firebreak-io/firebreak/internal/kube"
	"github.com/firebreak-io/firebreak/respond"
)

// Status is what is answered about what operators hold back.
type Status struct {
	Paused bool   `json:"paused"`
	By     string `json:"by,omitempty"`
	Reason string `json:"reason,omitempty"`
	// Since is when the pause began.
	Since time.Time `json:"since,omitzero"`
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
	s, err := a.desk().Status(c.r.Context())
	if err != nil {
		return err
	}
	if ceiling != nil {
		s.Raise, s.To = by(ceiling.Raise), ceiling.To
		s.Need = max(s.Need, ceiling.Need)
	}
	answer(c.w, 200, s)
	return nil
}

// Status is whether effects are held back, and the ceiling of all modes.
func (d Desk) Status(ctx context.Context) (Status, error) {
	p, err := d.Control.State(ctx)
	if err != nil {
		return Status{}, err
	}
	s := Status{Paused: p.By != "", By: p.By, Reason: p.Reason, Since: p.Time, Release: by(p.Release), Need: p.Need}
	s.Ceiling, err = d.Control.Ceiling(ctx)
	return s, err
}

func by(list []respond.Release) []string {
	var names []string
	for _, r := range list {
		names = append(names, r.By)
	}
	return names
}

func (a *API) pause(c call) error {
	body, err := read(c)
	if err != nil {
		return err
	}
	if err := a.desk().Pause(c.r.Context(), c.user, body.Reason); err != nil {
		return err
	}
	return a.status(c, nil)
}

// Pause lets no new effect begin. It needs the right to create pauses; one
// person is enough.
func (d Desk) Pause(ctx context.Context, user kube.User, reason string) error {
	if err := d.May(ctx, user, "create", "pauses", "", ""); err != nil {
		return err
	}
	if err := short("the reason", reason); err != nil {
		return err
	}
	if err := d.Control.Pause(ctx, respond.Pause{By: user.Name, Reason: reason, Time: d.now()}); err != nil {
		return err
	}
	d.Logger.WarnContext(ctx, "paused", "user", user.Name, "reason", reason)
	return nil
}

func (a *API) resume(c call) error {
	if err := a.desk().Resume(c.r.Context(), c.user); err != nil {
		return err
	}
	return a.status(c, nil)
}

// Resume says that a pause may end, which it does when as many people said so as
// the config asks for. It needs the right to delete pauses.
func (d Desk) Resume(ctx context.Context, user kube.User) error {
	if err := d.May(ctx, user, "delete", "pauses", "", ""); err != nil {
		return err
	}
	left, err := d.Control.Resume(ctx, user.Name, d.now())
	if err != nil {
		return err
	}
	d.Logger.WarnContext(ctx, "resume", "user", user.Name, "over", left.By == "", "said", len(left.Release), "need", left.Need)
	return nil
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
