package bus

import (
	"context"
	"fmt"
	"sync/atomic"
	"time"

	"github.com/nats-io/nats.go/jetstream"
)

// Consumer takes messages of a stream under a durable name: the server
// remembers what was acknowledged, and gives the rest again after ackWait.
// One goroutine may use it.
type Consumer struct {
	bus      *Bus
	stream   Stream
	config   jetstream.ConsumerConfig
	messages jetstream.MessagesContext
	closed   atomic.Bool
}

// Consume opens the durable consumer of that name, and makes it if need be:
// it then begins with the oldest message. The filter is a subject pattern,
// "" for all. A message that is not acknowledged within ackWait (0 is 30 s)
// is given again, however often.
func (b *Bus) Consume(ctx context.Context, stream Stream, durable, filter string, ackWait time.Duration) (*Consumer, error) {
	if ackWait == 0 {
		ackWait = 30 * time.Second
	}
	c := &Consumer{bus: b, stream: stream, config: jetstream.ConsumerConfig{
		Durable: durable, FilterSubject: filter, DeliverPolicy: jetstream.DeliverAllPolicy,
		AckPolicy: jetstream.AckExplicitPolicy, AckWait: ackWait, MaxDeliver: -1,
	}}
	if err := b.Begin(ctx, "consume as "+durable, c.open); err != nil {
		return nil, fmt.Errorf("consume %s as %s: %w", stream, durable, err)
	}
	return c, nil
}

// Delivery is a message that waits for its acknowledgement.
type Delivery struct {
	Message
	// Attempt counts the deliveries of this message from 1.
	Attempt uint64
	// Waiting is how many messages were behind this one when it was sent.
	Waiting uint64

	msg jetstream.Msg
}

// Ack tells the server that the message is done with, and waits until the
// server has said that it knows. After an error it may come again.
func (d Delivery) Ack(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, requestTimeout)
	defer cancel()
	if err := d.msg.DoubleAck(ctx); err != nil {
		return fmt.Errorf("acknowledge %s %d: %w", d.Subject, d.Sequence, err)
	}
	return nil
}

// Retry asks for the message again after the delay.
func (d Delivery) Retry(delay time.Duration) error {
	if err := d.msg.NakWithDelay(delay); err != nil {
		return fmt.Errorf("retry %s %d: %w", d.Subject, d.Sequence, err)
	}
	return nil
}

// Next waits for the next message, until ctx is done. While the server is
// away it goes on trying. It returns ctx's error, or [ErrClosed].
func (c *Consumer) Next(ctx context.Context) (Delivery, error) {
	for wait := time.Duration(0); ; wait = min(max(2*wait, 50*time.Millisecond), 2*time.Second) {
		d, err := c.next(ctx)
		switch {
		case err == nil:
			return d, nil
		case ctx.Err() != nil:
			return Delivery{}, ctx.Err()
		case c.closed.Load() || c.bus.closed.Load():
			return Delivery{}, fmt.Errorf("consume %s: %w", c.stream, ErrClosed)
		}
		c.bus.opts.Logger.WarnContext(ctx, "consuming again", "stream", c.stream, "consumer", c.config.Durable, "error", err)
		c.stop()
		if err := pause(ctx, wait); err != nil {
			return Delivery{}, err
		}
	}
}

func (c *Consumer) next(ctx context.Context) (Delivery, error) {
	if c.messages == nil {
		if err := c.open(ctx); err != nil {
			return Delivery{}, err
		}
	}
	msg, err := c.messages.Next(jetstream.NextContext(ctx))
	if err != nil {
		return Delivery{}, err
	}
	meta, err := msg.Metadata()
	if err != nil {
		return Delivery{}, err
	}
	return Delivery{Message: fromMsg(msg, meta), Attempt: meta.NumDelivered, Waiting: meta.NumPending, msg: msg}, nil
}

// open takes one message ahead at most: what waits here in memory would use
// up its ackWait.
func (c *Consumer) open(ctx context.Context) error {
	s, err := c.bus.stream(c.stream)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, requestTimeout)
	defer cancel()
	consumer, err := s.CreateOrUpdateConsumer(ctx, c.config)
	if err != nil {
		return err
	}
	c.messages, err = consumer.Messages(
		jetstream.PullMaxMessages(1), jetstream.PullHeartbeat(heartbeat),
		jetstream.PullExpiry(30*time.Second), jetstream.WithMessagesErrOnMissingHeartbeat(true))
	return err
}

// Close stops taking messages. What was taken and not acknowledged is given
// again, to whoever consumes under the name.
func (c *Consumer) Close() {
	if c.closed.CompareAndSwap(false, true) {
		c.stop()
	}
}

func (c *Consumer) stop() {
	if c.messages != nil {
		c.messages.Stop()
		c.messages = nil
	}
}
