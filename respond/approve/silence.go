package approve

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/firebreak-io/firebreak/internal/bus"
	"github.com/firebreak-io/firebreak/internal/conf"
	"github.com/firebreak-io/firebreak/internal/event"
)

// Silencing is the body of a silence that somebody asks for.
type Silencing struct {
	// When is an expression over the fields of a finding.
	When string `json:"when"`
	// Why is for the record, and has to be given.
	Why   string    `json:"why"`
	Until time.Time `json:"until"`
}

// Silenced answers that a silence is stored. It holds for findings of events
// that are stored after it.
type Silenced struct {
	event.Silence
	Sequence uint64 `json:"sequence"`
}

// Silences are those that held when the detectors last said so.
type Silences struct {
	// Sequence is how far they had read then.
	Sequence uint64          `json:"sequence"`
	Silences []event.Silence `json:"silences"`
}

// maxSilence is how long a silence may be, maxSilences how many there may be.
const (
	maxSilence  = 90 * 24 * time.Hour
	maxSilences = 1000
)

// silences lists them.
func (a *API) silences(c call) error {
	if err := a.allowed(c, "list", "silences", "", ""); err != nil {
		return err
	}
	list, err := a.known(c.r.Context())
	if err != nil {
		return err
	}
	answer(c.w, http.StatusOK, list)
	return nil
}

// known reads what the detectors said last; nothing is none.
func (a *API) known(ctx context.Context) (Silences, error) {
	list := Silences{Silences: []event.Silence{}}
	data, err := a.Bus.Snapshots().Get(ctx, bus.SnapshotSilences)
	if errors.Is(err, bus.ErrNotFound) {
		return list, nil
	}
	if err == nil {
		err = json.Unmarshal(data, &list)
	}
	if err != nil {
		return list, fmt.Errorf("list silences: %w", err)
	}
	list.Silences = slices.DeleteFunc(list.Silences, func(s event.Silence) bool { return !s.Until.After(a.now()) })
	return list, nil
}

// silence makes one.
func (a *API) silence(c call) error {
	if err := a.allowed(c, "create", "silences", "", ""); err != nil {
		return err
	}
	var body Silencing
	if err := decode(c, &body); err != nil {
		return err
	}
	bad := func(format string, args ...any) error {
		return problem{http.StatusBadRequest, fmt.Sprintf(format, args...)}
	}
	now := a.now()
	switch {
	case strings.TrimSpace(body.Why) == "":
		return bad("why has to be said")
	case len(body.Why) > maxReason:
		return bad("why is over %d bytes", maxReason)
	case !body.Until.After(now) || body.Until.After(now.Add(maxSilence)):
		return bad("until is within the next %s", maxSilence)
	}
	if _, err := conf.Compile(event.Finding{}, body.When, conf.Bool); err != nil {
		return bad("when: %v", err)
	}
	list, err := a.known(c.r.Context())
	if err != nil {
		return err
	}
	if len(list.Silences) >= maxSilences {
		return problem{http.StatusConflict, fmt.Sprintf("there are %d silences already", len(list.Silences))}
	}
	id := event.HashID("silence", c.user.Name, body.When, body.Until.UTC().Format(time.RFC3339Nano), now.Format(time.RFC3339Nano))
	return a.tell(c, event.Silence{ID: id, When: body.When, Who: c.user.Name, Why: body.Why, Until: body.Until.UTC()}, now)
}

// unsilence ends one.
func (a *API) unsilence(c call) error {
	if err := a.allowed(c, "delete", "silences", "", ""); err != nil {
		return err
	}
	body, err := read(c)
	if err != nil {
		return err
	}
	list, err := a.known(c.r.Context())
	if err != nil {
		return err
	}
	at := slices.IndexFunc(list.Silences, func(s event.Silence) bool { return s.ID == c.r.PathValue("id") })
	if at < 0 {
		return problem{http.StatusNotFound, "no such silence holds"}
	}
	s, now := list.Silences[at], a.now()
	s.Who, s.Why, s.Until = c.user.Name, "ended: "+body.Reason, now
	return a.tell(c, s, now)
}

// tell stores a silence in the stream of events, where it stays for the record.
func (a *API) tell(c call, s event.Silence, now time.Time) error {
	data, err := json.Marshal(s.Event(now))
	if err != nil {
		return fmt.Errorf("store silence: %w", err)
	}
	seq, err := a.Bus.Publish(c.r.Context(), bus.SubjectEvents, event.EncodeFrame([][]byte{data}))
	if err != nil {
		return fmt.Errorf("store silence: %w", err)
	}
	a.Logger.InfoContext(c.r.Context(), "silence", "id", s.ID, "user", s.Who, "until", s.Until)
	answer(c.w, http.StatusAccepted, Silenced{Silence: s, Sequence: seq})
	return nil
}
