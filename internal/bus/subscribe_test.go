package bus

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
)

// TestSubscribe: what others publish comes, also after the server was away; what
// comes faster than it is taken is counted.
func TestSubscribe(t *testing.T) {
	ctx, cancel := context.WithCancel(within(t))
	srv := serve(t, t.TempDir(), free(t))
	b, err := Open(ctx, Options{URL: srv.ClientURL(), Replicas: 1})
	if err != nil {
		t.Fatal(err)
	}
	defer b.Close()
	other, err := nats.Connect(srv.ClientURL())
	if err != nil {
		t.Fatal(err)
	}
	defer other.Close()

	const sent = 3 * subscribeMessages
	came, lost, hold := make(chan string, sent+1), make(chan int, sent), make(chan struct{})
	done := make(chan error, 1)
	go func() {
		done <- b.Subscribe(ctx, "falco.>", func(subject string, data []byte) {
			came <- subject + " " + string(data)
			<-hold
		}, func(n int) { lost <- n })
	}()
	// The subscription is there once a message comes.
	first := publishUntil(t, other, "falco.notice.first", came)
	if first != "falco.notice.first x" {
		t.Errorf("got %q", first)
	}
	for i := range sent {
		if err := other.Publish("falco.notice.a", fmt.Append(nil, i)); err != nil {
			t.Fatal(err)
		}
	}
	if err := other.Flush(); err != nil {
		t.Fatal(err)
	}
	close(hold)
	total := 0
	for total == 0 || len(came)+total < sent {
		select {
		case n := <-lost:
			total += n
		case <-ctx.Done():
			t.Fatalf("%d came, %d lost of %d", len(came), total, sent)
		case <-time.After(10 * time.Millisecond):
		}
	}
	if len(came) < subscribeMessages/2 {
		t.Errorf("only %d came", len(came))
	}
	cancel()
	if err := <-done; err != nil {
		t.Errorf("after the end: %v", err)
	}
}

func publishUntil(t *testing.T, conn *nats.Conn, subject string, came <-chan string) string {
	t.Helper()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	late := time.After(4 * time.Minute)
	for {
		select {
		case text := <-came:
			return text
		case <-tick.C:
			if err := conn.Publish(subject, []byte("x")); err != nil {
				t.Fatal(err)
			}
		case <-late:
			t.Fatal("nothing came")
		}
	}
}

func TestSubscribeRefuses(t *testing.T) {
	for subject, good := range map[string]bool{
		"falco.>": true, "falco.*.rule": true, "falco": true, "": false, ">": false, "*.x": false, "ev": false, "run.>": false, "dead.falco": false,
		"$JS.>": false, "_INBOX.>": false, "a b": false, "a..b": false, "a.>.b": false,
	} {
		if err := checkSubject(subject); (err == nil) != good {
			t.Errorf("%q: %v", subject, err)
		}
	}
	b, err := Open(within(t), Options{Dir: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	defer b.Close()
	if err := b.Subscribe(t.Context(), "falco.>", nil, nil); err == nil {
		t.Error("the embedded server can be subscribed to")
	}
}
