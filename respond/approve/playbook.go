package approve

import (
	"errors"
	"fmt"
	"net/http"
	"slices"

	"github.com/firebreak-io/firebreak/internal/event"
	"github.com/firebreak-io/firebreak/internal/telemetry"
	"github.com/firebreak-io/firebreak/respond"
)

// SetTrust is the body of a grant by hand: the mode that a playbook's present
// version has from now on. Override lets it act although it was not watched for
// long enough.
type SetTrust struct {
	Mode     event.Mode `json:"mode"`
	Reason   string     `json:"reason,omitempty"`
	Override bool       `json:"override,omitempty"`
}

// UnreadableHeader is on an answer that leaves out what stored records say that
// can't be read: which and why, one each, the first of them.
const UnreadableHeader = "Firebreak-Unreadable"

// maxUnreadable bounds how many are named.
const maxUnreadable = 20

func (a *API) standings(c call) (list []respond.Standing, unreadable []string, err error) {
	return respond.Standings(c.r.Context(), a.Bus, a.Control, a.Books, a.trust())
}

func (a *API) trust() respond.TrustRules {
	if a.Trust == (respond.TrustRules{}) {
		return respond.DefaultTrustRules()
	}
	return a.Trust
}

// playbooks answers how each playbook has done so far.
func (a *API) playbooks(c call) error {
	if err := a.allowed(c, "list", "playbooks", "", ""); err != nil {
		return err
	}
	list, unreadable, err := a.standings(c)
	if err != nil {
		return err
	}
	for _, why := range unreadable[:min(len(unreadable), maxUnreadable)] {
		c.w.Header().Add(UnreadableHeader, telemetry.Tame(why, event.MaxNote))
	}
	answer(c.w, http.StatusOK, list)
	return nil
}

// grant gives a playbook a mode by hand.
func (a *API) grant(c call) error {
	name := c.r.PathValue("name")
	var body SetTrust
	if err := decode(c, &body); err != nil {
		return err
	}
	if err := a.allowed(c, "update", "playbooks", name, ""); err != nil {
		return err
	}
	if body.Mode != respond.Lower(body.Mode, event.ModeAct) || len(body.Reason) > maxReason {
		return problem{http.StatusBadRequest, fmt.Sprintf("mode is observe, ask or act, and the reason is up to %d bytes", maxReason)}
	}
	list, _, err := a.standings(c)
	if err != nil {
		return err
	}
	at := slices.IndexFunc(list, func(s respond.Standing) bool { return s.Playbook == name })
	if at < 0 {
		return problem{http.StatusNotFound, "there is no such playbook"}
	}
	s := list[at]
	if why := s.Lacks(body.Mode, a.trust(), a.now()); why != "" && !body.Override && s.Own != event.ModeAct {
		return problem{http.StatusConflict, "it can't act yet: " + why + " (override says that it may all the same)"}
	}
	g := respond.Grant{Version: s.Version, Mode: body.Mode, By: c.user.Name, Reason: body.Reason, Time: a.now()}
	if g.By == respond.ByRule {
		return errors.New("grant: a person is called " + g.By)
	}
	if err := a.Control.Grant(c.r.Context(), name, g); err != nil {
		return err
	}
	a.Logger.WarnContext(c.r.Context(), "a playbook's mode changes", "playbook", name, "from", s.Mode, "to", body.Mode, "user", g.By, "reason", g.Reason)
	s.Mode, s.Grant = body.Mode, &g
	answer(c.w, http.StatusOK, s)
	return nil
}
