package incident

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/firebreak-io/firebreak/internal/bus"
	"github.com/firebreak-io/firebreak/internal/event"
)

// index is which incidents are open, by their stream up to a place. It is made of
// the stream alone: an old one is as good as a new one. By it a start reads what is open, however much is over.
type index struct {
	// Version is [indexVersion]; one of another is worth nothing.
	Version int `json:"version"`
	// Sequence is the last record that it knows, Open where the newest ones of
	// those that are open stand.
	Sequence uint64            `json:"sequence"`
	Open     map[string]uint64 `json:"open"`

	// unreadable are records that were met, the first of them.
	unreadable []Unreadable
}

const (
	indexKey     = "incidents"
	indexVersion = 1
	// maxUnreadable bounds the unreadable records that are remembered.
	maxUnreadable = 1000
	// refreshAfter is how old the record of an incident that is not over may be
	// before it is written again: the stream forgets what is three times as old.
	refreshAfter = 30 * 24 * time.Hour
	// maxLoads is how many records are read at a time.
	maxLoads = 16
)

// keptIndex is the index that was kept; one without a map is none.
func keptIndex(ctx context.Context, b *bus.Bus) (x index, err error) {
	ok, err := b.Snapshots().GetJSON(ctx, indexKey, &x)
	switch {
	case err != nil:
		return index{}, fmt.Errorf("read the index of incidents: %w", err)
	case !ok || x.Version != indexVersion:
		return index{}, nil
	}
	return x, nil
}

// advance reads the stream to its end, all of it where there is no index yet. It
// says how many records it read.
func (x *index) advance(ctx context.Context, b *bus.Bus) (read int, err error) {
	state, err := b.State(ctx, bus.Incidents)
	if err != nil {
		return 0, fmt.Errorf("read the index of incidents: %w", err)
	}
	if x.Open == nil || x.Sequence > state.Last {
		// There is none, or it is of a stream that was lost.
		*x = index{Version: indexVersion, Open: map[string]uint64{}}
		for m, err := range b.LastPerSubject(ctx, bus.SubjectIncident("*")) {
			if err != nil {
				return read, fmt.Errorf("read the index of incidents: %w", err)
			}
			read++
			x.add(m)
		}
		x.Sequence = max(x.Sequence, state.Last)
	}
	if x.Sequence >= state.Last {
		return read, nil
	}
	for m, err := range b.Range(ctx, bus.Incidents, bus.From{Sequence: x.Sequence + 1}) {
		if err != nil {
			return read, fmt.Errorf("read the index of incidents: %w", err)
		}
		read++
		x.add(m)
		x.Sequence = m.Sequence
	}
	return read, nil
}

func (x *index) add(m bus.Message) {
	var in struct {
		ID    string              `json:"id"`
		State event.IncidentState `json:"state"`
	}
	if err := json.Unmarshal(m.Data, &in); err != nil || m.Subject != bus.SubjectIncident(in.ID) {
		stand := decode(m) // it is shown as open, since nobody knows
		in.ID, in.State = stand.ID, stand.State
		if len(x.unreadable) < maxUnreadable {
			x.unreadable = append(x.unreadable, Unreadable{m, errors.New(stand.Unreadable)})
		}
	}
	if in.State.Over() {
		delete(x.Open, in.ID)
	} else {
		x.Open[in.ID] = m.Sequence
	}
}

// keep stores the index.
func (x *index) keep(ctx context.Context, b *bus.Bus) error {
	if err := b.Snapshots().PutJSON(ctx, indexKey, x); err != nil {
		return fmt.Errorf("keep the index of incidents: %w", err)
	}
	return nil
}

// record is an incident as it is stored, and where and when its record was stored.
type record struct {
	event.Incident
	sequence uint64
	at       time.Time
}

// loadAll reads the newest records of incidents, several at a time, but
// for those that there are none of.
func loadAll(ctx context.Context, b *bus.Bus, ids []string) ([]record, error) {
	all := make([]record, len(ids))
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(maxLoads)
	for i, id := range ids {
		group.Go(func() error {
			in, err := load(ctx, b, id)
			if errors.Is(err, bus.ErrNotFound) {
				return nil // it went with a stream that was lost
			}
			all[i] = in
			return err
		})
	}
	err := group.Wait()
	return slices.DeleteFunc(all, func(in record) bool { return in.ID == "" }), err
}

// load reads the newest record of an incident. [bus.ErrNotFound] says that there
// is none.
func load(ctx context.Context, b *bus.Bus, id string) (record, error) {
	m, err := b.Last(ctx, bus.SubjectIncident(id))
	if err != nil {
		return record{}, fmt.Errorf("read incident %s: %w", id, err)
	}
	return decode(m), nil
}

// decode reads a record. What can't be read, or is not of the incident under whose
// name it stands, is a stand-in that says so, so that it keeps no other incident
// from being read.
func decode(m bus.Message) record {
	in := record{sequence: m.Sequence, at: m.Time}
	id := strings.TrimPrefix(m.Subject, bus.SubjectIncident(""))
	err := json.Unmarshal(m.Data, &in.Incident)
	if err == nil && in.ID != id {
		err = fmt.Errorf("it is of incident %q", event.Shorten(in.ID, event.MaxNote))
	}
	if err != nil {
		why := event.Shorten(fmt.Sprintf("record %d of the incidents, %s, can't be read: %v", m.Sequence, m.Subject, err), event.MaxNote)
		in.Incident = event.Incident{ID: id, State: event.IncidentOpen, Unreadable: why, Why: []string{why}, Created: m.Time, Updated: m.Time}
	}
	return in
}

// Read reads a record of the INCIDENTS stream. What can't be read is a stand-in
// with [event.Incident.Unreadable].
func Read(m bus.Message) event.Incident { return decode(m).Incident }

// Unreadable is a record that can't be read, and why.
type Unreadable struct {
	Message bus.Message
	Reason  error
}
