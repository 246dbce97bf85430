package approve

import (
	"net/http"
	"slices"

	"github.com/firebreak-io/firebreak/internal/bus"
)

// readers lists how far those have come for whom events are kept.
func (a *API) readers(c call) error {
	if err := a.allowed(c, "list", "readers", "", ""); err != nil {
		return err
	}
	list, err := a.Bus.Readers(c.r.Context())
	if err != nil {
		return err
	}
	if list == nil {
		list = []bus.ReadBy{}
	}
	answer(c.w, http.StatusOK, list)
	return nil
}

// forget is for a reader that will not come again: nothing is kept for it any
// more. One that runs after all is back with what it reads next.
func (a *API) forget(c call) error {
	name := c.r.PathValue("name")
	if err := a.allowed(c, "delete", "readers", name, ""); err != nil {
		return err
	}
	list, err := a.Bus.Readers(c.r.Context())
	if err != nil {
		return err
	}
	i := slices.IndexFunc(list, func(r bus.ReadBy) bool { return r.Reader == name })
	if i < 0 {
		return problem{http.StatusNotFound, "there is no such reader"}
	}
	if err := a.Bus.ForgetReader(c.r.Context(), name); err != nil {
		return err
	}
	a.Logger.WarnContext(c.r.Context(), "a reader is forgotten", "user", c.user.Name, "reader", name, "sequence", list[i].Sequence)
	answer(c.w, http.StatusOK, list[i])
	return nil
}
