package ingest

import (
	"context"
	"errors"
	"log/slog"
	"strings"
	"testing"
)

// fakeSubscriber gives what the test sends.
type fakeSubscriber struct {
	messages chan string
	lost     chan int
}

func (f fakeSubscriber) Subscribe(ctx context.Context, _ string, take func(string, []byte), lost func(int)) error {
	for {
		select {
		case m := <-f.messages:
			take("falco.notice.x", []byte(m))
		case n := <-f.lost:
			lost(n)
		case <-ctx.Done():
			return nil
		}
	}
}

func TestFalcoNATS(t *testing.T) {
	k, _ := Lookup("falco-nats")
	store, metrics, log := &fakeStore{}, newTally(), &syncBuffer{}
	d := Deps{Sink: direct{store}, Store: store, Metrics: metrics, Logger: slog.New(slog.NewTextHandler(log, nil))}
	if _, err := Open("falco-nats", d, k.Config()); err == nil || !strings.Contains(err.Error(), "nats.url") {
		t.Errorf("without an external NATS: %v", err)
	}
	sub := fakeSubscriber{make(chan string), make(chan int)}
	d.Subscriber = sub
	s, err := Open("falco-nats", d, k.Config())
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := contextWithCancel(t)
	done := make(chan error, 1)
	go func() { done <- s.Run(ctx) }()
	store.fail(errors.New("no store"))
	sub.messages <- oneAlert
	eventually(t, func() bool { return strings.Contains(log.String(), "no store") })
	store.fail(nil)
	sub.messages <- `{"rule":` // rejected
	sub.messages <- strings.Repeat("x", MaxEvent+10)
	sub.lost <- 7
	eventually(t, func() bool { return len(store.events()) == 1 })
	for range 100 {
		sub.messages <- oneAlert
	}
	cancel()
	if err := <-done; err != nil {
		t.Error(err)
	}
	if n := len(store.events()); n != 101 {
		t.Errorf("%d events are stored, 101 came", n)
	}
	metrics.mu.Lock()
	defer metrics.mu.Unlock()
	if len(store.dead) != 2 || metrics.events["lost falco"] != 7 || metrics.events["falco process.other"] != 101 {
		t.Errorf("%d dead, counted %v", len(store.dead), metrics.events)
	}
	for _, want := range []string{"not acknowledged", "lost=7"} {
		if !strings.Contains(log.String(), want) {
			t.Errorf("the log does not say %q", want)
		}
	}
	if (&FalcoNATSConfig{Subject: ">"}).Check() == nil {
		t.Error("a subject of our own is accepted")
	}
}
