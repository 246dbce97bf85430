package slack

import (
	"context"
	"errors"
	"log/slog"
	"sync/atomic"
	"time"

	"golang.org/x/sync/errgroup"
	"golang.org/x/time/rate"

	"github.com/firebreak-io/firebreak/internal/bus"
)

// Board keeps one message an incident. Run it in the active responder alone.
type Board struct {
	config  Config
	face    face
	client  *Client
	records records
	entries entries
	queue   *queue
	// pace and unheard are by channel; only the writer uses them.
	pace    map[string]*rate.Limiter
	unheard map[string]unheard
	now     func() time.Time
	logger  *slog.Logger
	failing atomic.Pointer[error]
	working func(context.Context, error)
	// every is the pace of a channel, first the wait after a failure.
	every, first time.Duration
}

// Slack takes about one message a second in a channel, and fewer changes; see
// https://docs.slack.dev/apis/web-api/rate-limits.
const (
	writeEvery  = 1200 * time.Millisecond
	maxBackoff  = 30 * time.Second
	firstPause  = time.Second
	digestAbove = 5
)

// Run keeps the messages until ctx ends. It does not end for anything that
// Slack says.
func (b *Board) Run(ctx context.Context) error {
	follow, err := b.records.Changes(ctx)
	if err != nil {
		return err
	}
	group, ctx := errgroup.WithContext(ctx)
	group.Go(func() error { return follow(ctx, func(incident string) { b.queue.add(incident) }) })
	group.Go(func() error { return b.scan(ctx) })
	group.Go(func() error { return b.write(ctx) })
	group.Go(func() error { return b.probe(ctx) })
	return group.Wait()
}

// Ready is an error while Slack can't be reached, or does not know us.
func (b *Board) Ready(context.Context) error {
	if err := b.failing.Load(); err != nil {
		return *err
	}
	return nil
}

// scan queues all incidents that are not over: what changed while nobody was
// here shows when their messages are compared with them. One that is over is
// looked at for a day: its end may not be shown yet.
func (b *Board) scan(ctx context.Context) error {
	for id, err := range b.records.Current(ctx, b.now().Add(-24*time.Hour)) {
		if err != nil {
			return err
		}
		b.queue.add(id)
	}
	return nil
}

// write brings the messages up to date, one after the other. What can't be
// written now is queued again: it is the same message then, only newer.
func (b *Board) write(ctx context.Context) error {
	backoff := b.first
	for {
		ids, err := b.queue.take(ctx)
		if err != nil {
			return err
		}
		err = b.turn(ctx, ids)
		if ctx.Err() != nil {
			return ctx.Err()
		}
		if err == nil {
			backoff = b.first
			b.found(ctx, nil)
			continue
		}
		b.found(ctx, err)
		wait := backoff
		var busy Busy
		if errors.As(err, &busy) {
			wait = max(busy.After, b.first)
		} else {
			backoff = min(2*backoff, maxBackoff)
		}
		b.logger.WarnContext(ctx, "messages in Slack wait", "for", wait, "incidents", b.queue.size(), "error", err)
		if err := pause(ctx, wait); err != nil {
			return err
		}
	}
}

// turn brings some incidents' messages up to date. Those that failed and those
// that were not reached are queued again.
func (b *Board) turn(ctx context.Context, ids []string) error {
	cards, err := b.cards(ctx, ids)
	if err != nil {
		b.queue.add(ids...)
		return err
	}
	cards, err = b.gather(ctx, cards)
	if err != nil {
		b.queue.add(ids...)
		return err
	}
	for i, c := range cards {
		err := b.show(ctx, c)
		if errors.Is(err, bus.ErrConflict) {
			b.queue.add(c.card.Incident.ID) // another wrote it: look again
			continue
		}
		if err != nil {
			for _, rest := range cards[i:] {
				b.queue.add(rest.card.Incident.ID)
			}
			return err
		}
	}
	return nil
}

// allow waits until a channel may be written to.
func (b *Board) allow(ctx context.Context, channel string) error {
	l := b.pace[channel]
	if l == nil {
		l = rate.NewLimiter(rate.Every(b.every), 1)
		b.pace[channel] = l
	}
	return l.Wait(ctx)
}

func pause(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-t.C:
		return nil
	}
}
