package bus

import (
	"context"
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

// scan yields what a stream holds now, in stream order, and ends.
func (b *Bus) scan(ctx context.Context, name Stream, filter string, policy jetstream.DeliverPolicy) iter.Seq2[Message, error] {
	return b.scanFrom(ctx, name, jetstream.ConsumerConfig{FilterSubject: filter, DeliverPolicy: policy})
}

// scanFrom is scan of what from selects.
func (b *Bus) scanFrom(ctx context.Context, name Stream, from jetstream.ConsumerConfig) iter.Seq2[Message, error] {
	from.AckPolicy, from.MemoryStorage, from.Replicas, from.InactiveThreshold = jetstream.AckNonePolicy, true, 1, time.Minute
	return func(yield func(Message, error) bool) {
		fail := func(err error) { yield(Message{}, fmt.Errorf("read %s of %s: %w", from.FilterSubject, name, err)) }
		s, err := b.stream(name)
		if err != nil {
			fail(err)
			return
		}
		consumer, err := s.CreateConsumer(ctx, from)
		if err != nil {
			fail(err)
			return
		}
		info := consumer.CachedInfo()
		defer b.drop(ctx, s, info.Name)
		if info.NumPending == 0 {
			return
		}
		if err := drain(ctx, consumer, yield); err != nil {
			fail(err)
		}
	}
}

// drain yields until the consumer has nothing pending, or yield wants no
// more.
func drain(ctx context.Context, consumer jetstream.Consumer, yield func(Message, error) bool) error {
	messages, err := consumer.Messages(jetstream.PullMaxMessages(prefetch), jetstream.WithMessagesErrOnMissingHeartbeat(true))
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
		if !yield(fromMsg(msg, meta), nil) || meta.NumPending == 0 {
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
