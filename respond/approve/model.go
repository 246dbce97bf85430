package approve

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"regexp"
	"slices"

	"github.com/firebreak-io/firebreak/internal/bus"
	"github.com/firebreak-io/firebreak/internal/event"
)

// Verdict is the body of what somebody says of a finding.
type Verdict struct {
	// True says that it was right, false that it was a false alarm; one of them
	// has to be said.
	True *bool `json:"true"`
	// Why is for the record.
	Why string `json:"why,omitempty"`
}

// Reason is the body of an order to a model.
type Reason struct {
	// Why is for the record.
	Why string `json:"why,omitempty"`
}

// Told answers that something is stored in the stream of events, from which
// detectors learn it.
type Told struct {
	Sequence uint64 `json:"sequence"`
}

// modelName is that of a document, findingID that of a finding.
var (
	modelName = regexp.MustCompile(`^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$`)
	findingID = regexp.MustCompile(`^[0-9a-f]{32}$`)
)

// verdict takes what somebody says of a finding.
func (a *API) verdict(c call) error {
	if err := a.allowed(c, "create", "verdicts", "", ""); err != nil {
		return err
	}
	var body Verdict
	if err := decode(c, &body); err != nil {
		return err
	}
	id := c.r.PathValue("id")
	switch {
	case !findingID.MatchString(id):
		return problem{http.StatusBadRequest, "that is no id of a finding"}
	case body.True == nil:
		return problem{http.StatusBadRequest, `"true" has to be true or false`}
	case len(body.Why) > maxReason:
		return problem{http.StatusBadRequest, fmt.Sprintf("why is over %d bytes", maxReason)}
	}
	if _, err := a.desk().Finding(c.r.Context(), id); err != nil { // a wrong id would be stored, and change nothing
		return err
	}
	v := event.FindingVerdict{Finding: id, True: *body.True, Who: c.user.Name, Why: body.Why}
	a.Logger.InfoContext(c.r.Context(), "verdict", "finding", id, "true", v.True, "user", v.Who)
	now := a.now()
	order := event.Input{
		ID: rand.Text(), Run: id, Finding: id, Kind: event.InputVerdict, Verdict: fmt.Sprint(v.True), User: v.Who, Reason: v.Why, Time: now,
	}
	if _, err := a.desk().store(c.r.Context(), order); err != nil {
		return err
	}
	told, err := a.tellDetectors(c.r.Context(), v.Event(now))
	if err != nil {
		return err
	}
	answer(c.w, http.StatusAccepted, told)
	return nil
}

// model takes an order to a model.
func (a *API) model(c call) error {
	name := c.r.PathValue("name")
	if err := a.allowed(c, "update", "models", name, ""); err != nil {
		return err
	}
	var body Reason
	if err := decode(c, &body); err != nil {
		return err
	}
	o := event.ModelOrder{Model: name, Do: c.r.PathValue("do"), Who: c.user.Name, Why: body.Why}
	switch {
	case !modelName.MatchString(o.Model):
		return problem{http.StatusBadRequest, "that is no name of a model"}
	case !slices.Contains([]string{event.ModelPin, event.ModelUnpin, event.ModelRollback, event.ModelApprove}, o.Do):
		return problem{http.StatusBadRequest, "a model can be pinned, unpinned, rolled back and approved: pin, unpin, rollback, approve"}
	case len(body.Why) > maxReason:
		return problem{http.StatusBadRequest, fmt.Sprintf("why is over %d bytes", maxReason)}
	}
	all, err := a.modelStates(c)
	if err != nil {
		return err
	}
	last, _, err := a.desk().lastOrdered(c.r.Context(), o.Model)
	if err != nil {
		return err
	}
	all = all.after(o.Model, last)
	if err := all.bars(o); err != nil {
		return err
	}
	a.Logger.InfoContext(c.r.Context(), "model", "model", o.Model, "do", o.Do, "user", o.Who)
	told, err := a.tellDetectors(c.r.Context(), o.Event(a.now()))
	if err != nil {
		return err
	}
	if len(all.Models) > 0 {
		// The order stands: without the note the next is judged as it was before.
		if err := a.desk().noteOrdered(c.r.Context(), o.Model, ordered{told.Sequence, all.leaves(o)}); err != nil {
			a.Logger.WarnContext(c.r.Context(), "an order at once after this one may be refused", "error", err)
		}
	}
	answer(c.w, http.StatusAccepted, told)
	return nil
}

