package notify

import (
	"context"
	"encoding/json"
	"log/slog"
	"slices"
	"testing"
	"time"

	"github.com/firebreak-io/firebreak/internal/bus"
	"github.com/firebreak-io/firebreak/internal/event"
)

// Who was paged is told that somebody decides, and that the incident is over;
// who only got a step's body, or was not told yet, is not.
func TestFollower(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), 4*time.Minute)
	defer cancel()
	b, err := bus.Open(ctx, bus.Options{Dir: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = b.Close() })
	to := &people{}
	receivers := Receivers{}
	for _, name := range []string{"oncall", "hook", "lead"} {
		receivers[name] = &Receiver{Name: name, Kind: WebhookKind, Notifier: to}
	}
	o := NewOutbox(On(b), receivers, nil)
	o.Cluster, o.Link = "c", "https://firebreak.example/"
	store := func(subject string, v any) {
		t.Helper()
		data, err := json.Marshal(v)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := b.Publish(ctx, subject, data); err != nil {
			t.Fatal(err)
		}
	}
	const id, run = "0123456789abcdef0123456789abcdef", "fedcba9876543210fedcba9876543210"
	in := event.Incident{ID: id, State: event.IncidentOpen, Rules: []string{"shell"}}
	store(bus.SubjectRun(run), event.Run{ID: run, Incident: in, Finding: event.Finding{Title: "Shell"}})
	for _, m := range []Message{
		{Receiver: "oncall", Key: run + "/page", Incident: id, Run: run, Op: Trigger},
		{Receiver: "hook", Key: run + "/tell", Incident: id, Run: run, Op: Trigger, Body: json.RawMessage(`{}`)},
		{Receiver: "lead", Key: run + "/page/1", Incident: id, Run: run, Op: Trigger, Escalation: true, NotBefore: time.Now().Add(time.Hour)},
	} {
		if err := o.Put(ctx, m); err != nil {
			t.Fatal(err)
		}
	}
	work, stop := context.WithCancel(ctx)
	done := make(chan error, 2)
	go func() { done <- (&Follower{Outbox: o, Bus: b, Logger: slog.New(slog.DiscardHandler)}).Run(work) }()
	go func() { done <- (&Deliverer{Outbox: o, Logger: slog.New(slog.DiscardHandler)}).Run(work) }()
	taken := func(n int) []string {
		t.Helper()
		for {
			to.mu.Lock()
			took := slices.Clone(to.took)
			to.mu.Unlock()
			if len(took) >= n {
				return took
			}
			if err := sleep(ctx, 20*time.Millisecond); err != nil {
				t.Fatalf("took %v", took)
			}
		}
	}
	taken(2)
	for range 2 {
		store(bus.SubjectInput(run), event.Input{ID: "1", Run: run, Kind: event.InputVote, User: "ann", Vote: &event.Vote{User: "ann", Approve: true}})
	}
	if took := taken(3); took[2] != id+"/acknowledge" {
		t.Errorf("took %v", took)
	}
	store(bus.SubjectIncident(id), in)
	in.State = event.IncidentResolved
	store(bus.SubjectIncident(id), in)
	store(bus.SubjectIncident(id), in)
	if took := taken(4); took[3] != id+"/resolve" {
		t.Errorf("took %v", took)
	}
	answer, ok, err := o.answer(ctx, id)
	if err != nil || !ok || answer.By != "ann" {
		t.Errorf("%+v, %v, %v", answer, ok, err)
	}
	list, err := o.Deliveries(ctx, id)
	if err != nil || len(list) != 5 {
		t.Errorf("%+v, %v", list, err)
	}
	stop()
	for range 2 {
		if err := <-done; err != nil {
			t.Error(err)
		}
	}
}
