package respond

import (
	"context"
	"encoding/json"
	"fmt"

	"github.com/firebreak-io/firebreak/internal/bus"
	"github.com/firebreak-io/firebreak/internal/event"
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
		if err := w.deliver(ctx, delivery{input: in, sequence: m.Sequence, taken: func() { at.done(m.Sequence) }}); err != nil {
			return err
		}
	}
}

func (w *Worker) deliver(ctx context.Context, d delivery) error {
	w.mu.Lock()
	r := w.runners[d.input.Run]
	w.mu.Unlock()
	if r == nil {
		// The run is over, or never was: there is nobody to hear it.
		w.logger.Info("input for a run that is over", "run", d.input.Run, "kind", d.input.Kind, "user", d.input.User)
		d.taken()
		return nil
	}
	select {
	case r.inputs <- d:
	case <-r.over:
		d.taken()
	case <-ctx.Done():
		return ctx.Err()
	}
	return nil
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
