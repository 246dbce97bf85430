package bus

import (
	"context"
	"fmt"
	"sync/atomic"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
)

// Reader reads one stream in order, each message once, without
// acknowledging: the caller remembers how far it came. It survives
// reconnects and restarts of the server. One goroutine may use it;
// Position, Missed and Pending may be called from others.
type Reader struct {
	bus    *Bus
	stream Stream
	filter string

	consumer jetstream.Consumer
	messages jetstream.MessagesContext
	unwatch  func()
	expect   uint64 // the consumer's own count of the next message

	last   atomic.Uint64
	missed atomic.Uint64
	closed atomic.Bool
}

// Read opens a reader that begins with sequence from; 0 and 1 are the
// beginning of the stream.
func (b *Bus) Read(ctx context.Context, stream Stream, from uint64) (*Reader, error) {
	r := &Reader{bus: b, stream: stream}
	if from > 0 {
		r.last.Store(from - 1)
	}
	if err := r.open(ctx); err != nil {
		return nil, fmt.Errorf("read %s from %d: %w", stream, from, err)
	}
	return r, nil
}

// Next waits for the next message, until ctx is done. While the server is
// away it goes on trying. It returns ctx's error, or [ErrClosed].
func (r *Reader) Next(ctx context.Context) (Message, error) {
	for wait := time.Duration(0); ; wait = min(max(2*wait, 50*time.Millisecond), 2*time.Second) {
		m, err := r.next(ctx)
		switch {
		case err == nil:
			return m, nil
		case ctx.Err() != nil:
			return Message{}, ctx.Err()
		case r.closed.Load() || r.bus.closed.Load():
			return Message{}, fmt.Errorf("read %s: %w", r.stream, ErrClosed)
		}
		r.bus.opts.Logger.WarnContext(ctx, "reading again", "stream", r.stream, "after", r.Position(), "error", err)
		r.release(ctx)
		if err := pause(ctx, wait); err != nil {
			return Message{}, err
		}
	}
}

// next gives one message, or the reason why the consumer must be made anew.
func (r *Reader) next(ctx context.Context) (Message, error) {
	if r.messages == nil {
		if err := r.open(ctx); err != nil {
			return Message{}, err
		}
	}
	msg, err := r.messages.Next(jetstream.NextContext(ctx))
	if err != nil {
		return Message{}, err
	}
	meta, err := msg.Metadata()
	if err != nil {
		return Message{}, err
	}
	if meta.Sequence.Consumer != r.expect {
		return Message{}, fmt.Errorf("message %d of the consumer came as %d", r.expect, meta.Sequence.Consumer)
	}
	last := r.last.Load()
	if meta.Sequence.Stream <= last {
		return Message{}, fmt.Errorf("sequence %d came after %d", meta.Sequence.Stream, last)
	}
	r.expect++
	if r.filter == "" {
		r.missed.Add(meta.Sequence.Stream - last - 1)
	}
	r.last.Store(meta.Sequence.Stream)
	return fromMsg(msg, meta), nil
}

// open makes a consumer that begins after the last message that was given.
func (r *Reader) open(ctx context.Context) error {
	s, err := r.bus.stream(r.stream)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, requestTimeout)
	defer cancel()
	r.consumer, err = s.CreateConsumer(ctx, jetstream.ConsumerConfig{
		FilterSubject: r.filter, DeliverPolicy: jetstream.DeliverByStartSequencePolicy, OptStartSeq: r.last.Load() + 1,
		AckPolicy: jetstream.AckNonePolicy, MemoryStorage: true, Replicas: 1, InactiveThreshold: 5 * time.Minute,
	})
	if err != nil {
		return err
	}
	r.expect = 1
	r.messages, err = r.consumer.Messages(
		jetstream.PullMaxMessages(prefetch), jetstream.PullHeartbeat(heartbeat),
		jetstream.PullExpiry(30*time.Second), jetstream.WithMessagesErrOnMissingHeartbeat(true))
	if err == nil {
		r.unwatch = r.watch(r.messages)
	}
	return err
}

// watch ends messages when the connection was lost and is there again: the
// server may have forgotten the consumer, and would only be missed by its
// heartbeats, seconds later.
func (r *Reader) watch(messages jetstream.MessagesContext) (stop func()) {
	restored := r.bus.conn.StatusChanged(nats.CONNECTED)
	go func() {
		for range restored {
			messages.Stop()
		}
	}()
	return func() { r.bus.conn.RemoveStatusListener(restored) }
}

// Position is the sequence of the last message that Next gave, or what the
// reader began after.
func (r *Reader) Position() uint64 { return r.last.Load() }

// Missed counts the sequences that the stream no longer had when their turn
// came: messages that expired unread, or that somebody deleted.
func (r *Reader) Missed() uint64 { return r.missed.Load() }

// Pending is how many sequences of the stream are not read yet. It asks the
// server.
func (r *Reader) Pending(ctx context.Context) (uint64, error) {
	st, err := r.bus.State(ctx, r.stream)
	if err != nil {
		return 0, err
	}
	return st.Last - min(st.Last, r.Position()), nil
}

// Close gives the reader's resources back; a Next that waits returns. It is
// safe to call twice, but not beside Next unless Next's ctx is done.
func (r *Reader) Close(ctx context.Context) {
	if r.closed.CompareAndSwap(false, true) {
		r.release(ctx)
	}
}

func (r *Reader) release(ctx context.Context) {
	if r.messages != nil {
		r.unwatch()
		r.messages.Stop()
		r.messages = nil
	}
	if r.consumer == nil {
		return
	}
	if s, err := r.bus.stream(r.stream); err == nil && r.bus.conn.IsConnected() {
		r.bus.drop(ctx, s, r.consumer.CachedInfo().Name)
	}
	r.consumer = nil
}

func pause(ctx context.Context, wait time.Duration) error {
	if wait == 0 {
		return nil
	}
	t := time.NewTimer(wait)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
