package bus

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/nats-io/nats.go/jetstream"
)

// readPrefix begins the keys in CTL under which readers of EVENTS keep how far
// they have come.
const readPrefix = "read."

// Progress says how full EVENTS is, and how much of it is still to be read.
type Progress struct {
	State
	// MaxBytes bounds the stream; 0 means that nothing does.
	MaxBytes uint64
	// Read is the sequence up to which every reader has read: 0 when none has
	// ever said so.
	Read uint64
}

// SetRead notes that a reader is done with all of EVENTS up to a sequence: it
// will not ask for it again, and room may be made of it. A reader that was
// noted once counts until [Bus.ForgetReader], also while it does not run.
func (b *Bus) SetRead(ctx context.Context, reader string, sequence uint64) error {
	if _, err := b.Control().Put(ctx, readPrefix+reader, strconv.AppendUint(nil, sequence, 10)); err != nil {
		return fmt.Errorf("note what %s has read: %w", reader, err)
	}
	return nil
}

// ForgetReader is for a reader that will not come again.
func (b *Bus) ForgetReader(ctx context.Context, reader string) error {
	if _, err := b.Control().Put(ctx, readPrefix+reader, nil); err != nil {
		return fmt.Errorf("forget what %s has read: %w", reader, err)
	}
	return nil
}

// Progress tells how full EVENTS is and how far it was read. It asks the
// server some three times.
func (b *Bus) Progress(ctx context.Context) (Progress, error) {
	p, err := b.progress(ctx)
	if err != nil {
		return p, fmt.Errorf("read progress: %w", err)
	}
	return p, nil
}

func (b *Bus) progress(ctx context.Context) (p Progress, err error) {
	ctx, cancel := context.WithTimeout(ctx, requestTimeout)
	defer cancel()
	// First what was read, then how full it is: the reader is never ahead.
	if p.Read, err = b.lowestRead(ctx); err != nil {
		return p, err
	}
	s, err := b.js.Stream(ctx, string(Events))
	if err != nil {
		return p, err
	}
	info := s.CachedInfo()
	p.State = State{First: info.State.FirstSeq, Last: info.State.LastSeq, Messages: info.State.Msgs, Bytes: info.State.Bytes}
	p.MaxBytes = uint64(max(info.Config.MaxBytes, 0))
	// Where the stream was made anew under its readers, nothing of it is read.
	if p.Read > p.Last {
		p.Read = 0
	}
	return p, nil
}

// ReadBy is how far a reader of EVENTS has come.
type ReadBy struct {
	Reader string `json:"reader"`
	// Sequence is the last frame that it is done with.
	Sequence uint64 `json:"sequence"`
}

// Readers are those of EVENTS that were noted and not forgotten, by name.
func (b *Bus) Readers(ctx context.Context) ([]ReadBy, error) {
	ctx, cancel := context.WithTimeout(ctx, requestTimeout)
	defer cancel()
	all, err := b.readers(ctx)
	if err != nil {
		return nil, fmt.Errorf("list readers: %w", err)
	}
	slices.SortFunc(all, func(x, y ReadBy) int { return cmp.Compare(x.Reader, y.Reader) })
	return all, nil
}

// lowestRead is how far the reader has come that is furthest behind.
func (b *Bus) lowestRead(ctx context.Context) (uint64, error) {
	all, err := b.readers(ctx)
	if err != nil || len(all) == 0 {
		return 0, err
	}
	return slices.MinFunc(all, func(x, y ReadBy) int { return cmp.Compare(x.Sequence, y.Sequence) }).Sequence, nil
}

// readers lists the subjects of the bucket, because a consumer each time would
// cost a cluster more.
func (b *Bus) readers(ctx context.Context) ([]ReadBy, error) {
	filter := keyPrefix(control) + readPrefix
	s, err := b.js.Stream(ctx, string(control))
	if err != nil {
		return nil, err
	}
	info, err := s.Info(ctx, jetstream.WithSubjectFilter(filter+">"))
	if err != nil {
		return nil, err
	}
	var all []ReadBy
	for subject := range info.State.Subjects {
		raw, err := s.GetLastMsgForSubject(ctx, subject)
		if errors.Is(err, jetstream.ErrMsgNotFound) {
			continue
		}
		if err != nil {
			return nil, err
		}
		if len(raw.Data) == 0 {
			continue // it was forgotten
		}
		sequence, err := strconv.ParseUint(string(raw.Data), 10, 64)
		if err != nil {
			return nil, fmt.Errorf("key %s: %w", strings.TrimPrefix(subject, keyPrefix(control)), err)
		}
		all = append(all, ReadBy{strings.TrimPrefix(subject, filter), sequence})
	}
	return all, nil
}
