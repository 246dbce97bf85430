package notify

import (
	"context"
	"errors"
	"log/slog"
	"slices"
	"sync/atomic"
	"testing"
	"time"

	"github.com/firebreak-io/firebreak/internal/bus"
	"github.com/firebreak-io/firebreak/internal/event"
)

// On the real streams: two deliverers send each message once, in its order, what
// is sent is forgotten by no restart, and what was waiting goes on.
func TestOnStreams(t *testing.T) {
	dir := t.TempDir()
	open := func() *bus.Bus {
		b, err := bus.Open(t.Context(), bus.Options{Dir: dir})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = b.Close() })
		return b
	}
	var down atomic.Bool
	to := &people{answer: func(m Message, _ time.Time) error {
		if down.Load() || m.Key == "r/bad" {
			return &Refused{errors.New("answered 400")}
		}
		return nil
	}}
	box := func(b *bus.Bus) *Outbox {
		return NewOutbox(On(b), Receivers{"ops": {Name: "ops", Kind: WebhookKind, Notifier: to, Limits: Limits{Rate: 6000}}}, nil)
	}
	work := func(o *Outbox) (stop func()) {
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error, 2)
		for range 2 {
			go func() { done <- (&Deliverer{Outbox: o, Logger: slog.New(slog.DiscardHandler)}).Run(ctx) }()
		}
		return func() {
			cancel()
			if err := errors.Join(<-done, <-done); err != nil {
				t.Error(err)
			}
		}
	}
	put := func(o *Outbox, key string) {
		t.Helper()
		if err := o.Put(t.Context(), Message{Receiver: "ops", Key: key, Incident: "i1", Op: Trigger}); err != nil {
			t.Fatal(err)
		}
	}
	settled := func(o *Outbox, n int) []event.Delivery {
		t.Helper()
		for end := time.Now().Add(4 * time.Minute); ; {
			list, err := o.Deliveries(t.Context(), "i1")
			if err != nil {
				t.Fatal(err)
			}
			over := 0
			for _, d := range list {
				if d.State.Over() {
					over++
				}
			}
			if over == n && len(list) == n {
				return list
			}
			if time.Now().After(end) {
				t.Fatalf("%d of %d are over: %+v", over, n, list)
			}
			<-time.After(20 * time.Millisecond)
		}
	}
	b := open()
	o := box(b)
	for _, key := range []string{"r/1", "r/2", "r/bad", "r/3"} {
		put(o, key)
	}
	stop := work(o)
	list := settled(o, 4)
	stop()
	put(o, "r/4")
	if list[2].State != event.DeliveryDead {
		t.Errorf("%+v", list[2])
	}
	if err := b.Close(); err != nil {
		t.Fatal(err)
	}
	b = open()
	o = box(b)
	for _, key := range []string{"r/1", "r/4"} {
		put(o, key) // as a run does that was not told that it had been
	}
	stop = work(o)
	settled(o, 5)
	stop()
	if want := []string{"r/1", "r/2", "r/3", "r/4"}; !slices.Equal(to.took, want) {
		t.Errorf("took %v, want %v", to.took, want)
	}
	dead := 0
	for letter, err := range b.DeadLetters(t.Context(), 10) {
		if err != nil || letter.From != "message to ops" || letter.Reason != "r/bad: refused: answered 400" {
			t.Errorf("%+v, %v", letter, err)
		}
		dead++
	}
	if st, err := b.State(t.Context(), bus.Outbox); err != nil || st.Messages != 0 || dead != 1 {
		t.Errorf("%+v wait, %d dead, %v", st, dead, err)
	}
}
