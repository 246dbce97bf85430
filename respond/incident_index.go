package respond

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/firebreak-io/firebreak/internal/bus"
	"github.com/firebreak-io/firebreak/internal/event"
)

// incidentIndex is which incidents are open, by their stream up to a place. It
// is made of the stream alone, as [runIndex] is of the run log: an old one is as
// good as a new one. By it a start reads what is open, however much is over.
type incidentIndex struct {
	// Version is [incidentIndexVersion]; one of another is worth nothing.
	Version int `json:"version"`
	// Sequence is the last record that it knows, Open where the newest ones of
	// those that are open stand.
	Sequence uint64            `json:"sequence"`
	Open     map[string]uint64 `json:"open"`
}

const (
	incidentIndexKey     = "incidents"
	incidentIndexVersion = 1
	// refreshAfter is how old the record of an incident that is not over may be
	// before it is written again: the stream forgets what is three times as old.
	refreshAfter = 30 * 24 * time.Hour
)

// keptIncidents is the index that was kept; one without a map is none.
func keptIncidents(ctx context.Context, b *bus.Bus) (x incidentIndex, err error) {
	if ok, err := readKept(ctx, b, incidentIndexKey, &x); err != nil || !ok || x.Version != incidentIndexVersion {
		return incidentIndex{}, err
	}
	return x, nil
}

// advance reads the stream to its end, all of it where there is no index yet. It
// says how many records it read.
func (x *incidentIndex) advance(ctx context.Context, b *bus.Bus) (read int, err error) {
	state, err := b.State(ctx, bus.Incidents)
	if err != nil {
		return 0, fmt.Errorf("read the index of incidents: %w", err)
	}
	if x.Open == nil || x.Sequence > state.Last {
		// There is none, or it is of a stream that was lost.
		*x = incidentIndex{Version: incidentIndexVersion, Open: map[string]uint64{}}
		for m, err := range b.LastPerSubject(ctx, bus.SubjectIncident("*")) {
			if err != nil {
				return read, fmt.Errorf("read the index of incidents: %w", err)
			}
			read++
			if err := x.add(m); err != nil {
				return read, err
			}
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
		if err := x.add(m); err != nil {
			return read, err
		}
		x.Sequence = m.Sequence
	}
	return read, nil
}

func (x *incidentIndex) add(m bus.Message) error {
	var in struct {
		ID    string              `json:"id"`
		State event.IncidentState `json:"state"`
	}
	if err := json.Unmarshal(m.Data, &in); err != nil {
		return fmt.Errorf("read incident %s: %w", m.Subject, err)
	}
	if in.State.Over() {
		delete(x.Open, in.ID)
	} else {
		x.Open[in.ID] = m.Sequence
	}
	return nil
}

// keep stores the index.
func (x *incidentIndex) keep(ctx context.Context, b *bus.Bus) error {
	data, err := json.Marshal(x)
	if err != nil {
		return fmt.Errorf("keep the index of incidents: %w", err)
	}
	if err := b.Snapshots().Put(ctx, incidentIndexKey, data); err != nil {
		return fmt.Errorf("keep the index of incidents: %w", err)
	}
	return nil
}

// storedIncident is an incident, and where and when its record was stored.
type storedIncident struct {
	event.Incident
	sequence uint64
	at       time.Time
}

// loadIncidents reads the newest records of incidents, several at a time, but
// for those that there are none of.
func loadIncidents(ctx context.Context, b *bus.Bus, ids []string) ([]storedIncident, error) {
	all := make([]storedIncident, len(ids))
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(maxLoads)
	for i, id := range ids {
		group.Go(func() error {
			m, err := b.Last(ctx, bus.SubjectIncident(id))
			if errors.Is(err, bus.ErrNotFound) {
				return nil // it went with a stream that was lost
			}
			if err != nil {
				return fmt.Errorf("read incident %s: %w", id, err)
			}
			all[i], err = decodeIncident(m)
			return err
		})
	}
	err := group.Wait()
	return slices.DeleteFunc(all, func(in storedIncident) bool { return in.ID == "" }), err
}

func decodeIncident(m bus.Message) (in storedIncident, err error) {
	in.sequence, in.at = m.Sequence, m.Time
	if err := json.Unmarshal(m.Data, &in.Incident); err != nil {
		return in, fmt.Errorf("read incident %s: %w", m.Subject, err)
	}
	return in, nil
}

// incidentView is the index as those read it who do not keep it.
type incidentView struct {
	mu    sync.Mutex
	index incidentIndex
}

// open are the ids of the incidents that are not over, in order. It reads what
// came since the last call.
func (v *incidentView) open(ctx context.Context, b *bus.Bus) ([]string, error) {
	v.mu.Lock()
	defer v.mu.Unlock()
	kept, err := keptIncidents(ctx, b)
	if err != nil {
		return nil, err
	}
	if kept.Open != nil && kept.Sequence > v.index.Sequence {
		v.index = kept
	}
	if _, err := v.index.advance(ctx, b); err != nil {
		return nil, err
	}
	return slices.Sorted(maps.Keys(v.index.Open)), nil
}
