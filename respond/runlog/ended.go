package runlog

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/firebreak-io/firebreak/internal/bus"
	"github.com/firebreak-io/firebreak/internal/event"
)

// end stores in ENDED how a run ended. Doing it again changes nothing.
func (l *Log) end(ctx context.Context, id string) error {
	rec, err := l.Load(ctx, id)
	if errors.Is(err, bus.ErrNotFound) {
		return nil // it went with a log that was lost, or stands in an archive
	}
	if err != nil {
		return err
	}
	data, err := json.Marshal(InShort(rec.Run))
	if err != nil {
		return fmt.Errorf("note the end of run %s: %w", id, err)
	}
	if _, err := l.bus.Create(ctx, bus.SubjectEnded(id), data); err != nil && !errors.Is(err, bus.ErrExists) {
		return fmt.Errorf("note the end of run %s: %w", id, err)
	}
	return nil
}

// InShort is a run as lists have it once it is over for a while: who, what, on
// what, by which rule, how it ended and what became of each step. It lacks the
// text of the playbook, the plans but for their summary, and the verdicts.
func InShort(r event.Run) event.Run {
	r.Spec, r.Would, r.Said = "", nil, nil
	f := r.Finding
	r.Finding = event.Finding{
		ID: f.ID, Rule: f.Rule, Model: f.Model, Title: f.Title, Severity: f.Severity, Subject: nameOnly(f.Subject),
		Trust: f.Trust, Time: f.Time, Received: f.Received,
	}
	in := r.Incident
	r.Incident = event.Incident{ID: in.ID, State: in.State, Risk: in.Risk, Confidence: in.Confidence, Priority: in.Priority, Created: in.Created}
	r.Target.Labels = nil
	steps := make([]event.Step, len(r.Steps))
	for i, s := range r.Steps {
		steps[i] = event.Step{
			Name: s.Name, Of: s.Of, Action: s.Action, State: s.State, Digest: s.Digest, Begun: s.Begun, Attempts: s.Attempts,
			Error: event.Shorten(s.Error, event.MaxNote), Receipt: resultOnly(s.Receipt), Undo: resultOnly(s.Undo),
		}
		if s.Target != nil {
			t := nameOnly(*s.Target)
			steps[i].Target = &t
		}
		if s.Plan != nil {
			steps[i].Plan = &event.Plan{Summary: s.Plan.Summary}
		}
	}
	r.Steps = steps
	if r.Approval != nil {
		a := *r.Approval
		a.Votes = nil
		for _, v := range r.Approval.Votes {
			a.Votes = append(a.Votes, event.Vote{User: v.User, Approve: v.Approve, Time: v.Time, Refused: v.Refused})
		}
		r.Approval = &a
	}
	return r
}

func nameOnly(r event.Ref) event.Ref {
	return event.Ref{Group: r.Group, Resource: r.Resource, Kind: r.Kind, Namespace: r.Namespace, Name: r.Name, UID: r.UID}
}

func resultOnly(r *event.Receipt) *event.Receipt {
	if r == nil {
		return nil
	}
	return &event.Receipt{Result: r.Result, Time: r.Time}
}

// ending is what ENDED has of a run, and where. [bus.ErrNotFound] says that the
// run is not over, or only for a while, or that there is none.
func (l *Log) ending(ctx context.Context, id string) (run event.Run, sequence uint64, err error) {
	m, err := l.bus.Last(ctx, bus.SubjectEnded(id))
	if err != nil {
		return run, 0, fmt.Errorf("read the end of run %s: %w", id, err)
	}
	return decodeEnding(m), m.Sequence, nil
}

// decodeEnding reads an entry of ENDED. One that can't be read keeps no other
// from being seen, nor its run from the archive.
func decodeEnding(m bus.Message) (run event.Run) {
	if err := json.Unmarshal(m.Data, &run); err != nil {
		return event.Run{ID: m.Subject[len(bus.SubjectEnded("")):], Updated: m.Time, Reason: event.Shorten("its end can't be read: "+err.Error(), event.MaxNote)}
	}
	return run
}
