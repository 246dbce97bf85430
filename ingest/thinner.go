package ingest

import (
	"context"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/firebreak-io/firebreak/ingest/summary"
	"github.com/firebreak-io/firebreak/internal/conf"
	"github.com/firebreak-io/firebreak/internal/event"
)

// thinner is the sink of a source with a [Volume]. It gives on what the filter
// lets through, and counts all events in the summaries of their writers. An
// event is counted only after what is to be stored of its batch was stored: a
// batch that is put again after a fault is not counted twice.
type thinner struct {
	inner   Sink
	source  event.Source
	filter  *conf.Program  // nil stores everything
	table   *summary.Table // nil makes no summaries
	metrics Metrics
	logger  *slog.Logger
	now     func() time.Time

	// storing is held while due parts are stored.
	storing sync.Mutex
	// mu guards what follows, and table.
	mu   sync.Mutex
	seen *seen
	// puts counts the batches that were counted: it is the mark.
	puts uint64
	// behind says that parts could not be stored.
	behind bool
	// stopped says that nobody stores what is due later.
	stopped bool
	told    time.Time
	crowded uint64
}

const (
	// keepEvery is how often due parts are looked for.
	keepEvery = time.Second
	// maxWaitingParts may be due before a batch has to wait for them.
	maxWaitingParts = 4 * event.MaxFrameEvents
	stopTimeout     = 15 * time.Second
	tellSinkEvery   = time.Minute
)

func (t *thinner) defaults() {
	if t.logger == nil {
		t.logger = slog.New(slog.DiscardHandler)
	}
	if t.now == nil {
		t.now = time.Now
	}
}

// Unwrap is the sink that takes what is stored.
func (t *thinner) Unwrap() Sink { return t.inner }

// Put stores and counts events. While counts that are due can't be stored it
// takes nothing.
func (t *thinner) Put(ctx context.Context, events []event.Event) error {
	if t.held() {
		if err := t.store(ctx); err != nil {
			return err
		}
	}
	kept := t.keeps(events)
	if t.table != nil {
		for i := range kept {
			summary.Mark(&kept[i])
		}
	}
	if err := t.inner.Put(ctx, kept); err != nil {
		return err
	}
	if n := len(events) - len(kept); n > 0 {
		t.metrics.Unstored(ctx, t.source, n)
	}
	if t.table == nil || len(events) == 0 {
		return nil
	}
	if t.count(events) {
		// The source was stopped: nobody comes later to store the counts.
		return t.Flush(ctx)
	}
	return nil
}

// keeps are the events that the filter lets through.
func (t *thinner) keeps(events []event.Event) []event.Event {
	if t.filter == nil {
		return events
	}
	var kept []event.Event
	from := 0 // what is not in kept yet, and is to be
	for i := range events {
		if keep, err := t.filter.Bool(&events[i]); keep || err != nil {
			continue
		}
		kept = append(kept, events[from:i]...)
		from = i + 1
	}
	if from == 0 {
		return events
	}
	return append(kept, events[from:]...)
}

// held says that parts have to be stored before more is counted.
func (t *thinner) held() bool {
	if t.table == nil {
		return false
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.behind || t.table.Waiting() >= maxWaitingParts
}

func (t *thinner) count(events []event.Event) (stopped bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	now := t.now()
	t.puts++
	for i := range events {
		if t.seen.add(events[i].ID) {
			t.table.Add(&events[i], now, t.puts)
		}
	}
	return t.stopped
}

// keep stores the parts that are due until ctx ends.
func (t *thinner) keep(ctx context.Context) {
	tick := time.NewTicker(keepEvery)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		t.mu.Lock()
		t.table.Expire(t.now())
		t.mu.Unlock()
		if err := t.store(ctx); err != nil && ctx.Err() == nil {
			t.tell(ctx, "store log summaries; the source takes nothing until that succeeds", "error", err)
		}
		t.tellCrowd(ctx)
	}
}

// store stores the parts that are due.
func (t *thinner) store(ctx context.Context) error {
	t.storing.Lock()
	defer t.storing.Unlock()
	for {
		t.mu.Lock()
		due := t.table.Due(event.MaxFrameEvents)
		t.mu.Unlock()
		if len(due) == 0 {
			return nil
		}
		events := make([]event.Event, len(due))
		for i, p := range due {
			events[i] = p.Event()
		}
		err := t.inner.Put(ctx, events)
		t.mu.Lock()
		t.behind = err != nil
		if err == nil {
			t.table.Stored(len(due))
		}
		t.mu.Unlock()
		if err != nil {
			return fmt.Errorf("store summaries: %w", err)
		}
		t.metrics.Events(ctx, t.source, event.ClassLogSummary, len(events))
	}
}

// Mark is that of the newest batch.
func (t *thinner) Mark() uint64 {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.puts
}

// Settled is the newest batch before the first one of which counts are not
// stored.
func (t *thinner) Settled() uint64 {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.table != nil {
		if oldest, ok := t.table.Oldest(); ok {
			return oldest - 1
		}
	}
	return t.puts
}

// Flush stores all counts, those of intervals that go on too.
func (t *thinner) Flush(ctx context.Context) error {
	if t.table == nil {
		return nil
	}
	t.mu.Lock()
	t.table.Close(t.now())
	t.mu.Unlock()
	return t.store(ctx)
}

// stop stores all counts; a batch that comes later stores its own.
func (t *thinner) stop(ctx context.Context) error {
	t.mu.Lock()
	t.stopped = true
	t.mu.Unlock()
	return t.Flush(ctx)
}

// tellCrowd says that lines of several writers are counted together.
func (t *thinner) tellCrowd(ctx context.Context) {
	t.mu.Lock()
	crowd := t.table.Overflowed()
	fresh := crowd - t.crowded
	t.mu.Unlock()
	if fresh > 0 && t.tell(ctx, "too many writers to summarise: lines are counted by namespace; raise summarise.entities", "lines", fresh) {
		t.mu.Lock()
		t.crowded = crowd
		t.mu.Unlock()
	}
}

// tell logs, but not all the time.
func (t *thinner) tell(ctx context.Context, message string, args ...any) bool {
	t.mu.Lock()
	now := t.now()
	quiet := now.Sub(t.told) < tellSinkEvery
	if !quiet {
		t.told = now
	}
	t.mu.Unlock()
	if !quiet {
		t.logger.WarnContext(ctx, message, append([]any{"source", t.source}, args...)...)
	}
	return !quiet
}
