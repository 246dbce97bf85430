package approve

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"

	"github.com/firebreak-io/firebreak/internal/bus"
	"github.com/firebreak-io/firebreak/internal/event"
	"github.com/firebreak-io/firebreak/internal/kube"
	"github.com/firebreak-io/firebreak/respond/incident"
)

var errNoIncident = problem{http.StatusNotFound, "there is no such incident"}

// Incident reads an incident's newest record; a [Problem] of status 404 says that
// there is no such incident.
func (d Desk) Incident(ctx context.Context, name string) (event.Incident, error) {
	var in event.Incident
	if !findingID.MatchString(name) {
		return in, errNoIncident
	}
	m, err := d.Bus.Last(ctx, bus.SubjectIncident(name))
	if errors.Is(err, bus.ErrNotFound) {
		return in, errNoIncident
	}
	if err != nil {
		return in, fmt.Errorf("read incident %s: %w", name, err)
	}
	return incident.Read(m), nil
}

func (a *API) incident(c call) error {
	if err := a.allowed(c, "list", "incidents", "", ""); err != nil {
		return err
	}
	in, err := a.desk().Incident(c.r.Context(), c.r.PathValue("id"))
	if err != nil {
		return err
	}
	answer(c.w, http.StatusOK, in)
	return nil
}

// closeIncident ends an incident as resolved.
func (a *API) closeIncident(c call) error {
	body, err := read(c)
	if err != nil {
		return err
	}
	said, err := a.desk().Close(c.r.Context(), c.user, c.r.PathValue("id"), body.Reason)
	if err != nil {
		return err
	}
	answer(c.w, http.StatusAccepted, said)
	return nil
}

// Close ends an incident as resolved. It needs the right to update incidents.
func (d Desk) Close(ctx context.Context, user kube.User, incident, reason string) (Said, error) {
	if err := d.May(ctx, user, "update", "incidents", "", ""); err != nil {
		return Said{}, err
	}
	if err := short("the reason", reason); err != nil {
		return Said{}, err
	}
	in, err := d.Incident(ctx, incident)
	if err != nil {
		return Said{}, err
	}
	if in.State.Over() {
		return Said{}, Problem{http.StatusConflict, fmt.Sprintf("the incident is %s already", in.State)}
	}
	return d.store(ctx, event.Input{ID: rand.Text(), Run: in.ID, Kind: event.InputClose, User: user.Name, Reason: reason, Time: d.now()})
}

// acknowledge takes that somebody sees to an incident.
func (a *API) acknowledge(c call) error {
	body, err := read(c)
	if err != nil {
		return err
	}
	said, err := a.desk().Acknowledge(c.r.Context(), c.user, c.r.PathValue("id"), body.Reason)
	if err != nil {
		return err
	}
	answer(c.w, http.StatusAccepted, said)
	return nil
}

// Acknowledge stores that somebody sees to an incident: nobody else is paged for
// it, and pagers are told. It needs the right to acknowledge incidents.
func (d Desk) Acknowledge(ctx context.Context, user kube.User, incident, reason string) (Said, error) {
	if err := d.May(ctx, user, "acknowledge", "incidents", "", ""); err != nil {
		return Said{}, err
	}
	if err := short("the reason", reason); err != nil {
		return Said{}, err
	}
	in, err := d.Incident(ctx, incident)
	if err != nil {
		return Said{}, err
	}
	switch {
	case in.State.Over():
		return Said{}, Problem{http.StatusConflict, fmt.Sprintf("the incident is %s already", in.State)}
	case in.AcknowledgedBy != "":
		return Said{}, Problem{http.StatusConflict, in.AcknowledgedBy + " sees to it already"}
	}
	return d.store(ctx, event.Input{ID: rand.Text(), Run: in.ID, Kind: event.InputAcknowledge, User: user.Name, Reason: reason, Time: d.now()})
}

// judge takes what somebody says of an incident.
func (a *API) judge(c call) error {
	var body Verdict
	if err := decode(c, &body); err != nil {
		return err
	}
	said, err := a.desk().Judge(c.r.Context(), c.user, c.r.PathValue("id"), body)
	if err != nil {
		return err
	}
	answer(c.w, http.StatusAccepted, said)
	return nil
}

// Judge stores what somebody says of an incident: it stands in the incident, and
// the detectors are told it of each of its findings. It needs the right to
// create verdicts.
func (d Desk) Judge(ctx context.Context, user kube.User, incident string, body Verdict) (Said, error) {
	if err := d.May(ctx, user, "create", "verdicts", "", ""); err != nil {
		return Said{}, err
	}
	if body.True == nil {
		return Said{}, Problem{http.StatusBadRequest, `"true" has to be true or false`}
	}
	if err := short("why", body.Why); err != nil {
		return Said{}, err
	}
	in, err := d.Incident(ctx, incident)
	if err != nil {
		return Said{}, err
	}
	now := d.now()
	frame := make([][]byte, 0, len(in.Findings))
	for _, id := range in.Findings {
		v := event.FindingVerdict{Finding: id, True: *body.True, Who: user.Name, Why: body.Why}
		data, err := json.Marshal(v.Event(now))
		if err != nil {
			return Said{}, fmt.Errorf("store verdict: %w", err)
		}
		frame = append(frame, data)
	}
	if len(frame) > 0 {
		if _, err := d.Bus.Publish(ctx, bus.SubjectEvents, event.EncodeFrame(frame)); err != nil {
			return Said{}, fmt.Errorf("store verdict: %w", err)
		}
	}
	return d.store(ctx, event.Input{
		ID: rand.Text(), Run: in.ID, Kind: event.InputVerdict, Verdict: fmt.Sprint(*body.True), User: user.Name, Reason: body.Why, Time: now,
	})
}
