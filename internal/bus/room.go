package bus

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/nats-io/nats.go/jetstream"
)

// EVENTS refuses what it has no room for, rather than push the oldest out: the
// server can't know what was read. Whoever publishes makes room, of what every
// reader is done with and of nothing else.

// roomShare is the part of the stream that is made free at a time.
const roomShare = 20

// codeNotStored is the server's answer when a bound of the stream forbids to
// store, among others.
const codeNotStored = 10077

// isFull says that the stream refused a message for its size in all.
func isFull(err error) bool {
	var api *jetstream.APIError
	return errors.As(err, &api) && api.ErrorCode == codeNotStored && strings.Contains(api.Description, "maximum bytes exceeded")
}

// publishEvent publishes to EVENTS, and makes room for it if need be.
func (b *Bus) publishEvent(ctx context.Context, publish func() (uint64, error)) (uint64, error) {
	for {
		sequence, err := publish()
		if !errors.Is(err, ErrUnread) {
			return sequence, err
		}
		if err := b.makeRoom(ctx); err != nil {
			return 0, err
		}
	}
}

// makeRoom drops the oldest messages of EVENTS that every reader is done with,
// about a twentieth of the stream. Without any it returns [ErrUnread].
func (b *Bus) makeRoom(ctx context.Context) error {
	b.room.Lock()
	defer b.room.Unlock()
	p, err := b.progress(ctx)
	if err != nil {
		return fmt.Errorf("make room: %w", err)
	}
	if p.Messages == 0 || p.Read < p.First {
		return ErrUnread
	}
	s, err := b.stream(Events)
	if err != nil {
		return fmt.Errorf("make room: %w", err)
	}
	average := max(1, p.Bytes/p.Messages)
	n := max(1, p.MaxBytes/roomShare/average)
	if err := s.Purge(ctx, jetstream.WithPurgeSequence(min(p.First+n, p.Read+1))); err != nil {
		return fmt.Errorf("make room: %w", err)
	}
	b.opts.Logger.DebugContext(ctx, "made room for events", "frames", min(n, p.Read+1-p.First))
	return nil
}
