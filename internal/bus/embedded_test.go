//go:build linux || darwin

package bus

import (
	"context"
	"errors"
	"os/signal"
	"syscall"
	"testing"
	"time"
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
	for !errors.Is(err, ErrFull) { // until a file reaches the limit
		short, cancel := context.WithTimeout(ctx, 200*time.Millisecond)
		_, err = b.Publish(short, SubjectEvents, make([]byte, 64<<10))
		cancel()
		if ctx.Err() != nil {
			t.Fatalf("publishers are not told: %v", err)
		}
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
