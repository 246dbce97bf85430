package bus

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/nats-io/nats.go/jetstream"
)

// Queue takes messages of a stream one by one under a durable name, and none
// ahead: what was taken is in the hands of whoever sends it, and in no buffer.
// Several processes, and several goroutines, may take from one name at a time;
// each message is in one hand only until it is due again.
type Queue struct {
	bus    *Bus
	stream Stream
	config jetstream.ConsumerConfig

	mu   sync.Mutex
	made jetstream.Consumer
}

// takeWait is for how long the server holds one request for a message.
const takeWait = 5 * time.Second

// Queue opens the durable consumer of that name on the subjects of filter, and
// makes it if need be: it then begins with the oldest message. What was taken
// and neither acknowledged nor given back is due again after held, however
// often. (The server's list of growing waits is not used: it would be added to
// the delay with which a message is given back.)
func (b *Bus) Queue(ctx context.Context, stream Stream, durable, filter string, held time.Duration) (*Queue, error) {
	q := &Queue{bus: b, stream: stream, config: jetstream.ConsumerConfig{
		Durable: durable, FilterSubject: filter, DeliverPolicy: jetstream.DeliverAllPolicy,
		AckPolicy: jetstream.AckExplicitPolicy, MaxDeliver: -1, AckWait: held,
		// What was given back until later counts as taken; it must not keep the
		// rest from being taken.
		MaxAckPending: -1,
	}}
	err := b.Begin(ctx, "open queue "+durable, func(ctx context.Context) error {
		_, err := q.consumer(ctx)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("queue %s of %s: %w", durable, stream, err)
	}
	return q, nil
}

// consumer gives the durable consumer, and makes it where it is not known.
func (q *Queue) consumer(ctx context.Context) (jetstream.Consumer, error) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.made != nil {
		return q.made, nil
	}
	s, err := q.bus.stream(q.stream)
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(ctx, requestTimeout)
	defer cancel()
	q.made, err = s.CreateOrUpdateConsumer(ctx, q.config)
	if err != nil {
		q.made = nil
	}
	return q.made, err
}

// forget has the consumer made again: the server may not know it any more.
func (q *Queue) forget() {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.made = nil
}

// Take waits for the next message that is due, until ctx is done. While the
// server is away it goes on trying. It returns ctx's error, or [ErrClosed].
func (q *Queue) Take(ctx context.Context) (Delivery, error) {
	for wait := time.Duration(0); ; {
		d, err := q.take(ctx)
		switch {
		case err == nil:
			return d, nil
		case ctx.Err() != nil:
			return Delivery{}, ctx.Err()
		case q.bus.closed.Load():
			return Delivery{}, fmt.Errorf("take from %s: %w", q.stream, ErrClosed)
		case errors.Is(err, errNone):
			wait = 0
			continue
		}
		q.forget()
		wait = min(max(2*wait, 50*time.Millisecond), 2*time.Second)
		q.bus.opts.Logger.WarnContext(ctx, "taking again", "stream", q.stream, "consumer", q.config.Durable, "error", err)
		if err := pause(ctx, wait); err != nil {
			return Delivery{}, err
		}
	}
}

// errNone: nothing was due.
var errNone = errors.New("nothing is due")

func (q *Queue) take(ctx context.Context) (Delivery, error) {
	consumer, err := q.consumer(ctx)
	if err != nil {
		return Delivery{}, err
	}
	// A request that is given up is withdrawn: else the server would give a
	// message to nobody.
	asking, cancel := context.WithTimeout(ctx, takeWait)
	defer cancel()
	batch, err := consumer.Fetch(1, jetstream.FetchContext(asking), jetstream.FetchHeartbeat(heartbeat))
	if err != nil {
		return Delivery{}, err
	}
	msg, ok := <-batch.Messages()
	if !ok {
		err := batch.Error()
		if err == nil || errors.Is(err, context.DeadlineExceeded) {
			err = errNone
		}
		return Delivery{}, err
	}
	if ctx.Err() != nil {
		_ = msg.Nak() // else it is due by itself
		return Delivery{}, ctx.Err()
	}
	meta, err := msg.Metadata()
	if err != nil {
		return Delivery{}, err
	}
	return Delivery{Message: fromMsg(msg, meta), Attempt: meta.NumDelivered, Waiting: meta.NumPending, msg: msg}, nil
}
