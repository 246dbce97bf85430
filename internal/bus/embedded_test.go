//go:build linux || darwin

package bus

import (
	"context"
	"errors"
	"os/signal"
	"syscall"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
)

// TestWriteFails lets the system refuse writes past a file size, which the
// server meets as it meets a full disk. Publishers are told, and when writes
// go through again the same bus, its reader and its consumer go on.
func TestWriteFails(t *testing.T) {
	ctx := within(t)
	b := open(t, t.TempDir())
	r, err := b.Read(ctx, Events, 1)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close(ctx)
	c, err := b.Consume(ctx, Findings, "respond", "", time.Minute)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	fill(t, b, 1, 10)
	expect(t, r, 1, 10)
	first, err := b.Create(ctx, SubjectRun("r"), []byte("one"))
	if err != nil {
		t.Fatal(err)
	}

	allow := limitFiles(t)
	for err == nil { // until a file reaches the limit
		_, err = b.Publish(ctx, SubjectEvents, make([]byte, 64<<10))
	}
	// Long before the deadline of the request, which says nothing of the server.
	if !errors.Is(err, ErrUnknown) || !errors.Is(err, errDown) {
		t.Fatalf("the publisher whose write failed is told: %v", err)
	}
	allow()

	insist(t, b, SubjectFinding("f"), "finding")
	if err := take(t, c, "finding").Ack(ctx); err != nil {
		t.Error(err)
	}
	if _, err := b.Append(ctx, SubjectRun("r"), []byte("two"), first); err != nil {
		t.Errorf("append to what was there before: %v", err)
	}
	insist(t, b, SubjectEvents, "last")
	for m := (Message{}); string(m.Data) != "last"; {
		if m, err = r.Next(ctx); err != nil {
			t.Fatal(err)
		}
	}
	if err := b.Healthy(ctx); err != nil {
		t.Error(err)
	}
	if config := b.server.server.Load().JetStreamConfig(); !config.SyncAlways {
		t.Error("the server that was started again does not sync always")
	}
}

// What waits for an answer of the server ends when that goes down, however it
// does, with an unknown outcome.
func TestServerGoesDownUnderAWrite(t *testing.T) {
	for name, down := range map[string]func(b *Bus){
		"closed":  func(b *Bus) { _ = b.Close() },
		"failed":  func(b *Bus) { b.server.fail() },
		"revived": func(b *Bus) { b.server.revive(b.server.server.Load()) },
	} {
		for way, write := range map[string]func(ctx context.Context, b *Bus) error{
			"publish": func(ctx context.Context, b *Bus) error {
				_, err := b.Publish(ctx, SubjectEvents, []byte("x"))
				return err
			},
			"append": func(ctx context.Context, b *Bus) error {
				_, err := b.Append(ctx, SubjectRun("r"), []byte("x"), 0)
				return err
			},
			"batch": func(ctx context.Context, b *Bus) error { return b.CreateAll(ctx, []Record{{SubjectFinding("a"), nil}}) },
		} {
			t.Run(name+" "+way, func(t *testing.T) {
				ctx := within(t)
				b := open(t, t.TempDir())
				// A server that answers no request, as one that can't write.
				silent := mute{asked: make(chan struct{})}
				b.js = silent
				told := make(chan error, 1)
				go func() { told <- write(ctx, b) }()
				<-silent.asked
				begun := time.Now()
				down(b)
				err := <-told
				if !errors.Is(err, ErrUnknown) || !errors.Is(err, errDown) || errors.Is(err, context.Canceled) {
					t.Errorf("after %s: %v", time.Since(begun), err)
				}
				if n := len(b.server.under.ends); n != 0 {
					t.Errorf("%d writes are still under way", n)
				}
			})
		}
	}
}

// mute takes messages and answers nothing.
type mute struct {
	jetstream.JetStream
	asked chan struct{}
}

func (m mute) PublishMsg(ctx context.Context, _ *nats.Msg, _ ...jetstream.PublishOpt) (*jetstream.PubAck, error) {
	close(m.asked)
	<-ctx.Done()
	return nil, ctx.Err()
}

// insist publishes until it is told that it has: what was under way while the
// server went down has an unknown outcome, and is sent again.
func insist(t *testing.T, b *Bus, subject, data string) {
	t.Helper()
	ctx := within(t)
	for {
		if _, err := b.Publish(ctx, subject, []byte(data)); err == nil {
			return
		}
		if err := pause(ctx, 10*time.Millisecond); err != nil {
			t.Fatal(err)
		}
	}
}

// limitFiles bounds the size of all files that this process writes, until
// allow is called.
func limitFiles(t *testing.T) (allow func()) {
	t.Helper()
	signal.Ignore(syscall.SIGXFSZ) // or the system ends the process
	var old syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_FSIZE, &old); err != nil {
		t.Fatal(err)
	}
	now := old
	now.Cur = 256 << 10
	if err := syscall.Setrlimit(syscall.RLIMIT_FSIZE, &now); err != nil {
		t.Fatal(err)
	}
	allow = func() {
		if err := syscall.Setrlimit(syscall.RLIMIT_FSIZE, &old); err != nil {
			t.Error(err)
		}
	}
	t.Cleanup(allow)
	return allow
}

// TestReserve: events leave room to runs.
func TestReserve(t *testing.T) {
	e := &embedded{opts: Options{Dir: t.TempDir()}}
	if err := e.admits(Events); err != nil {
		t.Skipf("the disk of the tests is full: %v", err)
	}
	e.opts.Dir += "/none"
	for _, stream := range []Stream{Events, DeadStore} {
		if err := e.admits(stream); err == nil {
			t.Errorf("%s: a disk that can't be seen has room", stream)
		}
	}
	if err := e.admits(Runs); err != nil {
		t.Errorf("runs: %v", err)
	}
	e.fail()
	if err := e.admits(Runs); !errors.Is(err, ErrFull) {
		t.Errorf("runs after a failed write: %v", err)
	}
	if err := e.healthy(); err == nil {
		t.Error("healthy after a failed write")
	}
}

// The sign of a failed write is a word of the server's log.
func TestFailedWriteIsSeen(t *testing.T) {
	for text, want := range map[string]bool{
		"JetStream failed to store a msg on stream 'X': no space left on device": true, "something else": false,
	} {
		failed := false
		o, err := Options{Dir: "x"}.withDefaults()
		if err != nil {
			t.Fatal(err)
		}
		serverLog{o.Logger, func() { failed = true }}.Errorf("%s", text)
		if failed != want {
			t.Errorf("%q: failed is %v", text, failed)
		}
	}
}
