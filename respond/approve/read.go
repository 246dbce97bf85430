package approve

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"regexp"
	"strconv"

	"github.com/firebreak-io/firebreak/internal/bus"
	"github.com/firebreak-io/firebreak/internal/event"
	"github.com/firebreak-io/firebreak/respond"
)

// id is the shape of the ids that Firebreak makes; nothing else is looked up.
var id = regexp.MustCompile(`^[0-9a-f]{32}$`)

func (a *API) load(c call) (respond.Record, error) {
	return a.desk().Run(c.r.Context(), c.r.PathValue("id"))
}

// NextHeader is on an answer that is not the last page: the after of the next
// one.
const NextHeader = "Firebreak-Next"

// The bounds of a page of runs.
const (
	pageRuns    = 1000
	maxPageRuns = 5000
)

func (a *API) list(c call) error {
	if err := a.allowed(c, "list", "runs", "", ""); err != nil {
		return err
	}
	after, err := number(c, "after", 0)
	if err != nil {
		return err
	}
	limit, err := number(c, "limit", pageRuns)
	if err != nil {
		return err
	}
	limit = min(max(limit, 1), maxPageRuns)
	// A run that moves while it is read can come twice, the newer one later,
	// which can be on the next page.
	at, runs, last := map[string]int{}, []event.Run{}, uint64(0)
	for rec, err := range a.Log.All(c.r.Context()) {
		if err != nil {
			return err
		}
		if rec.Sequence <= after {
			continue
		}
		if i, ok := at[rec.Run.ID]; ok {
			runs[i] = rec.Run
			continue
		}
		if uint64(len(runs)) >= limit {
			c.w.Header().Set(NextHeader, strconv.FormatUint(last, 10))
			break
		}
		at[rec.Run.ID] = len(runs)
		runs, last = append(runs, rec.Run), rec.Sequence
	}
	answer(c.w, http.StatusOK, runs)
	return nil
}

// number is a parameter of the query that is a whole number.
func number(c call, name string, otherwise uint64) (uint64, error) {
	text := c.r.URL.Query().Get(name)
	if text == "" {
		return otherwise, nil
	}
	n, err := strconv.ParseUint(text, 10, 64)
	if err != nil {
		return 0, problem{http.StatusBadRequest, name + " is no whole number"}
	}
	return n, nil
}

// receipt answers the records of a run to the byte, by which anybody can check
// them.
func (a *API) receipt(c call) error {
	if err := a.allowed(c, "get", "runs", "", ""); err != nil {
		return err
	}
	rec, err := a.load(c)
	if err != nil {
		return err
	}
	records, err := a.Log.Receipt(c.r.Context(), rec.Run.ID)
	if err != nil {
		return err
	}
	var out bytes.Buffer
	if err := respond.WriteReceipt(&out, rec.Run.ID, records); err != nil {
		return err
	}
	c.w.Header().Set("Content-Type", "application/x-ndjson")
	_, _ = c.w.Write(out.Bytes()) // the client is gone; there is nobody to tell
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
