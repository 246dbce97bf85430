package respond

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/firebreak-io/firebreak/internal/bus"
	"github.com/firebreak-io/firebreak/internal/event"
	"github.com/firebreak-io/firebreak/respond/runlog"
)

// delivery is an input on its way to its run.
type delivery struct {
	input    event.Input
	sequence uint64
	// taken is called when the run's record shows that it was taken in.
	taken func()
}

// inputs hands what people say to the runs, in the order in which it was said.
// A run skips what its record shows as taken in.
func (w *Worker) inputs(ctx context.Context, at *cursor) error {
	reader, err := w.bus.Read(ctx, bus.Inputs, at.position()+1)
	if err != nil {
		return err
	}
	defer reader.Close(context.WithoutCancel(ctx))
	for {
		m, err := reader.Next(ctx)
		if err != nil {
			return err
		}
		at.begin(m.Sequence)
		var in event.Input
		if err := decodeInput(m, &in); err != nil {
			w.bury(ctx, m, err)
			at.done(m.Sequence)
			continue
		}
		if own, err := w.order(ctx, m, in); own || err != nil {
			if err != nil {
				return err
			}
			at.done(m.Sequence)
			continue
		}
		if err := w.deliver(ctx, delivery{input: in, sequence: m.Sequence, taken: func() { at.done(m.Sequence) }}); err != nil {
			return err
		}
	}
}

func (w *Worker) deliver(ctx context.Context, d delivery) error {
	r, err := w.hearer(ctx, d.input.Run)
	switch {
	case errors.Is(err, runlog.ErrStale):
		// The newer responder reads it too. It stays unread here.
		return nil
	case err != nil:
		return err
	case r == nil:
		// The run is over, or never was: there is nobody to hear it.
		w.logger.Info("input for a run that is over", "run", d.input.Run, "kind", d.input.Kind, "user", d.input.User)
		d.taken()
		return nil
	}
	select {
	case r.inputs <- d:
		select {
		case <-r.over:
			r.late(d) // it may have come after the last look
		default:
		}
	case <-r.over:
		r.late(d)
	case <-ctx.Done():
		return ctx.Err()
	}
	return nil
}

// hearer is the runner of a run, or nil. It tries until the store answers.
func (w *Worker) hearer(ctx context.Context, run string) (*runner, error) {
	for wait := 100 * time.Millisecond; ; wait = min(2*wait, 10*time.Second) {
		r, err := w.adopt(ctx, run)
		switch {
		case err == nil, errors.Is(err, runlog.ErrStale):
			return r, err
		case errors.Is(err, bus.ErrNotFound):
			return nil, nil
		case ctx.Err() != nil:
			return nil, ctx.Err()
		}
		w.logger.Error("find the run of an input", "run", run, "error", err)
		if err := sleep(ctx, wait); err != nil {
			return nil, err
		}
	}
}

func decodeInput(m bus.Message, in *event.Input) error {
	if err := json.Unmarshal(m.Data, in); err != nil {
		return fmt.Errorf("decode input: %w", err)
	}
	if bus.SubjectInput(in.Run) != m.Subject {
		return fmt.Errorf("decode input: it names run %q", in.Run)
	}
	return nil
}

// bury keeps a message that can't be read, which can only be our own fault.
func (w *Worker) bury(ctx context.Context, m bus.Message, reason error) {
	w.logger.ErrorContext(ctx, "unreadable message", "subject", m.Subject, "sequence", m.Sequence, "error", reason)
	r := event.Rejected{Source: event.SourceControl, From: fmt.Sprintf("%s %d", m.Subject, m.Sequence), Reason: reason.Error(), Data: m.Data}
	if err := w.bus.Dead(ctx, r); err != nil {
		w.logger.ErrorContext(ctx, "keep unreadable message", "error", err)
	}
}
