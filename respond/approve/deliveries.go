package approve

import (
	"net/http"
	"slices"

	"github.com/firebreak-io/firebreak/internal/event"
	"github.com/firebreak-io/firebreak/respond/notify"
)

// deliveries answers how the messages of a run to people fared.
func (a *API) deliveries(c call) error {
	if err := a.allowed(c, "get", "runs", "", ""); err != nil {
		return err
	}
	rec, err := a.load(c)
	if err != nil {
		return err
	}
	list, err := notify.Deliveries(c.r.Context(), notify.On(a.Bus), rec.Run.Incident.ID)
	if err != nil {
		return err
	}
	list = slices.DeleteFunc(list, func(d event.Delivery) bool { return d.Run != rec.Run.ID })
	answer(c.w, http.StatusOK, list)
	return nil
}

// told answers how the messages about an incident fared, those of its runs and
// others.
func (a *API) told(c call) error {
	if err := a.allowed(c, "list", "incidents", "", ""); err != nil {
		return err
	}
	in, err := a.desk().Incident(c.r.Context(), c.r.PathValue("id"))
	if err != nil {
		return err
	}
	list, err := notify.Deliveries(c.r.Context(), notify.On(a.Bus), in.ID)
	if err != nil {
		return err
	}
	answer(c.w, http.StatusOK, list)
	return nil
}
