package respond

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"golang.org/x/sync/semaphore"

	"github.com/firebreak-io/firebreak/internal/bus"
	"github.com/firebreak-io/firebreak/internal/event"
)

// findings works findings off side by side: each is done with when its
// incident and its runs are stored.
func (w *Worker) findings(ctx context.Context, at *cursor) error {
	reader, err := w.bus.Read(ctx, bus.Findings, at.position()+1)
	if err != nil {
		return err
	}
	defer reader.Close(context.WithoutCancel(ctx))
	w.reader.Store(reader)
	slots := semaphore.NewWeighted(maxEffects)
	for {
		m, err := reader.Next(ctx)
		if err != nil {
			return err
		}
		if err := slots.Acquire(ctx, 1); err != nil {
			return err
		}
		at.begin(m.Sequence)
		w.group.Go(func() error {
			defer slots.Release(1)
			if err := w.take(ctx, m); err != nil {
				return err
			}
			at.done(m.Sequence)
			return nil
		})
	}
}

// take tries until the finding is done with: the cluster or the store may be
// away for a while.
func (w *Worker) take(ctx context.Context, m bus.Message) error {
	for wait := 200 * time.Millisecond; ; wait = min(2*wait, 15*time.Second) {
		err := w.finding(m.Context(ctx), m)
		if err == nil {
			return nil
		}
		if ctx.Err() != nil {
			return ctx.Err()
		}
		w.logger.ErrorContext(ctx, "take finding", "finding", m.Subject, "error", err)
		if err := sleep(ctx, wait); err != nil {
			return err
		}
	}
}

// finding stores the incident and a run for each playbook that applies. Doing
// it again changes nothing.
func (w *Worker) finding(ctx context.Context, m bus.Message) (err error) {
	ctx, end := w.tel.Span(ctx, "respond.finding")
	defer func() { end(err) }()
	if bus.IsFindingCount(m.Subject) {
		return nil // how often one came again is for people
	}
	f, err := decodeFinding(m)
	if err != nil {
		w.bury(ctx, m, err)
		return nil
	}
	if f.Silence != "" {
		return nil // it is on record, and nobody is to be disturbed
	}
	defer func() {
		if errors.Is(err, bus.ErrTooLarge) {
			// It never will fit, and must not keep others from their turn.
			w.bury(ctx, m, err)
			err = nil
		}
	}()
	target, err := Resolve(ctx, w.executor.Deps.Cluster, f)
	if err != nil && !errors.Is(err, ErrNoTarget) {
		return err
	}
	f.Subject = target
	incident, err := w.incidents.add(ctx, f)
	if err != nil {
		return err
	}
	ceiling, err := w.control.Ceiling(ctx)
	if err != nil {
		return err
	}
	for _, book := range w.books {
		applies, err := book.Applies(Env{Finding: f, Incident: incident, Target: target})
		if err != nil {
			w.logger.Error("playbook condition", "playbook", book.Name, "finding", f.ID, "error", err)
			continue
		}
		if !applies {
			continue
		}
		run := Begin(book, incident, f, target, ceiling, w.now())
		rec, err := w.log.Create(ctx, run)
		if errors.Is(err, bus.ErrExists) {
			// Begun before. If whoever did is not there any more, it goes on here.
			r, err := w.adopt(ctx, run.ID)
			if err != nil && !errors.Is(err, ErrStale) {
				return err
			}
			if r == nil && err == nil {
				// One run for an incident and target: people must know that
				// what goes on there is not answered a second time.
				w.logger.WarnContext(ctx, "the run for this target is over; another finding of its incident begins no new one",
					"run", run.ID, "playbook", book.Name, "finding", f.ID, "rule", f.Rule, "target", target.String())
			}
			continue
		}
		if err != nil {
			return err
		}
		w.count("", run.State)
		w.tel.Metrics().RunMoved(ctx, run.State)
		w.logger.InfoContext(ctx, "run", "run", run.ID, "playbook", book.Name, "finding", f.ID, "rule", f.Rule, "target", target.String(), "mode", run.Mode)
		w.start(ctx, rec)
	}
	return nil
}

func decodeFinding(m bus.Message) (event.Finding, error) {
	var f event.Finding
	if err := json.Unmarshal(m.Data, &f); err != nil {
		return f, fmt.Errorf("decode finding: %w", err)
	}
	if bus.SubjectFinding(f.ID) != m.Subject {
		return f, fmt.Errorf("decode finding: it is named %q", f.ID)
	}
	return f, nil
}

