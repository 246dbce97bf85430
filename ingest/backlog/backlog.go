package backlog

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"sync"
	"time"

	"github.com/firebreak-io/firebreak/ingest"
	"github.com/firebreak-io/firebreak/internal/bus"
	"github.com/firebreak-io/firebreak/internal/event"
)

// Stream is what is asked about EVENTS; [*bus.Bus] is one.
type Stream interface {
	// Progress says how full it is and how far it was read.
	Progress(ctx context.Context) (bus.Progress, error)
	// At is one message of it.
	At(ctx context.Context, stream bus.Stream, sequence uint64) (bus.Message, error)
}

// Sink stores events and says how many bytes they are; [*ingest.Batcher] is
// one.
type Sink interface {
	PutSized(ctx context.Context, events []event.Event) (int64, error)
}

// Options are what a backlog needs. Stream and Sink are required.
type Options struct {
	Config Config
	Stream Stream
	Sink   Sink
	// Sources maps the names of the configured sources to what they say of
	// their events.
	Sources map[string]event.Source
	Logger  *slog.Logger
}

// askEvery is how often the stream is asked how far it was read.
const askEvery = 500 * time.Millisecond

// Backlog watches the unread part of the stream. Its methods may be called
// concurrently.
type Backlog struct {
	o Options

	mu       sync.Mutex
	progress bus.Progress
	asked    bool // progress is known
	sections sections
	known    map[string]int64 // unread bytes as of progress
	open     map[string]int64 // put since
	refusing map[string]bool
}

// New makes a backlog. It refuses nothing until [Backlog.Run] runs.
func New(o Options) *Backlog {
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	return &Backlog{o: o, open: map[string]int64{}, refusing: map[string]bool{}}
}

// Run keeps asking the stream until ctx ends, and returns nil. While the
// stream does not answer, what was known last holds.
func (b *Backlog) Run(ctx context.Context) error {
	tick := time.NewTicker(askEvery)
	defer tick.Stop()
	for {
		if err := b.ask(ctx); err != nil && ctx.Err() == nil {
			b.o.Logger.DebugContext(ctx, "how much is unread is not known", "error", err)
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return nil
		}
	}
}

// For is the sink of one source.
func (b *Backlog) For(name string) ingest.Sink { return source{b, name} }

// Unread says how many bytes of each source no detector has read yet; those
// of nobody in particular stand under "".
func (b *Backlog) Unread() map[string]int64 {
	b.mu.Lock()
	defer b.mu.Unlock()
	return sum(b.known, b.open)
}

type source struct {
	*Backlog
	name string
}

// Put stores events, or refuses all of them with [ingest.ErrBehind].
func (s source) Put(ctx context.Context, events []event.Event) error {
	if len(events) == 0 {
		return nil
	}
	if err := s.admit(ctx, s.name); err != nil {
		return err
	}
	size, err := s.o.Sink.PutSized(ctx, events)
	if errors.Is(err, bus.ErrUnread) {
		return fmt.Errorf("store events: %w: %w", ingest.ErrBehind, err)
	}
	if err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.open[s.name] += size
	return nil
}

// admit says whether a source may put more.
func (b *Backlog) admit(ctx context.Context, name string) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	if !b.asked || b.progress.MaxBytes == 0 {
		return nil
	}
	limit := int64(b.o.Config.limit() * float64(b.progress.MaxBytes))
	share := int64(b.o.Config.share(name, len(b.o.Sources)) * float64(limit))
	own, all := b.known[name]+b.open[name], total(b.known)+total(b.open)
	behind := own >= share || all >= limit
	b.tell(ctx, name, behind, own, share, all, limit)
	if behind {
		return fmt.Errorf("store events of %s: %w: %d of %d bytes of it are unread, %d of %d in all", name, ingest.ErrBehind, own, share, all, limit)
	}
	return nil
}

// tell logs when a source is refused, and when it is taken again.
func (b *Backlog) tell(ctx context.Context, name string, behind bool, own, share, all, limit int64) {
	if b.refusing[name] == behind {
		return
	}
	b.refusing[name] = behind
	at := []any{"source", name, "unread_bytes", own, "share", share, "unread_bytes_of_all", all, "limit", limit}
	if behind {
		b.o.Logger.WarnContext(ctx, "detectors are behind: a source is refused until they have read on", at...)
	} else {
		b.o.Logger.InfoContext(ctx, "detectors have read on: a source is taken again", at...)
	}
}

// ask brings up to date what is unread.
func (b *Backlog) ask(ctx context.Context) error {
	b.mu.Lock()
	// What was put up to here is in the stream before it is asked.
	put := b.open
	b.open = map[string]int64{}
	b.mu.Unlock()
	now, err := b.o.Stream.Progress(ctx)
	if err != nil {
		b.mu.Lock()
		defer b.mu.Unlock()
		b.open = sum(b.open, put)
		return err
	}
	if !b.asked {
		rebuilt, err := b.rebuild(ctx, now)
		if err != nil {
			b.mu.Lock()
			defer b.mu.Unlock()
			b.open = sum(b.open, put)
			return err
		}
		b.settle(now, rebuilt)
		return nil
	}
	// Only Run writes sections and progress.
	next := maps.Clone(put)
	if now.First == b.progress.First || b.progress.Messages == 0 {
		// What is neither ours may be anybody's. It is below zero where
		// something came between, which the next section makes good.
		next[other] += int64(now.Bytes-b.progress.Bytes) - total(put)
	}
	b.settle(now, b.sections.add(now.Last, b.progress.Last, next))
	return nil
}

func (b *Backlog) settle(now bus.Progress, s sections) {
	if now.Last < b.progress.Last {
		s = nil // the stream was made anew
	}
	s = s.read(now.Read)
	b.mu.Lock()
	defer b.mu.Unlock()
	b.progress, b.sections, b.known, b.asked = now, s, s.weigh(now.Read), true
}

func total(bytes map[string]int64) int64 {
	n := int64(0)
	for _, b := range bytes {
		n += b
	}
	return max(n, 0)
}
