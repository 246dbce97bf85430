package detect

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"iter"
	"log/slog"
	"sync/atomic"
	"time"

	"github.com/firebreak-io/firebreak/internal/bus"
	"github.com/firebreak-io/firebreak/internal/event"
	"github.com/firebreak-io/firebreak/internal/telemetry"
)

// Reader gives the frames of the EVENTS stream in order; *bus.Reader is one.
type Reader interface {
	Next(ctx context.Context) (bus.Message, error)
}

// Store takes findings and what can't be processed; *bus.Bus is one.
type Store interface {
	Create(ctx context.Context, subject string, data []byte) (uint64, error)
	Dead(ctx context.Context, r event.Rejected) error
}

// Snapshots keeps the worker's place; *bus.Snapshots is one.
type Snapshots interface {
	Get(ctx context.Context, key string) ([]byte, error)
	Put(ctx context.Context, key string, value []byte) error
	// PutParts is Put of a value that is made while it is stored. An error
	// among the parts leaves what was there before.
	PutParts(ctx context.Context, key string, parts iter.Seq2[[]byte, error]) error
}

// stopWithin is how long the last snapshot may take.
const stopWithin = 30 * time.Second

// Worker reads events through an engine and stores the findings. A finding is
// stored before the snapshot that passes its event, and under an id of its own,
// so that after a crash it comes again and is refused: none is lost, none is
// double. All fields are set before [Worker.Run]; one Run at a time.
type Worker struct {
	Engine *Engine
	// Open begins to read at a sequence of the EVENTS stream.
	Open      func(ctx context.Context, from uint64) (Reader, error)
	Store     Store
	Snapshots Snapshots
	// Read, if set, is told up to which sequence the worker is done with all
	// frames, so that room may be made of them: at the start, and after each
	// snapshot.
	Read func(ctx context.Context, sequence uint64) error
	// Publish, if set, stores a control event in the EVENTS stream: the time
	// while nothing comes, other rules, and that a rule is too slow. Without it
	// time stands still when nothing comes.
	Publish func(ctx context.Context, e event.Event) error
	// Telemetry is telemetry.Nop() when nil.
	Telemetry *telemetry.Telemetry

	stats  counters
	memory atomic.Pointer[Memory]
	models atomic.Pointer[[]event.ModelState]
	warned map[string]bool
	slow   slow
	saves  saves
	// torn says that a frame was folded in part: then the state is of no
	// sequence.
	torn bool
}

// Stats are counts since the start.
type Stats struct {
	// Sequence is the last frame that was folded.
	Sequence uint64
	Frames   uint64
	Events   uint64
	// Duplicates are events that had been seen before.
	Duplicates uint64
	Findings   uint64
	// Errors are events that a detector could not evaluate, Poison those and
	// the frames that went to the dead letters.
	Errors, Poison uint64
}

type counters struct {
	sequence, frames, events, duplicates, findings, errors, poison atomic.Uint64
}

// Stats may be called at any time.
func (w *Worker) Stats() Stats {
	c := &w.stats
	return Stats{
		c.sequence.Load(), c.frames.Load(), c.events.Load(), c.duplicates.Load(), c.findings.Load(), c.errors.Load(), c.poison.Load(),
	}
}

// Run reads until ctx ends, then saves its place and returns nil; or until it
// can go on no more. It waits for a bus that is away, and skips nothing.
func (w *Worker) Run(ctx context.Context) error {
	if w.Telemetry == nil {
		w.Telemetry = telemetry.Nop()
	}
	w.warned = map[string]bool{}
	w.watch()
	last, err := w.load(ctx)
	if err != nil {
		return fmt.Errorf("detect: %w", err)
	}
	if w.Publish != nil {
		w.Engine.set.bundled() // the first snapshot comes with the first events, which wait for it
	}
	from := last.begin()
	var reader Reader
	err = w.retry(ctx, func() (err error) {
		reader, err = w.Open(ctx, from)
		return err
	})
	if err != nil {
		return fmt.Errorf("detect: %w", err)
	}
	w.stats.sequence.Store(last.Sequence)
	w.Telemetry.Logger().InfoContext(ctx, "detecting", "rules", len(w.Engine.set.detectors), "after", last.Sequence, "warming_from", from)
	w.tell(ctx, last.Sequence)
	if err = w.changed(ctx, last); err == nil {
		err = w.read(ctx, reader, last.Sequence)
	}
	defer func() { _ = w.stopSaving(ctx) }() // after an error that is told
	if ctx.Err() != nil && w.torn {
		return nil // the last snapshot has to do
	}
	if ctx.Err() != nil {
		stop, cancel := context.WithTimeout(context.WithoutCancel(ctx), stopWithin)
		defer cancel()
		err = w.saveAll(stop)
	}
	if err != nil {
		return fmt.Errorf("detect: %w", err)
	}
	return nil
}

