package notify

import (
	"context"
	"iter"
	"time"

	"github.com/firebreak-io/firebreak/internal/bus"
	"github.com/firebreak-io/firebreak/internal/event"
)

// Store is where messages wait and where it stands how they fared: the streams
// OUTBOX and SENT. Its errors are those of package bus. [On] is the one.
type Store interface {
	Create(ctx context.Context, subject string, data []byte) (uint64, error)
	Append(ctx context.Context, subject string, data []byte, last uint64) (uint64, error)
	Last(ctx context.Context, subject string) (bus.Message, error)
	First(ctx context.Context, filter string) (bus.Message, error)
	LastPerSubject(ctx context.Context, filter string) iter.Seq2[bus.Message, error]
	Subjects(ctx context.Context, filter string) (map[string]uint64, error)
	Dead(ctx context.Context, r event.Rejected) error
	// Queue gives what waits for a receiver, one by one.
	Queue(ctx context.Context, receiver string) (Queue, error)
}

// Queue gives messages one by one, each in one hand at a time.
type Queue interface {
	// Take waits for a message that is due, until ctx is done.
	Take(ctx context.Context) (Taken, error)
}

// Taken is a message in somebody's hands: until it is acknowledged, given back,
// or kept for too long.
type Taken interface {
	Stored() bus.Message
	Ack(ctx context.Context) error
	Retry(delay time.Duration) error
}

// held is for how long a message may be in somebody's hands: then it is due
// again, since its taker died.
const held = 20 * time.Second

// On is the store on the streams.
func On(b *bus.Bus) Store { return streams{b} }

type streams struct{ *bus.Bus }

func (s streams) Queue(ctx context.Context, receiver string) (Queue, error) {
	q, err := s.Bus.Queue(ctx, bus.Outbox, "notify-"+receiver, bus.SubjectOutbox(receiver, "*", "*"), held)
	return queue{q}, err
}

// Subjects is asked as deliverers begin.
func (s streams) Subjects(ctx context.Context, filter string) (all map[string]uint64, err error) {
	err = s.Begin(ctx, "look for messages", func(ctx context.Context) error {
		all, err = s.Bus.Subjects(ctx, filter)
		return err
	})
	return all, err
}

type queue struct{ *bus.Queue }

func (q queue) Take(ctx context.Context) (Taken, error) {
	d, err := q.Queue.Take(ctx)
	return taken{d}, err
}

type taken struct{ bus.Delivery }

func (t taken) Stored() bus.Message { return t.Message }