// Models are the models as the detectors said last.
type Models struct {
	// Sequence is how far they had read then.
	Sequence uint64             `json:"sequence"`
	Models   []event.ModelState `json:"models"`
}

// bars is why an order would do nothing, as far as the detectors said, and what was
// ordered since. While they said nothing yet, any is stored for them.
func (m Models) bars(o event.ModelOrder) error {
	if len(m.Models) == 0 {
		return nil
	}
	s, err := m.named(o.Model)
	lost := s.Anew != nil && s.Anew.Unpinned
	switch {
	case err != nil:
		return err
	case s.Pinned && o.Do == event.ModelPin:
		return problem{http.StatusConflict, s.Name + " is pinned already: rollback takes it back to what it was then, unpin lets it learn"}
	case o.Do == event.ModelPin && !s.Ready:
		return problem{http.StatusConflict, s.Name + " is warming up: pinned now it would never find anything"}
	case lost && o.Do == event.ModelRollback:
		return problem{http.StatusConflict, s.Name + " began anew, and what it was pinned to can't be read: pin it when it is ready, or unpin it to say that it may learn"}
	case !s.Pinned && !lost && (o.Do == event.ModelUnpin || o.Do == event.ModelRollback):
		return problem{http.StatusConflict, s.Name + " is not pinned: there is nothing to let go on, or to go back to"}
	}
	return nil
}

// named is the state of one.
func (m Models) named(name string) (event.ModelState, error) {
	i := slices.IndexFunc(m.Models, func(s event.ModelState) bool { return s.Name == name })
	switch {
	case i >= 0:
		return m.Models[i], nil
	case len(m.Models) == 0:
		return event.ModelState{}, problem{http.StatusNotFound, "the detectors said nothing of any model yet"}
	}
	return event.ModelState{}, problem{http.StatusNotFound, fmt.Sprintf("there is no model %q: firebreak model show lists those that run", name)}
}

// models lists them.
func (a *API) models(c call) error {
	if err := a.allowed(c, "list", "models", "", ""); err != nil {
		return err
	}
	all, err := a.modelStates(c)
	if err != nil {
		return err
	}
	answer(c.w, http.StatusOK, all)
	return nil
}

// modelState answers how one stands.
func (a *API) modelState(c call) error {
	name := c.r.PathValue("name")
	if err := a.allowed(c, "get", "models", name, ""); err != nil {
		return err
	}
	all, err := a.modelStates(c)
	if err != nil {
		return err
	}
	s, err := all.named(name)
	if err != nil {
		return err
	}
	answer(c.w, http.StatusOK, s)
	return nil
}

func (a *API) modelStates(c call) (Models, error) { return a.desk().Models(c.r.Context()) }

// Models reads the models as the detectors said last.
func (d Desk) Models(ctx context.Context) (all Models, err error) {
	data, err := d.Bus.Snapshots().Get(ctx, bus.SnapshotModels)
	if errors.Is(err, bus.ErrNotFound) {
		return Models{Models: []event.ModelState{}}, nil
	}
	if err == nil {
		err = json.Unmarshal(data, &all)
	}
	if err != nil {
		return all, fmt.Errorf("read states of models: %w", err)
	}
	return all, nil
}

// tellDetectors stores a control event in the stream, where it stays for the record.
func (a *API) tellDetectors(ctx context.Context, e event.Event) (Told, error) {
	data, err := json.Marshal(e)
	if err != nil {
		return Told{}, fmt.Errorf("store %s: %w", e.Verb, err)
	}
	seq, err := a.Bus.Publish(ctx, bus.SubjectEvents, event.EncodeFrame([][]byte{data}))
	if err != nil {
		return Told{}, fmt.Errorf("store %s: %w", e.Verb, err)
	}
	return Told{Sequence: seq}, nil
}
