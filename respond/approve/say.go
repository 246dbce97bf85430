package approve

import (
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"time"

	"github.com/firebreak-io/firebreak/internal/bus"
	"github.com/firebreak-io/firebreak/internal/event"
)

// Say is the body of what people say to a run.
type Say struct {
	// Digest is the approval's, as it was shown: a vote for anything else
	// does not count.
	Digest string `json:"digest,omitempty"`
	Reason string `json:"reason,omitempty"`
	// AtEnd says how an undo ends the holds: restore (the default) or delete.
	AtEnd event.AtEnd `json:"at_end,omitempty"`
	// Until is when an extended hold ends.
	Until time.Time `json:"until,omitzero"`
	// Over lets an undo leave what others changed since as it is.
	Over bool `json:"over,omitempty"`
}

// Said answers that an input is stored. The run has taken it in when its
// record's input is at or past Sequence.
type Said struct {
	Run      string `json:"run"`
	Sequence uint64 `json:"sequence"`
	User     string `json:"user"`
}

// maxReason bounds the reason that people give, in bytes.
const maxReason = 1024

// maxExtension is how far ahead a hold can be extended.
const maxExtension = 24 * time.Hour

// say stores what somebody says to a run.
func (a *API) say(c call) error {
	body, err := read(c)
	if err != nil {
		return err
	}
	in := event.Input{Run: c.r.PathValue("id"), ID: rand.Text(), User: c.user.Name, Reason: body.Reason, Time: a.now()}
	verb := "undo"
	switch deed := c.r.PathValue("deed"); deed {
	case "approve", "deny":
		verb, in.Kind = "approve", event.InputVote
		in.Vote = &event.Vote{
			User: c.user.Name, Groups: c.user.Groups, Approve: deed == "approve",
			Digest: body.Digest, Reason: body.Reason, Time: in.Time,
		}
	case "undo":
		in.Kind, in.AtEnd, in.Over = event.InputUndo, body.AtEnd, body.Over
	case "keep":
		in.Kind = event.InputKeep
	case "extend":
		in.Kind, in.Until = event.InputExtend, body.Until
	default:
		return problem{http.StatusNotFound, "approve, deny, undo, extend and keep are what can be said to a run"}
	}
	rec, err := a.load(c)
	if err != nil {
		return err
	}
	if err := a.allowed(c, verb, "playbooks", rec.Run.Playbook, rec.Run.Target.Namespace); err != nil {
		return err
	}
	if err := a.sensible(rec.Run, in); err != nil {
		return err
	}
	return a.store(c, in)
}

func read(c call) (Say, error) {
	var body Say
	if err := decode(c, &body); err != nil {
		return body, err
	}
	if len(body.Reason) > maxReason {
		return body, problem{http.StatusBadRequest, fmt.Sprintf("the reason is over %d bytes", maxReason)}
	}
	return body, nil
}

// decode reads a body, strictly; none at all is an empty one.
func decode(c call, into any) error {
	dec := json.NewDecoder(c.r.Body)
	dec.DisallowUnknownFields()
	err := dec.Decode(into)
	if large := new(http.MaxBytesError); errors.As(err, &large) {
		return problem{http.StatusRequestEntityTooLarge, fmt.Sprintf("the body is over %d bytes", large.Limit)}
	}
	if err != nil && !errors.Is(err, io.EOF) {
		return problem{http.StatusBadRequest, "the body can't be read: " + err.Error()}
	}
	return nil
}

// sensible refuses at once what the run could only ignore.
func (a *API) sensible(run event.Run, in event.Input) error {
	switch {
	case run.State.Terminal():
		return problem{http.StatusConflict, fmt.Sprintf("the run is over: %s", run.State)}
	case in.Kind == event.InputVote && (run.Approval == nil || run.Approval.State != event.ApprovalOpen):
		return problem{http.StatusConflict, "the run waits for no approval"}
	case in.Kind == event.InputVote && in.Vote.Digest != run.Approval.Digest:
		return problem{http.StatusConflict, "the plan has changed since it was shown"}
	case in.Kind == event.InputUndo && in.AtEnd != "" && in.AtEnd != event.AtEndRestore && in.AtEnd != event.AtEndDelete:
		return problem{http.StatusBadRequest, "at_end is restore or delete"}
	case in.Kind == event.InputExtend && (!in.Until.After(a.now()) || in.Until.After(a.now().Add(maxExtension))):
		return problem{http.StatusBadRequest, fmt.Sprintf("until is within the next %s", maxExtension)}
	}
	return nil
}

func (a *API) store(c call, in event.Input) error {
	data, err := json.Marshal(in)
	if err != nil {
		return fmt.Errorf("store input: %w", err)
	}
	seq, err := a.Bus.Publish(c.r.Context(), bus.SubjectInput(in.Run), data)
	if err != nil {
		return fmt.Errorf("store input: %w", err)
	}
	a.Logger.InfoContext(c.r.Context(), "input", "run", in.Run, "kind", in.Kind, "user", in.User)
	answer(c.w, http.StatusAccepted, Said{Run: in.Run, Sequence: seq, User: in.User})
	return nil
}
