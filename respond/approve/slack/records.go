package slack

import (
	"context"
	"encoding/json"
	"fmt"
	"iter"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/firebreak-io/firebreak/internal/bus"
	"github.com/firebreak-io/firebreak/internal/event"
	"github.com/firebreak-io/firebreak/respond/approve"
	"github.com/firebreak-io/firebreak/respond/incident"
	"github.com/firebreak-io/firebreak/respond/runlog"
)

// records are what the messages are made of. [streams] is the one, on the store.
type records interface {
	// Changes remembers how far the records are; what it gives tells of each
	// incident that has changed since, by its id, until ctx ends.
	Changes(ctx context.Context) (follow func(ctx context.Context, tell func(incident string)) error, err error)
	// Current are the incidents that are not over, or ended after a time.
	Current(ctx context.Context, ended time.Time) iter.Seq2[string, error]
	// Incident, Run and History read one; a [approve.Problem] says that there is
	// none.
	Incident(ctx context.Context, id string) (event.Incident, error)
	Run(ctx context.Context, id string) (runlog.Record, error)
	History(ctx context.Context, run string) iter.Seq2[runlog.Record, error]
}

// streams are the records in the store.
type streams struct{ approve.Desk }

func (s streams) History(ctx context.Context, run string) iter.Seq2[runlog.Record, error] {
	return s.Log.History(ctx, run)
}

func (s streams) Changes(ctx context.Context) (func(context.Context, func(string)) error, error) {
	after := map[bus.Stream]uint64{}
	for _, stream := range []bus.Stream{bus.Incidents, bus.Runs} {
		state, err := s.Bus.State(ctx, stream)
		if err != nil {
			return nil, err
		}
		after[stream] = state.Last
	}
	return func(ctx context.Context, tell func(string)) error {
		group, ctx := errgroup.WithContext(ctx)
		group.Go(func() error { return s.follow(ctx, bus.Incidents, after[bus.Incidents]+1, incidentOf, tell) })
		group.Go(func() error { return s.follow(ctx, bus.Runs, after[bus.Runs]+1, incidentOfRun, tell) })
		return group.Wait()
	}, nil
}

// follow tells of the incident of each record.
func (s streams) follow(ctx context.Context, stream bus.Stream, from uint64, of func(bus.Message) string, tell func(string)) error {
	reader, err := s.Bus.Read(ctx, stream, from)
	if err != nil {
		return err
	}
	defer reader.Close(context.WithoutCancel(ctx))
	for {
		m, err := reader.Next(ctx)
		if err != nil {
			return err
		}
		if id := of(m); id != "" {
			tell(id)
		}
	}
}

func incidentOf(m bus.Message) string {
	var in struct{ ID string }
	if json.Unmarshal(m.Data, &in) != nil {
		return ""
	}
	return in.ID
}

func incidentOfRun(m bus.Message) string {
	var run struct{ Incident struct{ ID string } }
	if json.Unmarshal(m.Data, &run) != nil {
		return ""
	}
	return run.Incident.ID
}

func (s streams) Current(ctx context.Context, ended time.Time) iter.Seq2[string, error] {
	return func(yield func(string, error) bool) {
		for m, err := range s.Bus.LastPerSubject(ctx, bus.SubjectIncident("*")) {
			if err != nil {
				yield("", fmt.Errorf("read incidents: %w", err))
				return
			}
			in := incident.Read(m)
			if in.State.Over() && !in.Closed.After(ended) {
				continue
			}
			if !yield(in.ID, nil) {
				return
			}
		}
	}
}
