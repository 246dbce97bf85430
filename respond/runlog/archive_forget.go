package runlog

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/firebreak-io/firebreak/internal/bus"
	"github.com/firebreak-io/firebreak/internal/event"
	"github.com/firebreak-io/firebreak/respond/receipt"
)

// forget has the log drop records that are older than it keeps, as far as all of
// them are in the archive and their incidents are over: an incident that is not
// may begin another run, which must find the one before.
func (a *Archiver) forget(ctx context.Context, parts []Part) error {
	if a.rules.Keep == 0 || len(parts) == 0 {
		return nil
	}
	before, err := a.droppable(ctx, parts)
	if err != nil || before.IsZero() {
		return err
	}
	if err := a.reach("forgetting"); err != nil {
		return err
	}
	was, err := a.bus.State(ctx, bus.Runs)
	if err != nil {
		return err
	}
	if err := a.bus.Expire(ctx, bus.Runs, before, a.within); err != nil {
		return err
	}
	is, err := a.bus.State(ctx, bus.Runs)
	if err != nil {
		return err
	}
	a.logger.InfoContext(ctx, "the run log forgot what the archive has", "before", before, "records", was.Messages-is.Messages)
	return nil
}

// droppable is the time before which nothing in the log is needed; zero is that
// nothing can go. It is a quarter of the time that records are kept before the
// first that must stay, since a process that is killed while the log forgets
// leaves a bound on the age behind (see [bus.Bus.Expire]).
func (a *Archiver) droppable(ctx context.Context, parts []Part) (time.Time, error) {
	known, proved := map[string]bool{}, map[string]bool{}
	limit := a.now().Add(-a.rules.Keep.Std())
	var first, stays time.Time
	for m, err := range a.bus.Heads(ctx, bus.Runs) {
		if err != nil {
			return time.Time{}, err
		}
		first, stays = cmp.Or(first, m.Time), m.Time
		if !m.Time.Before(limit) {
			break
		}
		id := m.Subject[len(bus.SubjectRun("")):]
		may, ok := known[id]
		if !ok && len(known) < maxForgotten {
			if may, err = a.mayGo(ctx, id, parts, proved); err != nil {
				return time.Time{}, err
			}
			known[id] = may
		}
		if !may {
			break
		}
	}
	if before := stays.Add(-a.rules.Keep.Std() / 4); before.After(first) {
		return before, nil
	}
	return time.Time{}, nil
}

// mayGo says whether the log may forget a run.
func (a *Archiver) mayGo(ctx context.Context, id string, parts []Part, proved map[string]bool) (bool, error) {
	run, sequence, err := a.log.ending(ctx, id)
	if errors.Is(err, bus.ErrNotFound) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	part, ok := partOf(parts, sequence)
	if !ok {
		return false, nil
	}
	if over, err := a.incidentOver(ctx, run.Incident.ID); err != nil || !over {
		return false, err
	}
	if !proved[part.Object] {
		if err := a.prove(ctx, part); err != nil {
			return false, err
		}
		proved[part.Object] = true
	}
	return true, nil
}

// prove reads a part as it is stored now.
func (a *Archiver) prove(ctx context.Context, p Part) error {
	store, err := a.bus.Objects(ctx, archiveStore, -1)
	if err != nil {
		return err
	}
	body, err := store.Get(ctx, p.Object)
	if err != nil {
		return fmt.Errorf("prove archive %s: %w", p.Name, err)
	}
	defer body.Close()
	if _, err := receipt.ReadArchive(body, p.Head, nil); err != nil {
		return fmt.Errorf("prove archive %s: %w", p.Name, err)
	}
	return nil
}

func (a *Archiver) incidentOver(ctx context.Context, id string) (bool, error) {
	if id == "" {
		return true, nil
	}
	m, err := a.bus.Last(ctx, bus.SubjectIncident(id))
	if errors.Is(err, bus.ErrNotFound) {
		return true, nil
	}
	if err != nil {
		return false, err
	}
	var in event.Incident
	// One that can't be read may be open: its runs stay until it is forgotten.
	return json.Unmarshal(m.Data, &in) == nil && in.State.Over(), nil
}
