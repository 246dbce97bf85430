package notify

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/firebreak-io/firebreak/internal/bus"
	"github.com/firebreak-io/firebreak/internal/event"
)

// Follower tells the receivers of pages how it goes on: that somebody decided on
// a run of the incident, and that the incident is over. It goes by the streams
// alone, so that nothing is forgotten over a crash. Several may work on one
// store. Make one with its fields set and call [Follower.Run] once.
type Follower struct {
	Outbox *Outbox
	Bus    *bus.Bus
	Logger *slog.Logger
}

// Run follows until ctx ends. It returns an error only when it can't begin, see
// [bus.Bus.Begin].
func (f *Follower) Run(ctx context.Context) error {
	group, ctx := errgroup.WithContext(ctx)
	for stream, see := range map[bus.Stream]func(context.Context, bus.Message) error{bus.Incidents: f.incident, bus.Inputs: f.input} {
		c, err := f.Bus.Consume(ctx, stream, "notify-"+strings.ToLower(string(stream)), "", 0)
		if err != nil {
			return errors.Join(err, ended(group, err))
		}
		group.Go(func() error {
			defer c.Close()
			return f.follow(ctx, c, see)
		})
	}
	return group.Wait()
}

func (f *Follower) follow(ctx context.Context, c *bus.Consumer, see func(context.Context, bus.Message) error) error {
	for {
		d, err := c.Next(ctx)
		if err != nil {
			if ctx.Err() != nil {
				return nil
			}
			return fmt.Errorf("follow incidents: %w", err)
		}
		if err = see(ctx, d.Message); err == nil {
			err = d.Ack(ctx)
		} else {
			err = errors.Join(err, d.Retry(time.Second))
		}
		if err != nil && ctx.Err() == nil {
			f.Logger.WarnContext(ctx, "receivers are told later how an incident goes on", "subject", d.Subject, "error", err)
		}
	}
}

// incident looks at a record of an incident.
func (f *Follower) incident(ctx context.Context, m bus.Message) error {
	var in event.Incident
	if err := json.Unmarshal(m.Data, &in); err != nil {
		return nil // the responder, whose record it is, complains
	}
	if in.Verdict != "" || in.State.Over() {
		if err := f.Outbox.Answered(ctx, in.ID, in.VerdictBy); err != nil {
			return err
		}
	}
	if !in.State.Over() {
		return nil
	}
	return f.tell(ctx, in.ID, Resolve, Notice{
		Title: fmt.Sprintf("Incident is %s: %s", in.State, strings.Join(in.Rules, ", ")), Severity: in.Priority, Target: in.Subject,
	})
}

// input looks at what somebody said to a run.
func (f *Follower) input(ctx context.Context, m bus.Message) error {
	var in event.Input
	if err := json.Unmarshal(m.Data, &in); err != nil {
		return nil // as above
	}
	switch in.Kind {
	case event.InputAcknowledge:
		return f.acknowledged(ctx, in)
	case event.InputVote, event.InputUndo, event.InputExtend, event.InputKeep:
	default:
		return nil
	}
	found, err := f.Bus.Last(ctx, bus.SubjectRun(in.Run))
	if errors.Is(err, bus.ErrNotFound) {
		return nil
	}
	if err != nil {
		return err
	}
	var run event.Run
	if err := json.Unmarshal(found.Data, &run); err != nil || run.Incident.ID == "" {
		return nil
	}
	by := in.User
	if in.Vote != nil && by == "" {
		by = in.Vote.User
	}
	if err := f.Outbox.Answered(ctx, run.Incident.ID, by); err != nil {
		return err
	}
	return f.tell(ctx, run.Incident.ID, Acknowledge, Notice{
		Title: by + " sees to it: " + run.Finding.Title, Severity: run.Incident.Priority, Target: run.Target,
	})
}

// acknowledged tells that somebody sees to an incident.
func (f *Follower) acknowledged(ctx context.Context, order event.Input) error {
	found, err := f.Bus.Last(ctx, bus.SubjectIncident(order.Run))
	if errors.Is(err, bus.ErrNotFound) {
		return nil
	}
	if err != nil {
		return err
	}
	var in event.Incident
	if err := json.Unmarshal(found.Data, &in); err != nil || in.State.Over() {
		return nil
	}
	if err := f.Outbox.Answered(ctx, in.ID, order.User); err != nil {
		return err
	}
	return f.tell(ctx, in.ID, Acknowledge, Notice{
		Title: order.User + " sees to it: " + strings.Join(in.Rules, ", "), Text: order.Reason, Severity: in.Priority, Target: in.Subject,
	})
}

// tell tells those who were paged about an incident, once each.
func (f *Follower) tell(ctx context.Context, incident string, op Op, n Notice) error {
	list, err := f.Outbox.Deliveries(ctx, incident)
	if err != nil {
		return err
	}
	var told []string
	for _, d := range list {
		kind, _ := Lookup(d.Kind)
		waits := d.Escalation && d.State == event.DeliveryQueued || d.State == event.DeliveryDropped || d.State == event.DeliveryDead
		if !kind.Follows || !d.Page || d.Op != string(Trigger) || waits || slices.Contains(told, d.Receiver) || f.Outbox.receivers[d.Receiver] == nil {
			continue
		}
		told = append(told, d.Receiver)
		about := incident
		if len(d.With) > 0 {
			if due, err := f.groupDue(ctx, d, op); err != nil {
				return err
			} else if !due {
				continue
			}
			about = d.As
		}
		m := Message{Receiver: d.Receiver, Key: about + "/" + string(op), Incident: about, Op: op, Notice: n}
		if err := f.Outbox.Put(ctx, m); err != nil {
			return err
		}
	}
	return nil
}
