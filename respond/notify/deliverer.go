package notify

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/firebreak-io/firebreak/internal/bus"
	"github.com/firebreak-io/firebreak/internal/event"
	"github.com/firebreak-io/firebreak/internal/telemetry"
)

// Deliverer sends what waits in the outbox. Several may work on one store: each
// message is in one hand at a time. Make one with its fields set and call
// [Deliverer.Run] once.
type Deliverer struct {
	Outbox  *Outbox
	Metrics *telemetry.Metrics
	Logger  *slog.Logger
	// Alarm, if set, is told of each message that is given up.
	Alarm func(ctx context.Context, d event.Delivery)
}

// Run sends until ctx ends. It returns an error only when it can't begin, see
// [bus.Bus.Begin].
func (d *Deliverer) Run(ctx context.Context) error {
	group, ctx := errgroup.WithContext(ctx)
	for _, r := range d.Outbox.receivers {
		if err := d.start(ctx, group, r); err != nil {
			return errors.Join(err, ended(group, err))
		}
	}
	// What waits for a receiver that the config does not have any more must not
	// lie there for ever.
	names, err := d.forgotten(ctx)
	if err != nil {
		return errors.Join(err, ended(group, err))
	}
	for _, name := range names {
		d.Logger.WarnContext(ctx, "messages wait for a receiver that is not in the config; they are given up in their time", "receiver", name)
		r := &Receiver{Name: name, Kind: unknown, Notifier: nobody{}, Limits: Limits{Parallel: 1}}
		if err := d.start(ctx, group, r); err != nil {
			return errors.Join(err, ended(group, err))
		}
	}
	<-ctx.Done()
	return group.Wait()
}

// ended ends a group for a reason, and waits for it.
func ended(group *errgroup.Group, reason error) error {
	group.Go(func() error { return reason })
	if err := group.Wait(); !errors.Is(err, reason) {
		return err
	}
	return nil
}

func (d *Deliverer) start(ctx context.Context, group *errgroup.Group, r *Receiver) error {
	q, err := d.Outbox.store.Queue(ctx, r.Name)
	if err != nil {
		return fmt.Errorf("send to %s: %w", r.Name, err)
	}
	l := newLane(d, r, q)
	group.Go(func() error { return l.run(ctx) })
	return nil
}

// forgotten are receivers for which something waits and that are not in the
// config.
func (d *Deliverer) forgotten(ctx context.Context) ([]string, error) {
	subjects, err := d.Outbox.store.Subjects(ctx, bus.SubjectOutbox("*", "*", "*"))
	if err != nil {
		return nil, fmt.Errorf("look for messages: %w", err)
	}
	known := map[string]bool{}
	var names []string
	for subject := range subjects {
		parts := strings.Split(subject, ".")
		if len(parts) < 2 || known[parts[1]] || d.Outbox.receivers[parts[1]] != nil {
			continue
		}
		known[parts[1]] = true
		names = append(names, parts[1])
	}
	return names, nil
}

// unknown is the kind of what is not in the config.
const unknown = "unknown"

// nobody stands in for a receiver that is not in the config: it may be put back
// in time.
type nobody struct{}

func (nobody) Send(context.Context, Message) error {
	return &Later{time.Minute, errors.New("this receiver is not in the config")}
}
