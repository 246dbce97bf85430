package bus

import (
	"context"
	"errors"
	"fmt"
	"iter"

	"github.com/nats-io/nats.go/jetstream"
)

// Last is the newest record of a subject, or [ErrNotFound].
func (b *Bus) Last(ctx context.Context, subject string) (Message, error) {
	s, err := b.literalStream(subject)
	if err != nil {
		return Message{}, fmt.Errorf("read %s: %w", subject, err)
	}
	ctx, cancel := context.WithTimeout(ctx, requestTimeout)
	defer cancel()
	raw, err := s.GetLastMsgForSubject(ctx, subject)
	if err != nil {
		return Message{}, fmt.Errorf("read %s: %w", subject, missing(err))
	}
	return fromRaw(raw), nil
}

// At is the message of a stream at a sequence, or [ErrNotFound].
func (b *Bus) At(ctx context.Context, stream Stream, sequence uint64) (Message, error) {
	s, err := b.stream(stream)
	if err != nil {
		return Message{}, fmt.Errorf("read %s %d: %w", stream, sequence, err)
	}
	ctx, cancel := context.WithTimeout(ctx, requestTimeout)
	defer cancel()
	raw, err := s.GetMsg(ctx, sequence)
	if err != nil {
		return Message{}, fmt.Errorf("read %s %d: %w", stream, sequence, missing(err))
	}
	return fromRaw(raw), nil
}

// History yields all records of one subject, oldest first. It ends after an
// error. It asks the server once a record, without a consumer, so that many
// may run at a time.
func (b *Bus) History(ctx context.Context, subject string) iter.Seq2[Message, error] {
	return func(yield func(Message, error) bool) {
		s, err := b.literalStream(subject)
		if err != nil {
			yield(Message{}, fmt.Errorf("read history of %s: %w", subject, err))
			return
		}
		for next := uint64(1); ; {
			raw, err := nextOf(ctx, s, subject, next)
			if errors.Is(err, jetstream.ErrMsgNotFound) {
				return
			}
			if err != nil {
				yield(Message{}, fmt.Errorf("read history of %s: %w", subject, err))
				return
			}
			if !yield(fromRaw(raw), nil) {
				return
			}
			next = raw.Sequence + 1
		}
	}
}

// First is the oldest message whose subject the filter matches, or
// [ErrNotFound].
func (b *Bus) First(ctx context.Context, filter string) (Message, error) {
	s, err := b.stream(streamOf(filter))
	if err != nil {
		return Message{}, fmt.Errorf("read first of %s: %w", filter, err)
	}
	raw, err := nextOf(ctx, s, filter, 1)
	if err != nil {
		return Message{}, fmt.Errorf("read first of %s: %w", filter, missing(err))
	}
	return fromRaw(raw), nil
}

// Subjects lists the subjects of a stream that hold something and that the
// filter matches, with how many messages each holds.
func (b *Bus) Subjects(ctx context.Context, filter string) (map[string]uint64, error) {
	s, err := b.stream(streamOf(filter))
	if err != nil {
		return nil, fmt.Errorf("list subjects of %s: %w", filter, err)
	}
	ctx, cancel := context.WithTimeout(ctx, requestTimeout)
	defer cancel()
	info, err := b.js.Stream(ctx, s.CachedInfo().Config.Name)
	if err == nil {
		var with *jetstream.StreamInfo
		if with, err = info.Info(ctx, jetstream.WithSubjectFilter(filter)); err == nil {
			return with.State.Subjects, nil
		}
	}
	return nil, fmt.Errorf("list subjects of %s: %w", filter, err)
}

// nextOf is the first record of a subject at or after a sequence.
func nextOf(ctx context.Context, s jetstream.Stream, subject string, from uint64) (*jetstream.RawStreamMsg, error) {
	ctx, cancel := context.WithTimeout(ctx, requestTimeout)
	defer cancel()
	return s.GetMsg(ctx, from, jetstream.WithGetMsgSubject(subject))
}

// LastPerSubject yields the newest record of each subject that the filter
// matches, in stream order. A subject that is written to meanwhile may come
// twice; the later one is the newer. It ends after an error.
func (b *Bus) LastPerSubject(ctx context.Context, filter string) iter.Seq2[Message, error] {
	return b.scan(ctx, streamOf(filter), filter, jetstream.DeliverLastPerSubjectPolicy)
}

// State is how full a stream is.
type State struct {
	First, Last uint64
	Messages    uint64
	Bytes       uint64
}

// State tells how full a stream is.
func (b *Bus) State(ctx context.Context, stream Stream) (State, error) {
	s, err := b.stream(stream)
	if err != nil {
		return State{}, fmt.Errorf("read state of %s: %w", stream, err)
	}
	// Info would write to the shared handle; ask for a fresh one.
	ctx, cancel := context.WithTimeout(ctx, requestTimeout)
	defer cancel()
	info, err := b.js.Stream(ctx, s.CachedInfo().Config.Name)
	if err != nil {
		return State{}, fmt.Errorf("read state of %s: %w", stream, err)
	}
	st := info.CachedInfo().State
	return State{First: st.FirstSeq, Last: st.LastSeq, Messages: st.Msgs, Bytes: st.Bytes}, nil
}

func (b *Bus) literalStream(subject string) (jetstream.Stream, error) {
	if err := literal(subject); err != nil {
		return nil, err
	}
	return b.stream(streamOf(subject))
}

func (b *Bus) stream(name Stream) (jetstream.Stream, error) {
	s, ok := b.streams[name]
	if !ok {
		return nil, fmt.Errorf("no stream %q", name)
	}
	return s, nil
}

func missing(err error) error {
	if errors.Is(err, jetstream.ErrMsgNotFound) {
		return ErrNotFound
	}
	return err
}

func fromRaw(raw *jetstream.RawStreamMsg) Message {
	return Message{
		Subject: raw.Subject, Sequence: raw.Sequence, Data: raw.Data,
		Time: raw.Time.UTC(), Header: headers(raw.Header),
	}
}

func fromMsg(msg jetstream.Msg, meta *jetstream.MsgMetadata) Message {
	return Message{
		Subject: msg.Subject(), Sequence: meta.Sequence.Stream, Data: msg.Data(),
		Time: meta.Timestamp.UTC(), Header: headers(msg.Headers()),
	}
}
