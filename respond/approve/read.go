package approve

import (
	"encoding/json"
	"fmt"
	"net/http"
	"regexp"

	"github.com/firebreak-io/firebreak/internal/bus"
	"github.com/firebreak-io/firebreak/internal/event"
	"github.com/firebreak-io/firebreak/respond"
)

// id is the shape of the ids that Firebreak makes; nothing else is looked up.
var id = regexp.MustCompile(`^[0-9a-f]{32}$`)

func (a *API) load(c call) (respond.Record, error) {
	run := c.r.PathValue("id")
	if !id.MatchString(run) {
		return respond.Record{}, problem{http.StatusNotFound, "there is no such run"}
	}
	return a.Log.Load(c.r.Context(), run)
}

func (a *API) list(c call) error {
	if err := a.allowed(c, "list", "runs", "", ""); err != nil {
		return err
	}
	// A run that moves while it is read can come twice, the newer one later.
	at, runs := map[string]int{}, []event.Run{}
	for rec, err := range a.Log.All(c.r.Context()) {
		if err != nil {
			return err
		}
		if i, ok := at[rec.Run.ID]; ok {
			runs[i] = rec.Run
			continue
		}
		at[rec.Run.ID] = len(runs)
		runs = append(runs, rec.Run)
	}
	answer(c.w, http.StatusOK, runs)
	return nil
}

func (a *API) show(c call) error {
	if err := a.allowed(c, "get", "runs", "", ""); err != nil {
		return err
	}
	rec, err := a.load(c)
	if err != nil {
		return err
	}
	answer(c.w, http.StatusOK, rec.Run)
	return nil
}

func (a *API) history(c call) error {
	if err := a.allowed(c, "get", "runs", "", ""); err != nil {
		return err
	}
	if _, err := a.load(c); err != nil {
		return err
	}
	runs := []event.Run{}
	for rec, err := range a.Log.History(c.r.Context(), c.r.PathValue("id")) {
		if err != nil {
			return err
		}
		runs = append(runs, rec.Run)
	}
	answer(c.w, http.StatusOK, runs)
	return nil
}

func (a *API) incidents(c call) error {
	if err := a.allowed(c, "list", "incidents", "", ""); err != nil {
		return err
	}
	list := []event.Incident{}
	for m, err := range a.Bus.LastPerSubject(c.r.Context(), bus.SubjectIncident("*")) {
		if err != nil {
			return err
		}
		var in event.Incident
		if err := json.Unmarshal(m.Data, &in); err != nil {
			return fmt.Errorf("read incident %s: %w", m.Subject, err)
		}
		list = append(list, in)
	}
	answer(c.w, http.StatusOK, list)
	return nil
}