// read folds frames; those up to warm only into the engine's memory of ids.
func (w *Worker) read(ctx context.Context, reader Reader, warm uint64) error {
	w.saves.last = time.Now()
	for {
		m, err := w.next(ctx, reader)
		switch {
		case err == nil && m.Sequence <= warm:
			w.warm(m)
			w.saves.size += len(m.Data)
			continue
		case err == nil:
			w.countMissed(ctx, m.Sequence)
			w.torn = true
			if err := w.frame(m.Context(ctx), m); err != nil {
				return err
			}
			w.torn = false
			w.stats.sequence.Store(m.Sequence)
			w.saves.frames++
			w.saves.size += len(m.Data)
			w.complain(ctx)
		case ctx.Err() != nil || !errors.Is(err, context.DeadlineExceeded):
			return err
		case w.saves.idle():
			w.beat(ctx)
		}
		if err := w.saveSome(ctx, time.Now()); err != nil {
			return err
		}
	}
}

// beatEvery is how long nothing comes until the worker says what time it is.
const beatEvery = 10 * time.Second

// next waits for a frame, but no longer than until something is to be done for
// a snapshot, or the time has to be said.
func (w *Worker) next(ctx context.Context, reader Reader) (bus.Message, error) {
	wait, never := w.saves.wait(time.Now())
	if never && w.Publish == nil {
		return reader.Next(ctx)
	}
	if never {
		wait = beatEvery
	}
	ctx, cancel := context.WithTimeout(ctx, wait)
	defer cancel()
	return reader.Next(ctx)
}

// beat says what time it is, if that could make a difference.
func (w *Worker) beat(ctx context.Context) {
	if w.Engine.Memory().Groups == 0 {
		return
	}
	now := time.Now()
	err := w.Publish(ctx, event.Control(event.VerbTick, now, event.HashID("tick", now.Format(time.RFC3339Nano)), nil))
	if err != nil && ctx.Err() == nil {
		w.Telemetry.Logger().WarnContext(ctx, "the time was not told; again soon", "error", err)
	}
}

// countMissed counts the frames before this one that left the stream before
// they were read.
func (w *Worker) countMissed(ctx context.Context, sequence uint64) {
	before := w.stats.sequence.Load()
	if sequence <= before+1 {
		return
	}
	n := sequence - before - 1
	w.Telemetry.Metrics().Expired(ctx, "detect", n)
	w.Telemetry.Logger().ErrorContext(ctx, "events expired before they were evaluated", "frames", n)
}

// tell says how far the worker has come. That it could not say so is no loss:
// it says it again.
func (w *Worker) tell(ctx context.Context, sequence uint64) {
	if w.Read == nil {
		return
	}
	if err := w.Read(ctx, sequence); err != nil && ctx.Err() == nil {
		w.Telemetry.Logger().WarnContext(ctx, "others don't know yet what was read", "sequence", sequence, "error", err)
	}
}

func (w *Worker) warm(m bus.Message) {
	events, err := event.DecodeFrame(m.Data)
	if err != nil {
		return // it went to the dead letters when it was folded
	}
	for i := range events {
		w.Engine.Warm(&events[i], address(m, i, &events[i]))
	}
}

func address(m bus.Message, i int, e *event.Event) event.Address {
	return event.Address{Sequence: m.Sequence, Index: i, ID: e.ID, From: e.From}
}

// frame folds one frame and stores what is found in it.
func (w *Worker) frame(ctx context.Context, m bus.Message) (err error) {
	ctx, end := w.Telemetry.Span(ctx, "detect", slog.Uint64("sequence", m.Sequence))
	defer func() { end(err) }()
	w.stats.frames.Add(1)
	events, err := event.DecodeFrame(m.Data)
	if err != nil {
		return w.dead(ctx, event.Rejected{
			Source: event.SourceControl, From: fmt.Sprintf("frame %d", m.Sequence), Reason: err.Error(), Data: m.Data,
		})
	}
	var found []event.Finding
	for i := range events {
		one, err := w.event(ctx, &events[i], address(m, i, &events[i]))
		if err != nil {
			return err
		}
		found = append(found, one...)
	}
	return w.publish(ctx, found)
}

func (w *Worker) event(ctx context.Context, e *event.Event, at event.Address) ([]event.Finding, error) {
	w.stats.events.Add(1)
	findings, fresh, err := w.Engine.Fold(e, at)
	if !fresh {
		w.stats.duplicates.Add(1)
	}
	if err != nil {
		if err := w.trouble(ctx, e, at, err); err != nil {
			return nil, err
		}
	}
	return findings, nil
}

// trouble counts an event that detectors could not evaluate, and keeps one that
// made a detector panic.
func (w *Worker) trouble(ctx context.Context, e *event.Event, at event.Address, problem error) error {
	w.stats.errors.Add(1)
	if name := firstLine(problem); !w.warned[name] && len(w.warned) < 1000 {
		w.warned[name] = true // once for each kind: whoever can send events must not fill the log
		w.Telemetry.Logger().WarnContext(ctx, "event could not be evaluated", "error", problem, "sequence", at.Sequence, "index", at.Index)
	}
	var p *Panic
	if !errors.As(problem, &p) {
		return nil
	}
	data, err := json.Marshal(e)
	if err != nil {
		data = nil
	}
	return w.dead(ctx, event.Rejected{
		Source: e.Source, From: fmt.Sprintf("frame %d event %d (%s)", at.Sequence, at.Index, at.From), Reason: problem.Error(), Data: data,
	})
}

func (w *Worker) dead(ctx context.Context, r event.Rejected) error {
	w.stats.poison.Add(1)
	return w.retry(ctx, func() error { return w.Store.Dead(ctx, r) })
}
