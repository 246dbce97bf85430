package respond

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/firebreak-io/firebreak/internal/bus"
	"github.com/firebreak-io/firebreak/internal/event"
	"github.com/firebreak-io/firebreak/respond/runlog"
)

// order carries out what people say that is for no run: own says that it was
// such. It tries until the store and the cluster answer.
func (w *Worker) order(ctx context.Context, m bus.Message, in event.Input) (own bool, err error) {
	var do func(context.Context) error
	switch in.Kind {
	case event.InputClose, event.InputVerdict, event.InputAcknowledge, event.InputReviewed:
		do = func(ctx context.Context) error {
			if in.Finding != "" {
				return w.incidents.SaidOfFinding(ctx, in)
			}
			err := w.incidents.Said(ctx, in.Run, in)
			return err
		}
	case event.InputDrill:
		do = func(ctx context.Context) error { return w.beginDrill(ctx, in) }
	case event.InputFree:
		do = func(ctx context.Context) error { return w.release(ctx, in) }
	case event.InputStart:
		do = func(ctx context.Context) error { return w.byHand(ctx, in) }
	default:
		return false, nil
	}
	for wait := 200 * time.Millisecond; ; wait = min(2*wait, 15*time.Second) {
		err := do(m.Context(ctx))
		switch {
		case err == nil:
			return true, nil
		case errors.Is(err, bus.ErrNotFound), errors.Is(err, bus.ErrTooLarge), errors.Is(err, errNoBook):
			w.bury(ctx, m, err)
			return true, nil
		case ctx.Err() != nil:
			return true, ctx.Err()
		}
		w.logger.ErrorContext(ctx, "take order", "kind", in.Kind, "of", in.Run, "error", err)
		if err := sleep(ctx, wait); err != nil {
			return true, err
		}
	}
}

var errNoBook = errors.New("no such playbook")

// byHand begins a run that a person asked for. It has a finding of its own,
// which says who and why, and the incident of its target, as any other; its id
// is the one that the person was told.
func (w *Worker) byHand(ctx context.Context, in event.Input) error {
	at := slices.IndexFunc(w.books, func(b *Playbook) bool { return b.Name == in.Playbook })
	if at < 0 {
		return fmt.Errorf("start %s: %w", in.Playbook, errNoBook)
	}
	f := ByHand(in)
	target, err := Resolve(ctx, w.executor.Deps.Cluster, f)
	if err != nil && !errors.Is(err, ErrNoTarget) {
		return err
	}
	f.Subject = target
	incident, err := w.incidents.Add(ctx, f, event.ImportanceNormal)
	if err != nil {
		return err
	}
	ceiling, err := w.control.Ceiling(ctx)
	if err != nil {
		return err
	}
	book, err := w.trusted(ctx, w.books[at])
	if err != nil {
		return err
	}
	run := Begin(book, incident, f, target, ceiling, w.now())
	run.ID, run.Starter = in.Run, in.User
	rec, err := w.log.Create(ctx, run)
	if errors.Is(err, bus.ErrExists) {
		_, err = w.adopt(ctx, run.ID)
		if errors.Is(err, runlog.ErrStale) {
			return nil
		}
		return err
	}
	if err != nil {
		return err
	}
	w.begun(ctx, rec, nil)
	return nil
}

// ByHand is the finding that stands for a person who starts a playbook. The
// person's word is that of somebody whom the cluster knows.
func ByHand(in event.Input) event.Finding {
	return event.Finding{
		ID: event.HashID("start", in.Run), Rule: "started-by-hand", Title: event.Shorten("started by hand by "+in.User, event.MaxNote), Severity: event.SeverityMedium,
		Score: 1, Explanation: in.Reason, Subject: in.Target, Source: event.SourceControl, Trust: event.TrustAudit, Time: in.Time, Received: in.Time,
	}
}