// Begin is the first record of a run of book. Its mode is the lowest of the
// playbook's, the ceiling, and what the finding's rule allows. A model alone
// never acts: it asks at the most.
func Begin(book *Playbook, incident event.Incident, f event.Finding, target event.Ref, ceiling event.Mode, now time.Time) event.Run {
	run := event.Run{
		ID: event.RunID(book.Name, incident.ID, target, 1), Generation: 1, Playbook: book.Name, Version: book.Version, Spec: book.Text,
		Incident: incident, Finding: f, Target: target, Mode: Lower(book.Mode, ceiling), State: event.RunGuarding,
		Created: now, Updated: now,
	}
	if f.Mode != "" {
		run.Mode = Lower(run.Mode, f.Mode)
	}
	if f.Model != "" {
		run.Mode = Lower(run.Mode, event.ModeAsk)
	}
	for _, s := range book.Steps {
		run.Steps = append(run.Steps, event.Step{Name: s.Name, Action: s.Action, State: event.StepPending})
	}
	return run
}

// incidents are the open ones, and their record in the INCIDENTS stream.
type incidents struct {
	bus *bus.Bus

	// writing lets one finding at a time join.
	writing sync.Mutex

	mu       sync.Mutex
	open     []event.Incident
	sequence map[string]uint64
}

func (n *incidents) load(ctx context.Context) error {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.open, n.sequence = nil, map[string]uint64{}
	for m, err := range n.bus.LastPerSubject(ctx, bus.SubjectIncident("*")) {
		if err != nil {
			return fmt.Errorf("read incidents: %w", err)
		}
		var in event.Incident
		if err := json.Unmarshal(m.Data, &in); err != nil {
			return fmt.Errorf("read incident %s: %w", m.Subject, err)
		}
		n.sequence[in.ID] = m.Sequence
		if in.State == event.IncidentOpen {
			n.open = append(n.open, in)
		}
	}
	slices.SortFunc(n.open, func(a, b event.Incident) int { return a.Created.Compare(b.Created) })
	return nil
}

// add puts a finding into its incident and stores it. When another responder
// has written meanwhile, it reads again.
func (n *incidents) add(ctx context.Context, f event.Finding) (event.Incident, error) {
	n.writing.Lock()
	defer n.writing.Unlock()
	for {
		n.mu.Lock()
		in, changed := Group(n.open, f)
		last := n.sequence[in.ID]
		n.mu.Unlock()
		if !changed {
			return in, nil
		}
		data, err := json.Marshal(in)
		if err != nil {
			return in, fmt.Errorf("store incident %s: %w", in.ID, err)
		}
		seq, err := n.bus.Append(ctx, bus.SubjectIncident(in.ID), data, last)
		switch {
		case err == nil:
			n.keep(in, seq)
			return in, nil
		case errors.Is(err, bus.ErrConflict) && last == 0:
			// An incident that is named after this very finding, and forgotten
			// here since.
			return n.stored(ctx, in.ID)
		case errors.Is(err, bus.ErrConflict), errors.Is(err, bus.ErrUnknown):
			if err := n.load(ctx); err != nil {
				return in, err
			}
		default:
			return in, fmt.Errorf("store incident %s: %w", in.ID, err)
		}
	}
}

func (n *incidents) stored(ctx context.Context, id string) (event.Incident, error) {
	var in event.Incident
	m, err := n.bus.Last(ctx, bus.SubjectIncident(id))
	if err != nil {
		return in, fmt.Errorf("read incident %s: %w", id, err)
	}
	if err := json.Unmarshal(m.Data, &in); err != nil {
		return in, fmt.Errorf("read incident %s: %w", id, err)
	}
	return in, nil
}

// keep remembers an incident as it was stored, and forgets those that nothing
// can join any more.
func (n *incidents) keep(in event.Incident, seq uint64) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.sequence[in.ID] = seq
	n.open = slices.DeleteFunc(n.open, func(o event.Incident) bool {
		old := in.Updated.Sub(o.Updated) > 2*IncidentWindow
		if old {
			delete(n.sequence, o.ID)
		}
		return old
	})
	if i := slices.IndexFunc(n.open, func(o event.Incident) bool { return o.ID == in.ID }); i >= 0 {
		n.open[i] = in
		return
	}
	n.open = append(n.open, in)
}
