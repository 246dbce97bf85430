package notify

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/firebreak-io/firebreak/internal/bus"
	"github.com/firebreak-io/firebreak/internal/event"
	"github.com/firebreak-io/firebreak/internal/telemetry"
)

// The patience with one message.
const (
	minBackoff = 5 * time.Second
	maxBackoff = 2 * time.Minute
	// settle is how soon a message looks again whether the one before it is
	// through.
	settle = 200 * time.Millisecond
	// maxBack is for how long a message is given back at most: clocks jump.
	maxBack = 10 * time.Minute
	// maxError bounds what is kept of an error, in bytes.
	maxError = 300
)

// attempt is one message in our hands.
type attempt struct {
	*lane
	taken Taken
	since time.Time
	m     Message
	// d is how it fares, by the record of sequence last.
	d    event.Delivery
	last uint64
	// sent says that it was tried.
	sent bool
	// turn is ours while we page for several.
	turn turn
}

// deliver sees to one message. What goes wrong with the store leaves the message
// as it is: it is due again.
func (l *lane) deliver(ctx context.Context, t Taken, since time.Time) {
	a := &attempt{lane: l, taken: t, since: since}
	if err := a.see(ctx); err != nil {
		l.Logger.WarnContext(ctx, "a message is tried again later", "receiver", l.to.Name, "key", telemetry.Tame(a.m.Key, maxKey), "error", err)
	}
	if !a.sent {
		l.pace.back()
	}
}

func (a *attempt) see(ctx context.Context) error {
	stored := a.taken.Stored()
	if err := json.Unmarshal(stored.Data, &a.m); err != nil {
		return a.bury(ctx, fmt.Sprintf("it can't be read: %v", err))
	}
	err := a.look(ctx)
	if err != nil {
		return err
	}
	now := a.Outbox.clock()
	switch {
	case a.d.State.Over():
		return a.taken.Ack(ctx)
	case a.m.NotBefore.After(now):
		return a.back(a.m.NotBefore.Sub(now))
	case a.m.Escalation:
		who, answered, err := a.Outbox.answer(ctx, a.m.Incident)
		if err != nil {
			return err
		}
		if answered {
			return a.end(ctx, event.DeliveryDropped, "not needed: "+cmp.Or(who.By, "it is over"))
		}
	}
	switch {
	case !now.Before(a.m.Expires):
		return a.bury(ctx, "it does not matter any more: "+cmp.Or(a.d.Error, "nothing could be sent in its time"))
	case a.d.Next.After(now):
		return a.back(a.d.Next.Sub(now))
	}
	if wait, err := a.earlier(ctx, stored); err != nil || wait > 0 {
		return errors.Join(err, a.back(max(wait, settle)))
	}
	if time.Since(a.since) > held/4 {
		return nil // we were stopped for so long that somebody else may have it
	}
	if a.to.Limits.Group <= 0 || !a.m.grouped() {
		return a.send(ctx, nil)
	}
	wait, err := a.take(ctx, now)
	if err != nil || wait > 0 {
		return errors.Join(err, a.back(max(wait, settle)))
	}
	defer func() { a.give(context.WithoutCancel(ctx), false) }()
	if err := a.look(ctx); err != nil || a.d.State.Over() {
		return errors.Join(err, a.back(settle)) // it went with another one meanwhile
	}
	with, err := a.company(ctx, now)
	if err != nil {
		return errors.Join(err, a.back(settle))
	}
	return a.send(ctx, with)
}

// look reads how the message fares.
func (a *attempt) look(ctx context.Context) (err error) {
	a.d, a.last, err = a.Outbox.status(ctx, a.m)
	if errors.Is(err, bus.ErrNotFound) {
		a.d, a.last, err = a.m.delivery(a.to.Kind), 0, nil
	}
	return err
}

// earlier says how long to wait for a message about the same that was put
// before this one.
func (a *attempt) earlier(ctx context.Context, own bus.Message) (time.Duration, error) {
	first, err := a.Outbox.store.First(ctx, bus.SubjectOutbox(a.m.Receiver, a.m.about(), "*"))
	if errors.Is(err, bus.ErrNotFound) || err == nil && first.Sequence >= own.Sequence {
		return 0, nil
	}
	if err != nil {
		return 0, err
	}
	var m Message
	if err := json.Unmarshal(first.Data, &m); err != nil {
		return settle, nil
	}
	d, _, err := a.Outbox.status(ctx, m)
	if err != nil && !errors.Is(err, bus.ErrNotFound) {
		return 0, err
	}
	return max(d.Next.Sub(a.Outbox.clock()), 0) + settle, nil
}

