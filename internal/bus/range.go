package bus

import (
	"context"
	"iter"
	"time"

	"github.com/nats-io/nats.go/jetstream"
)

// From says where a reading of [Bus.Range] begins: at a sequence, or, where that
// is 0, at what was stored at a time or later.
type From struct {
	Sequence uint64
	Time     time.Time
}

// Range yields what a stream holds now, from a place on, in stream order, and
// ends. It ends after an error.
func (b *Bus) Range(ctx context.Context, stream Stream, from From) iter.Seq2[Message, error] {
	c := jetstream.ConsumerConfig{DeliverPolicy: jetstream.DeliverAllPolicy}
	switch {
	case from.Sequence > 0:
		c.DeliverPolicy, c.OptStartSeq = jetstream.DeliverByStartSequencePolicy, from.Sequence
	case !from.Time.IsZero():
		c.DeliverPolicy, c.OptStartTime = jetstream.DeliverByStartTimePolicy, &from.Time
	}
	return b.ranging(ctx, stream, from, c)
}

// Heads yields what a stream holds now, in stream order, without the data.
func (b *Bus) Heads(ctx context.Context, stream Stream) iter.Seq2[Message, error] {
	return b.ranging(ctx, stream, From{}, jetstream.ConsumerConfig{DeliverPolicy: jetstream.DeliverAllPolicy, HeadersOnly: true})
}

func (b *Bus) ranging(ctx context.Context, stream Stream, from From, c jetstream.ConsumerConfig) iter.Seq2[Message, error] {
	return func(yield func(Message, error) bool) {
		for m, err := range b.scanFrom(ctx, stream, c) {
			if err == nil && m.Time.Before(from.Time) {
				continue // the server can't count beyond the year 2262
			}
			if !yield(m, err) {
				return
			}
		}
	}
}
