package approve

import (
	"crypto/rand"
	"encoding/json"
	"fmt"
	"net/http"
	"slices"

	"github.com/firebreak-io/firebreak/internal/bus"
	"github.com/firebreak-io/firebreak/internal/event"
)

// UndoAll is the body of an undo of many runs: of all that hold something, or of
// those in a namespace or of a playbook.
type UndoAll struct {
	Namespace string      `json:"namespace,omitempty"`
	Playbook  string      `json:"playbook,omitempty"`
	Reason    string      `json:"reason,omitempty"`
	AtEnd     event.AtEnd `json:"at_end,omitempty"`
}

// Undoing answers which runs were told to end their holds.
type Undoing struct {
	Runs []string `json:"runs"`
	User string   `json:"user"`
	// Left are runs that are about the very person who asked: somebody else has to.
	Left []string `json:"left,omitempty"`
}

// undoAll tells every run of which something stands to end it. It needs the
// right to undo all playbooks there.
func (a *API) undoAll(c call) error {
	var body UndoAll
	if err := decode(c, &body); err != nil {
		return err
	}
	if err := a.allowed(c, "undo", "playbooks", body.Playbook, body.Namespace); err != nil {
		return err
	}
	switch {
	case len(body.Reason) > maxReason:
		return problem{http.StatusBadRequest, fmt.Sprintf("the reason is over %d bytes", maxReason)}
	case body.AtEnd != "" && body.AtEnd != event.AtEndRestore && body.AtEnd != event.AtEndDelete:
		return problem{http.StatusBadRequest, "at_end is restore or delete"}
	}
	done := Undoing{Runs: []string{}, User: c.user.Name}
	open, err := a.Log.Open(c.r.Context())
	if err != nil {
		return err
	}
	for _, rec := range open {
		run := rec.Run
		if !slices.ContainsFunc(run.Steps, event.Step.Active) ||
			body.Playbook != "" && run.Playbook != body.Playbook || body.Namespace != "" && run.Target.Namespace != body.Namespace {
			continue
		}
		if about(run, c.user) {
			done.Left = append(done.Left, run.ID)
			continue
		}
		in := event.Input{
			Run: run.ID, ID: rand.Text(), Kind: event.InputUndo, User: c.user.Name, Reason: body.Reason, AtEnd: body.AtEnd, Time: a.now(),
		}
		data, err := json.Marshal(in)
		if err != nil {
			return fmt.Errorf("store input: %w", err)
		}
		if _, err := a.Bus.Publish(c.r.Context(), bus.SubjectInput(in.Run), data); err != nil {
			return fmt.Errorf("store input: %w", err)
		}
		done.Runs = append(done.Runs, run.ID)
	}
	a.Logger.WarnContext(c.r.Context(), "undo of all", "user", c.user.Name, "runs", len(done.Runs), "namespace", body.Namespace, "playbook", body.Playbook, "reason", body.Reason)
	answer(c.w, http.StatusAccepted, done)
	return nil
}
