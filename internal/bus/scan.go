package bus

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"time"

	"github.com/nats-io/nats.go/jetstream"
)

// prefetch is how many messages travel ahead: a megabyte each at most.
const prefetch = 32

// heartbeat is how often the server says that it has nothing new; a reader
// that hears nothing for twice as long asks again.
const heartbeat = time.Second

// scanHeartbeat is the same for a scan: a server under a storm may take its
// time, and asking again costs it more.
const scanHeartbeat = 2 * time.Second

// scan yields what a stream holds now, in stream order, and ends.
func (b *Bus) scan(ctx context.Context, name Stream, filter string, policy jetstream.DeliverPolicy) iter.Seq2[Message, error] {
	return b.scanFrom(ctx, name, jetstream.ConsumerConfig{FilterSubject: filter, DeliverPolicy: policy})
}

// maxScans is how often a scan in a row begins anew without having got on.
const maxScans = 10

// scanFrom is scan of what from selects. The server may be too busy to say
// anything for a while, or forget the consumer with the connection: then another
// one goes on where that stopped.
func (b *Bus) scanFrom(ctx context.Context, name Stream, from jetstream.ConsumerConfig) iter.Seq2[Message, error] {
	from.AckPolicy, from.MemoryStorage, from.Replicas, from.InactiveThreshold = jetstream.AckNonePolicy, true, 1, time.Minute
	return func(yield func(Message, error) bool) {
		fail := func(err error) { yield(Message{}, fmt.Errorf("read %s of %s: %w", from.FilterSubject, name, err)) }
		s, err := b.stream(name)
		if err != nil {
			fail(err)
			return
		}
		last, failed := uint64(0), 0
		for wait := 50 * time.Millisecond; ; wait = min(2*wait, 2*time.Second) {
			on := true
			before := last
			err := b.scanOnce(ctx, s, from, func(m Message) bool {
				if m.Sequence <= last {
					return true // it was given already
				}
				last = m.Sequence
				on = yield(m, nil)
				return on
			})
			if failed++; last > before {
				failed = 0
			}
			switch {
			case err == nil || !on:
				return
			case ctx.Err() != nil || b.closed.Load() || failed >= maxScans || errors.Is(err, jetstream.ErrStreamNotFound):
				fail(err)
				return
			}
			b.opts.Logger.WarnContext(ctx, "reading on", "stream", name, "after", last, "error", err)
			if err := pause(ctx, wait); err != nil {
				fail(err)
				return
			}
		}
	}
}

// scanOnce yields until nothing is pending, or yield wants no more.
func (b *Bus) scanOnce(ctx context.Context, s jetstream.Stream, from jetstream.ConsumerConfig, yield func(Message) bool) error {
	asked, cancel := context.WithTimeout(ctx, requestTimeout)
	defer cancel()
	consumer, err := s.CreateConsumer(asked, from)
	if err != nil {
		return err
	}
	info := consumer.CachedInfo()
	defer b.drop(ctx, s, info.Name)
	if info.NumPending == 0 {
		return nil
	}
	return drain(ctx, consumer, yield)
}

// drain yields until the consumer has nothing pending, or yield wants no
// more.
func drain(ctx context.Context, consumer jetstream.Consumer, yield func(Message) bool) error {
	messages, err := consumer.Messages(
		jetstream.PullMaxMessages(prefetch), jetstream.PullHeartbeat(scanHeartbeat), jetstream.PullExpiry(30*time.Second),
		jetstream.WithMessagesErrOnMissingHeartbeat(true))
	if err != nil {
		return err
	}
	defer messages.Stop()
	for next := uint64(1); ; next++ {
		msg, err := messages.Next(jetstream.NextContext(ctx))
		if err != nil {
			return err
		}
		meta, err := msg.Metadata()
		if err != nil {
			return err
		}
		if meta.Sequence.Consumer != next {
			return fmt.Errorf("lost the connection in between: message %d came as %d", next, meta.Sequence.Consumer)
		}
		if !yield(fromMsg(msg, meta)) || meta.NumPending == 0 {
			return nil
		}
	}
}

// drop deletes a consumer that is not needed any more, also when ctx is
// done. The server would do it itself a minute later.
func (b *Bus) drop(ctx context.Context, s jetstream.Stream, name string) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 2*time.Second)
	defer cancel()
	if err := s.DeleteConsumer(ctx, name); err != nil {
		b.opts.Logger.DebugContext(ctx, "delete consumer", "consumer", name, "error", err)
	}
}
