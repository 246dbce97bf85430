package action

import (
	"context"
	"encoding/json"
	"errors"
	"strings"
	"testing"

	"github.com/firebreak-io/firebreak/internal/event"
	"github.com/firebreak-io/firebreak/respond/notify"
)

func webhookRun() Request {
	r := podRequest("run1/tell", "web-1", "u1")
	r.Run = event.Run{
		ID: "run1", Playbook: "contain", Created: noon, State: event.RunRunning, Mode: event.ModeAct,
		Incident: event.Incident{ID: "i1", Priority: event.SeverityCritical},
		Finding:  event.Finding{ID: "f1", Title: strings.Repeat("x", 5000) + "\xff", Rule: "shell", Severity: event.SeverityHigh},
		Steps:    make([]event.Step, 500),
	}
	r.Run.Steps[0] = event.Step{Name: "isolate", Action: podQuarantine, State: event.StepDone, Receipt: &event.Receipt{Result: event.ResultPartial}}
	return r
}

// box is an outbox that keeps what it is given, and a receiver that is given it.
type box struct {
	list []notify.Message
	err  error
}

func (b *box) Put(_ context.Context, m notify.Message) error {
	b.list = append(b.list, m)
	return b.err
}

func (b *box) Send(ctx context.Context, m notify.Message) error { return b.Put(ctx, m) }

func TestWebhook(t *testing.T) {
	stored, sent := &box{}, &box{}
	d := Deps{Receivers: notify.Receivers{"ops": {Name: "ops", Kind: notify.WebhookKind, Notifier: sent}}, Outbox: stored}
	w := build(t, notifyWebhook, d, &WebhookConfig{Webhook: "ops"})
	r := webhookRun()
	p, err := w.Plan(t.Context(), r)
	if err != nil {
		t.Fatal(err)
	}
	done, err := w.Do(t.Context(), r, p)
	if err != nil || done.Result != event.ResultQueued || len(sent.list) != 0 || len(stored.list) != 1 {
		t.Fatal(done, err, stored.list)
	}
	m := stored.list[0]
	if m.Receiver != "ops" || m.Key != "run1/tell" || m.Incident != "i1" || m.Run != "run1" || m.Step != "tell" || m.Op != notify.Trigger {
		t.Errorf("%+v", m)
	}
	if n := m.Notice; n.Severity != event.SeverityCritical || len(n.Steps) != maxLines || n.Steps[0] != "isolate (pod.quarantine): done, partial" || len(n.Title) > maxText {
		t.Errorf("%+v", n)
	}
	var said Payload
	if err := json.Unmarshal(m.Body, &said); err != nil {
		t.Fatal(err)
	}
	if said.Run != "run1" || len(said.Steps) != maxSteps || said.Steps[0].Result != event.ResultPartial || len(said.Finding.Title) > maxText {
		t.Errorf("%+v", said)
	}
	stored.err = errors.New("the store is away")
	if _, err := w.Do(t.Context(), r, p); !errors.Is(err, stored.err) {
		t.Errorf("a message that is not stored: %v", err)
	}
	// Without an outbox it is sent at once.
	d.Outbox = nil
	w = build(t, notifyWebhook, d, &WebhookConfig{Webhook: "ops"})
	if done, err = w.Do(t.Context(), r, p); err != nil || done.Result != event.ResultSent || len(sent.list) != 1 {
		t.Error(done, err)
	}
	sent.err = errors.New("answered 500")
	if _, err := w.Do(t.Context(), r, p); !errors.Is(err, sent.err) {
		t.Error(err)
	}
	if _, err := w.Undo(t.Context(), r, done, ""); !errors.Is(err, ErrIrreversible) {
		t.Error(err)
	}
}

func TestWebhookConfig(t *testing.T) {
	k, _ := Lookup(notifyWebhook)
	d := Deps{Receivers: notify.Receivers{"ok": {Kind: notify.WebhookKind}, "mail": {Kind: "email"}}}
	for name, good := range map[string]bool{"ok": true, "mail": false, "unknown": false, "": false} {
		if _, err := k.New(d, &WebhookConfig{Webhook: name}); (err == nil) != good {
			t.Errorf("%q: %v", name, err)
		}
	}
}
