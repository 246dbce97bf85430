package bus

import (
	"context"
	"errors"
	"fmt"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/firebreak-io/firebreak/internal/telemetry"
)

// Publish stores a message and returns its sequence once it is on disk. The
// trace context of ctx travels with it. After an error the message may have
// been stored all the same (see [ErrUnknown]): publish again, and let the
// reader drop ids that it has seen.
//
// The wait is bounded by ctx and by ten seconds: an answer that was lost with
// the connection never comes. When the embedded server goes down it ends at
// once, with [ErrUnknown]. While the disk of the embedded server is nearly
// full, events and dead letters get [ErrFull]; the rest is kept for runs and
// findings.
func (b *Bus) Publish(ctx context.Context, subject string, data []byte) (uint64, error) {
	seq, err := b.send(ctx, subject, data)
	if err != nil {
		return 0, fmt.Errorf("publish %s: %w", subject, err)
	}
	return seq, nil
}

// Create stores the first record of a subject. It returns [ErrExists] when
// there is one already, and [ErrUnknown] when no answer came.
func (b *Bus) Create(ctx context.Context, subject string, data []byte) (uint64, error) {
	seq, err := b.send(ctx, subject, data, jetstream.WithExpectLastSequencePerSubject(0))
	if errors.Is(err, ErrConflict) {
		return 0, fmt.Errorf("create %s: %w", subject, ErrExists)
	}
	if err != nil {
		return 0, fmt.Errorf("create %s: %w", subject, err)
	}
	return seq, nil
}

// Append stores the next record of a subject if the newest one still has
// the sequence last. It returns [ErrConflict] when it has not, and
// [ErrUnknown] when no answer came. Records of runs and incidents that come at
// the same time are synced together.
func (b *Bus) Append(ctx context.Context, subject string, data []byte, last uint64) (uint64, error) {
	seq, err := b.sendAfter(ctx, Record{subject, data}, last)
	if err != nil {
		return 0, fmt.Errorf("append %s after %d: %w", subject, last, err)
	}
	return seq, nil
}

// sendAfter stores the next record of a subject, together with others of its
// stream where several come at a time.
func (b *Bus) sendAfter(ctx context.Context, r Record, last uint64) (uint64, error) {
	g := b.groups[streamOf(r.Subject)]
	if g == nil {
		return b.sendAlone(ctx, r, last)
	}
	if err := literal(r.Subject); err != nil {
		return 0, err
	}
	if err := ctx.Err(); err != nil {
		return 0, err
	}
	return g.append(ctx, r, last)
}

func (b *Bus) sendAlone(ctx context.Context, r Record, last uint64) (uint64, error) {
	return b.send(ctx, r.Subject, r.Data, jetstream.WithExpectLastSequencePerSubject(last))
}

func (b *Bus) send(ctx context.Context, subject string, data []byte, opts ...jetstream.PublishOpt) (uint64, error) {
	if err := literal(subject); err != nil {
		return 0, err
	}
	stream := streamOf(subject)
	if stream == "" {
		return 0, fmt.Errorf("%q belongs to no stream", subject)
	}
	if err := ctx.Err(); err != nil {
		return 0, err
	}
	// A server that goes down from here on ends this.
	ctx, done := b.writing(ctx)
	defer done()
	if b.server != nil {
		if err := b.server.admits(stream); err != nil {
			return 0, err
		}
	}
	msg := &nats.Msg{Subject: subject, Data: data, Header: nats.Header{}}
	telemetry.Inject(ctx, msg.Header.Set)
	// The client's own retry could store twice what we would call unknown.
	opts = append(opts, jetstream.WithExpectStream(string(stream)), jetstream.WithRetryAttempts(0))
	publish := func() (uint64, error) {
		ack, err := b.js.PublishMsg(ctx, msg, opts...)
		if err != nil {
			return 0, outcomeOf(ctx, err)
		}
		return ack.Sequence, nil
	}
	if stream == Events {
		return b.publishEvent(ctx, publish)
	}
	return publish()
}