// send sends the message, and in it those that go with it.
func (a *attempt) send(ctx context.Context, with []member) error {
	limited, cancel := context.WithTimeout(ctx, a.timeout)
	defer cancel()
	a.sent = true
	err := a.to.Notifier.Send(limited, together(a.m, with))
	var refused *Refused
	var later *Later
	switch {
	case err == nil:
		a.went(false, 0)
		a.d.Attempts++
		a.wentWith(ctx, with)
		return a.end(ctx, event.DeliveryDelivered, "")
	case errors.As(err, &refused):
		a.went(false, 0) // it is there, and answers
		a.d.Attempts++
		return a.bury(ctx, err.Error())
	}
	wait := backoff(a.d.Attempts+1, minBackoff, maxBackoff)
	if errors.As(err, &later) {
		a.went(true, later.After)
		wait = max(wait, min(later.After, maxLater))
	} else {
		a.went(true, 0)
	}
	now := a.Outbox.clock()
	a.d.State, a.d.Error, a.d.Updated = event.DeliveryRetrying, telemetry.Tame(err.Error(), maxError), now
	a.d.Attempts++
	if a.d.Next = now.Add(wait); a.d.Next.After(a.m.Expires) {
		a.d.Next = a.m.Expires
	}
	a.Metrics.Notified(ctx, a.to.Kind, string(event.DeliveryRetrying))
	a.Logger.WarnContext(ctx, "a message was not taken", "receiver", a.to.Name, "key", telemetry.Tame(a.m.Key, maxKey), "attempts", a.d.Attempts, "next", a.d.Next, "error", a.d.Error)
	if err := a.Outbox.note(ctx, a.m, a.d, a.last); err != nil {
		return err
	}
	return a.back(a.d.Next.Sub(now))
}

// back gives the message back until later.
func (a *attempt) back(wait time.Duration) error {
	return a.taken.Retry(min(max(wait, 0), maxBack))
}

// bury gives the message up: it becomes a dead letter, and an alarm.
func (a *attempt) bury(ctx context.Context, reason string) error {
	reason = telemetry.Tame(reason, maxError)
	rejected := event.Rejected{
		Source: event.SourceControl, From: "message to " + a.to.Name, Reason: telemetry.Tame(a.m.Key, maxKey) + ": " + reason, Data: a.taken.Stored().Data,
	}
	if err := a.Outbox.store.Dead(ctx, rejected); err != nil {
		return err
	}
	if a.m.check() != nil {
		a.Metrics.Notified(ctx, a.to.Kind, string(event.DeliveryDead))
		return a.taken.Ack(ctx) // there is nothing to note it by
	}
	return a.end(ctx, event.DeliveryDead, reason)
}

// end notes the end of a message and takes it out of the outbox. The note comes
// first: without it the message could be sent again. Where the store is away it
// is tried for as long as the message is in our hands.
func (a *attempt) end(ctx context.Context, state event.DeliveryState, reason string) error {
	ctx, cancel := context.WithDeadline(ctx, a.since.Add(held+10*time.Second))
	defer cancel()
	a.d.State, a.d.Error, a.d.Next, a.d.Updated = state, reason, time.Time{}, a.Outbox.clock()
	for wait := 100 * time.Millisecond; ; wait *= 2 {
		err := a.Outbox.note(ctx, a.m, a.d, a.last)
		if err == nil {
			break
		}
		if sleep(ctx, wait) != nil {
			return err
		}
		if done, err := a.again(ctx); done || err != nil && ctx.Err() != nil {
			return err
		}
	}
	a.told(ctx)
	return a.taken.Ack(ctx)
}

// again reads what stands there when a note could not be written: our own note
// whose answer was lost, somebody else's, or the one before.
func (a *attempt) again(ctx context.Context) (done bool, err error) {
	theirs, last, err := a.Outbox.status(ctx, a.m)
	switch {
	case errors.Is(err, bus.ErrNotFound):
		a.last = 0
	case err != nil:
		return false, err
	case theirs.State.Over():
		a.told(ctx)
		return true, a.taken.Ack(ctx)
	default:
		a.last = last
	}
	return false, nil
}

// told counts and logs the end of a message.
func (a *attempt) told(ctx context.Context) {
	a.Metrics.Notified(ctx, a.to.Kind, string(a.d.State))
	log := []any{"receiver", a.to.Name, "key", telemetry.Tame(a.m.Key, maxKey), "attempts", a.d.Attempts, "after", a.d.Updated.Sub(a.m.Created).String()}
	if a.d.State != event.DeliveryDead {
		a.Logger.InfoContext(ctx, "message "+string(a.d.State), log...)
		return
	}
	a.Logger.ErrorContext(ctx, "a message could not be delivered and is given up", append(log, "error", a.d.Error)...)
	if a.Alarm != nil {
		a.Alarm(ctx, a.d)
	}
}
