package approve

import (
	"bytes"
	"errors"
	"io"
	"net/http"
	"regexp"
	"slices"
	"strconv"
	"time"

	"github.com/firebreak-io/firebreak/internal/bus"
	"github.com/firebreak-io/firebreak/internal/event"
	"github.com/firebreak-io/firebreak/respond/incident"
	"github.com/firebreak-io/firebreak/respond/receipt"
	"github.com/firebreak-io/firebreak/respond/runlog"
)

// id is the shape of the ids that Firebreak makes; nothing else is looked up.
var id = regexp.MustCompile(`^[0-9a-f]{32}$`)

func (a *API) load(c call) (runlog.Record, error) {
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

// list answers a page of runs, as the query says: since, state (repeatable),
// playbook, namespace, prefix, limit, and after, which is what the page before
// says. See [runlog.Log.List].
func (a *API) list(c call) error {
	if err := a.allowed(c, "list", "runs", "", ""); err != nil {
		return err
	}
	limit, err := number(c, "limit", pageRuns)
	if err != nil {
		return err
	}
	q, err := queryOf(c)
	if err != nil {
		return err
	}
	runs, next, err := a.Log.List(c.r.Context(), q, c.r.URL.Query().Get("after"), int(min(max(limit, 1), maxPageRuns)))
	if errors.Is(err, runlog.ErrNoPage) {
		return problem{http.StatusBadRequest, "after is what the page before said in " + NextHeader}
	}
	if err != nil {
		return err
	}
	if next != "" {
		c.w.Header().Set(NextHeader, next)
	}
	if runs == nil {
		runs = []event.Run{}
	}
	answer(c.w, http.StatusOK, runs)
	return nil
}

func queryOf(c call) (q runlog.Query, err error) {
	v := c.r.URL.Query()
	q = runlog.Query{Playbook: v.Get("playbook"), Namespace: v.Get("namespace"), Prefix: v.Get("prefix")}
	if q.Since, err = sinceOf(c); err != nil {
		return q, err
	}
	for _, s := range v["state"] {
		if !slices.Contains(event.RunStates(), event.RunState(s)) {
			return q, problem{http.StatusBadRequest, "state is none of a run's"}
		}
		q.States = append(q.States, event.RunState(s))
	}
	return q, nil
}

// sinceOf is the time from which on something is asked for; zero is any.
func sinceOf(c call) (time.Time, error) {
	text := c.r.URL.Query().Get("since")
	if text == "" {
		return time.Time{}, nil
	}
	t, err := time.Parse(time.RFC3339Nano, text)
	if err != nil {
		return t, problem{http.StatusBadRequest, "since is a time as in 2026-01-31T18:00:00Z"}
	}
	return t, nil
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
	if err := receipt.Write(&out, rec.Run.ID, records); err != nil {
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

// archive lists the parts of the archive of runs.
func (a *API) archive(c call) error {
	if err := a.allowed(c, "list", "runs", "", ""); err != nil {
		return err
	}
	parts, err := a.Log.Archive(c.r.Context())
	if err != nil {
		return err
	}
	if parts == nil {
		parts = []runlog.Part{}
	}
	answer(c.w, http.StatusOK, parts)
	return nil
}

// part answers a part of the archive to the byte, by which anybody can check it.
// What does not come whole does not prove: the end is in its last line.
func (a *API) part(c call) error {
	if err := a.allowed(c, "get", "runs", "", ""); err != nil {
		return err
	}
	body, err := a.Log.Part(c.r.Context(), c.r.PathValue("name"))
	if errors.Is(err, bus.ErrNotFound) {
		return problem{http.StatusNotFound, "there is no such part of the archive"}
	}
	if err != nil {
		return err
	}
	defer body.Close()
	c.w.Header().Set("Content-Type", "application/gzip")
	if _, err := io.Copy(c.w, body); err != nil {
		a.Logger.WarnContext(c.r.Context(), "an answer broke off", "path", c.r.URL.Path, "error", err)
	}
	return nil
}

// incidents answers a page of incidents, as the query says: since, state
// (repeatable), prefix, limit and after, as for runs. See
// [incident.List.Page].
func (a *API) incidents(c call) error {
	if err := a.allowed(c, "list", "incidents", "", ""); err != nil {
		return err
	}
	limit, err := number(c, "limit", pageRuns)
	if err != nil {
		return err
	}
	v := c.r.URL.Query()
	q := incident.Query{Prefix: v.Get("prefix")}
	if q.Since, err = sinceOf(c); err != nil {
		return err
	}
	for _, s := range v["state"] {
		if !slices.Contains(event.IncidentStates(), event.IncidentState(s)) {
			return problem{http.StatusBadRequest, "state is none of an incident's"}
		}
		q.States = append(q.States, event.IncidentState(s))
	}
	list, next, err := a.Incidents.Page(c.r.Context(), q, v.Get("after"), int(min(max(limit, 1), maxPageRuns)))
	if errors.Is(err, incident.ErrNoPage) {
		return problem{http.StatusBadRequest, "after is what the page before said in " + NextHeader}
	}
	if err != nil {
		return err
	}
	if next != "" {
		c.w.Header().Set(NextHeader, next)
	}
	if list == nil {
		list = []event.Incident{}
	}
	answer(c.w, http.StatusOK, list)
	return nil
}
