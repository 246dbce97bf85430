package action

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"

	"github.com/firebreak-io/firebreak/internal/event"
	"github.com/firebreak-io/firebreak/respond/notify"
)

// tell puts a step's message into the outbox: the step is done then, and the
// message's own record says how it fares. Without an outbox it is sent at once.
func tell(ctx context.Context, d Deps, r Request, receiver string, body json.RawMessage) (event.Receipt, error) {
	return put(ctx, d, r, message(r, receiver, body))
}

// put puts a message into the outbox.
func put(ctx context.Context, d Deps, r Request, m notify.Message) (event.Receipt, error) {
	if d.Outbox != nil {
		if err := d.Outbox.Put(ctx, m); err != nil {
			return event.Receipt{}, err
		}
		return receipt(r, event.ResultQueued), nil
	}
	if m.Escalation {
		return event.Receipt{}, errLater
	}
	to, ok := d.Receivers[m.Receiver]
	if !ok || to.Notifier == nil {
		return event.Receipt{}, ErrOffline
	}
	if err := to.Notifier.Send(ctx, m); err != nil {
		return event.Receipt{}, fmt.Errorf("send to %s: %w", m.Receiver, err)
	}
	return receipt(r, event.ResultSent), nil
}

// message is what a step says to a receiver.
func message(r Request, receiver string, body json.RawMessage) notify.Message {
	_, step, _ := strings.Cut(r.Key, "/")
	return notify.Message{
		Receiver: receiver, Key: r.Key, Incident: r.Run.Incident.ID, Run: r.Run.ID, Step: step, Op: notify.Trigger,
		Notice: notice(r), Body: body, Created: r.Now.UTC(),
	}
}

// maxLines bounds the steps that a notice tells of.
const maxLines = 20

// notice says what happened, in words.
func notice(r Request) notify.Notice {
	f := r.Run.Finding
	n := notify.Notice{
		Title: cut(f.Title, maxText), Text: cut(f.Explanation, maxText), Severity: f.Severity, Playbook: r.Run.Playbook,
		Rule: f.Rule + f.Model, Target: r.Target,
	}
	if r.Run.Incident.Priority != "" {
		n.Severity = r.Run.Incident.Priority
	}
	for _, s := range r.Run.Steps[:min(len(r.Run.Steps), maxLines)] {
		line := fmt.Sprintf("%s (%s): %s", s.Name, s.Action, s.State)
		if s.Receipt != nil {
			line += ", " + string(s.Receipt.Result)
		}
		if s.Error != "" {
			line += ": " + s.Error
		}
		n.Steps = append(n.Steps, cut(line, maxText))
	}
	return n
}
