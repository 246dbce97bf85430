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
	"github.com/firebreak-io/firebreak/internal/kube"
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

// Silences are those that held when the detectors last said so, and what was
// said since.
type Silences struct {
	// Sequence is how far the detectors had read then.
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
	list, err := a.desk().known(c.r.Context())
	if err != nil {
		return err
	}
	answer(c.w, http.StatusOK, list)
	return nil
}

// known reads what the detectors said last, and what they had not read then;
// nothing is none.
func (d Desk) known(ctx context.Context) (Silences, error) {
	list := Silences{Silences: []event.Silence{}}
	data, err := d.Bus.Snapshots().Get(ctx, bus.SnapshotSilences)
	if err == nil {
		err = json.Unmarshal(data, &list)
	}
	if errors.Is(err, bus.ErrNotFound) {
		err = nil
	}
	told, _, more := d.told(ctx)
	if err = errors.Join(err, more); err != nil {
		return list, fmt.Errorf("list silences: %w", err)
	}
	for _, s := range told {
		list.take(s)
	}
	list.Silences = slices.DeleteFunc(list.Silences, func(s event.Silence) bool { return !s.Until.After(d.now()) })
	return list, nil
}

// silence makes one.
func (a *API) silence(c call) error {
	var body Silencing
	if err := decode(c, &body); err != nil {
		return err
	}
	made, err := a.desk().Silence(c.r.Context(), c.user, body)
	if err != nil {
		return err
	}
	answer(c.w, http.StatusAccepted, made)
	return nil
}

// Silence makes a silence, for findings of events that are stored after it. It
// needs the right to create silences, a reason and an end within 90 days.
func (d Desk) Silence(ctx context.Context, user kube.User, body Silencing) (Silenced, error) {
	if err := d.May(ctx, user, "create", "silences", "", ""); err != nil {
		return Silenced{}, err
	}
	bad := func(format string, args ...any) (Silenced, error) {
		return Silenced{}, Problem{http.StatusBadRequest, fmt.Sprintf(format, args...)}
	}
	now := d.now()
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
	list, err := d.known(ctx)
	if err != nil {
		return Silenced{}, err
	}
	if len(list.Silences) >= maxSilences {
		return Silenced{}, Problem{http.StatusConflict, fmt.Sprintf("there are %d silences already", len(list.Silences))}
	}
	id := event.HashID("silence", user.Name, body.When, body.Until.UTC().Format(time.RFC3339Nano), now.Format(time.RFC3339Nano))
	return d.tell(ctx, event.Silence{ID: id, When: body.When, Who: user.Name, Why: body.Why, Until: body.Until.UTC()}, now)
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
	list, err := a.desk().known(c.r.Context())
	if err != nil {
		return err
	}
	at := slices.IndexFunc(list.Silences, func(s event.Silence) bool { return s.ID == c.r.PathValue("id") })
	if at < 0 {
		return problem{http.StatusNotFound, "no such silence holds"}
	}
	s, now := list.Silences[at], a.now()
	s.Who, s.Why, s.Until = c.user.Name, "ended: "+body.Reason, now
	ended, err := a.desk().tell(c.r.Context(), s, now)
	if err != nil {
		return err
	}
	answer(c.w, http.StatusAccepted, ended)
	return nil
}

// tell stores a silence in the stream of events, where it stays for the record.
func (d Desk) tell(ctx context.Context, s event.Silence, now time.Time) (Silenced, error) {
	data, err := json.Marshal(s.Event(now))
	if err != nil {
		return Silenced{}, fmt.Errorf("store silence: %w", err)
	}
	seq, err := d.Bus.Publish(ctx, bus.SubjectEvents, event.EncodeFrame([][]byte{data}))
	if err != nil {
		return Silenced{}, fmt.Errorf("store silence: %w", err)
	}
	d.Logger.InfoContext(ctx, "silence", "id", s.ID, "user", s.Who, "until", s.Until)
	told := Silenced{Silence: s, Sequence: seq}
	if err := d.remember(ctx, told); err != nil {
		// It is stored and holds. The list has it when the detectors say so.
		d.Logger.WarnContext(ctx, "silence is listed later", "id", s.ID, "error", err)
	}
	return told, nil
}

// take puts one that was told in the list, unless the detectors had read it.
func (l *Silences) take(s Silenced) {
	if s.Sequence <= l.Sequence {
		return
	}
	if i := slices.IndexFunc(l.Silences, func(o event.Silence) bool { return o.ID == s.ID }); i >= 0 {
		s.Matched = l.Silences[i].Matched
		l.Silences[i] = s.Silence
		return
	}
	l.Silences = append(l.Silences, s.Silence)
}

// keyTold holds the silences that were told last, until the detectors list them
// themselves: who has made one sees it at once, from whichever replica.
const keyTold = "silences-told"

func (d Desk) told(ctx context.Context) (all []Silenced, revision uint64, err error) {
	data, revision, err := d.Bus.Control().Get(ctx, keyTold)
	if errors.Is(err, bus.ErrNotFound) {
		return nil, 0, nil
	}
	if err == nil {
		err = json.Unmarshal(data, &all)
	}
	return all, revision, err
}

// remember adds one to those that were told, and lets those go that the detectors
// have read. They are bounded: the oldest go first.
func (d Desk) remember(ctx context.Context, s Silenced) error {
	var read struct {
		Sequence uint64 `json:"sequence"`
	}
	data, err := d.Bus.Snapshots().Get(ctx, bus.SnapshotSilences)
	if err == nil {
		err = json.Unmarshal(data, &read)
	}
	if err != nil && !errors.Is(err, bus.ErrNotFound) {
		return err
	}
	for {
		all, revision, err := d.told(ctx)
		if err != nil {
			return err
		}
		all = slices.DeleteFunc(all, func(o Silenced) bool { return o.Sequence <= read.Sequence || o.ID == s.ID })
		all = append(all, s)
		data, err := json.Marshal(all[max(0, len(all)-maxSilences):])
		if err != nil {
			return err
		}
		if _, err = d.Bus.Control().CompareAndSet(ctx, keyTold, data, revision); !errors.Is(err, bus.ErrConflict) {
			return err
		}
	}
}
