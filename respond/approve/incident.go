package approve

import (
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"

	"github.com/firebreak-io/firebreak/internal/bus"
	"github.com/firebreak-io/firebreak/internal/event"
)

var errNoIncident = problem{http.StatusNotFound, "there is no such incident"}

// loaded reads the incident that the path names.
func (a *API) loaded(c call) (event.Incident, error) {
	var in event.Incident
	name := c.r.PathValue("id")
	if !findingID.MatchString(name) {
		return in, errNoIncident
	}
	m, err := a.Bus.Last(c.r.Context(), bus.SubjectIncident(name))
	if errors.Is(err, bus.ErrNotFound) {
		return in, errNoIncident
	}
	if err == nil {
		err = json.Unmarshal(m.Data, &in)
	}
	if err != nil {
		return in, fmt.Errorf("read incident %s: %w", name, err)
	}
	return in, nil
}

func (a *API) incident(c call) error {
	if err := a.allowed(c, "list", "incidents", "", ""); err != nil {
		return err
	}
	in, err := a.loaded(c)
	if err != nil {
		return err
	}
	answer(c.w, http.StatusOK, in)
	return nil
}

// closeIncident ends an incident as resolved.
func (a *API) closeIncident(c call) error {
	if err := a.allowed(c, "update", "incidents", "", ""); err != nil {
		return err
	}
	body, err := read(c)
	if err != nil {
		return err
	}
	in, err := a.loaded(c)
	if err != nil {
		return err
	}
	if in.State.Over() {
		return problem{http.StatusConflict, fmt.Sprintf("the incident is %s already", in.State)}
	}
	return a.store(c, event.Input{ID: rand.Text(), Run: in.ID, Kind: event.InputClose, User: c.user.Name, Reason: body.Reason, Time: a.now()})
}

// judge takes what somebody says of an incident: it stands in the incident, and
// the detectors are told it of each of its findings.
func (a *API) judge(c call) error {
	if err := a.allowed(c, "create", "verdicts", "", ""); err != nil {
		return err
	}
	var body Verdict
	if err := decode(c, &body); err != nil {
		return err
	}
	switch {
	case body.True == nil:
		return problem{http.StatusBadRequest, `"true" has to be true or false`}
	case len(body.Why) > maxReason:
		return problem{http.StatusBadRequest, fmt.Sprintf("why is over %d bytes", maxReason)}
	}
	in, err := a.loaded(c)
	if err != nil {
		return err
	}
	now := a.now()
	frame := make([][]byte, 0, len(in.Findings))
	for _, id := range in.Findings {
		v := event.FindingVerdict{Finding: id, True: *body.True, Who: c.user.Name, Why: body.Why}
		data, err := json.Marshal(v.Event(now))
		if err != nil {
			return fmt.Errorf("store verdict: %w", err)
		}
		frame = append(frame, data)
	}
	if len(frame) > 0 {
		if _, err := a.Bus.Publish(c.r.Context(), bus.SubjectEvents, event.EncodeFrame(frame)); err != nil {
			return fmt.Errorf("store verdict: %w", err)
		}
	}
	return a.store(c, event.Input{
		ID: rand.Text(), Run: in.ID, Kind: event.InputVerdict, Verdict: fmt.Sprint(*body.True), User: c.user.Name, Reason: body.Why, Time: now,
	})
}
