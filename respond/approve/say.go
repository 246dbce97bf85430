package approve

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"time"

	"github.com/firebreak-io/firebreak/internal/event"
)

// Say is the body of what people say to a run.
type Say struct {
	// Digest is the approval's, as it was shown: a vote for anything else
	// does not count.
	Digest string `json:"digest,omitempty"`
	Reason string `json:"reason,omitempty"`
	// Hold is how long what is approved may hold at most, in nanoseconds; zero
	// leaves it to the playbook.
	Hold time.Duration `json:"hold,omitempty"`
	// AtEnd says how an undo ends the holds: restore (the default) or delete.
	AtEnd event.AtEnd `json:"at_end,omitempty"`
	// Until is when an extended hold ends.
	Until time.Time `json:"until,omitzero"`
	// Over lets an undo leave what others changed since as it is.
	Over bool `json:"over,omitempty"`
	// From says by which way it was said, for the record; HTTP says nothing.
	From string `json:"-"`
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
	said, err := a.desk().Say(c.r.Context(), c.user, c.r.PathValue("id"), c.r.PathValue("deed"), body)
	if err != nil {
		return err
	}
	answer(c.w, http.StatusAccepted, said)
	return nil
}

// could answers whether it would count, and stores nothing.
func (a *API) could(c call) error {
	body, err := read(c)
	if err != nil {
		return err
	}
	if err := a.desk().Could(c.r.Context(), c.user, c.r.PathValue("id"), c.r.PathValue("deed"), body); err != nil {
		return err
	}
	answer(c.w, http.StatusOK, Said{Run: c.r.PathValue("id"), User: c.user.Name})
	return nil
}

func read(c call) (Say, error) {
	var body Say
	if err := decode(c, &body); err != nil {
		return body, err
	}
	return body, short("the reason", body.Reason)
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

// store stores an input, and answers that it is.
func (a *API) store(c call, in event.Input) error {
	said, err := a.desk().store(c.r.Context(), in)
	if err != nil {
		return err
	}
	answer(c.w, http.StatusAccepted, said)
	return nil
}
