package bus

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/nats-io/nats.go/jetstream"
)

func open(t testing.TB, dir string) *Bus {
	t.Helper()
	b, err := Open(context.Background(), Options{Dir: dir})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { b.Close() })
	return b
}

// within gives a context that fails the test rather than hang it.
func within(t testing.TB) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 4*time.Minute)
	t.Cleanup(cancel)
	return ctx
}

func TestOpenMakesAllStreams(t *testing.T) {
	ctx := within(t)
	b := open(t, t.TempDir())
	for _, want := range topology(b.opts) {
		s, err := b.js.Stream(ctx, want.Name)
		if err != nil {
			t.Fatalf("%s: %v", want.Name, err)
		}
		got := s.CachedInfo().Config
		if got.Storage != jetstream.FileStorage || got.Retention != want.Retention || got.MaxAge != want.MaxAge ||
			got.DenyDelete != want.DenyDelete || got.DenyPurge != want.DenyPurge || got.AllowDirect != want.AllowDirect ||
			got.Duplicates != want.Duplicates || got.MaxBytes != want.MaxBytes {
			t.Errorf("%s: got %+v", want.Name, got)
		}
	}
	if err := b.Healthy(ctx); err != nil {
		t.Error(err)
	}
	if err := b.Close(); err != nil {
		t.Error(err)
	}
	if err := b.Healthy(ctx); !errors.Is(err, ErrClosed) {
		t.Errorf("after close: %v", err)
	}
}

func TestOpenRefuses(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for name, o := range map[string]Options{
		"nothing":          {},
		"half certificate": {URL: "nats://127.0.0.1:1", Cert: "x"},
		"embedded cluster": {Dir: dir, Replicas: 3},
		"negative":         {Dir: dir, EventAge: -1},
		"no server":        {URL: "nats://127.0.0.1:1"},
		"dir is a file":    {Dir: file},
	} {
		t.Run(name, func(t *testing.T) {
			if b, err := Open(within(t), o); err == nil {
				b.Close()
				t.Error("opened")
			}
		})
	}
}

func TestOneProcessADirectory(t *testing.T) {
	dir := t.TempDir()
	first := open(t, dir)
	if _, err := Open(within(t), Options{Dir: dir}); !errors.Is(err, ErrLocked) {
		t.Fatalf("second open: %v", err)
	}
	first.Close()
	open(t, dir)
}

func TestRestartKeepsAll(t *testing.T) {
	ctx, dir := within(t), t.TempDir()
	b := open(t, dir)
	for i := range 10 {
		if _, err := b.Publish(ctx, SubjectEvents, fmt.Append(nil, i)); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := b.Create(ctx, SubjectRun("r"), []byte("one")); err != nil {
		t.Fatal(err)
	}
	b.Close()
	b = open(t, dir)
	if st, err := b.State(ctx, Events); err != nil || st.Messages != 10 || st.Last != 10 {
		t.Errorf("events after restart: %+v, %v", st, err)
	}
	if m, err := b.Last(ctx, SubjectRun("r")); err != nil || string(m.Data) != "one" {
		t.Errorf("run after restart: %s, %v", m.Data, err)
	}
	if _, err := b.Create(ctx, SubjectRun("r"), []byte("two")); !errors.Is(err, ErrExists) {
		t.Errorf("create after restart: %v", err)
	}
}

func TestLowerBoundsDropNothing(t *testing.T) {
	ctx, dir := within(t), t.TempDir()
	b := open(t, dir)
	for range 4 {
		if _, err := b.Publish(ctx, SubjectEvents, make([]byte, 100_000)); err != nil {
			t.Fatal(err)
		}
	}
	b.Close()
	b, err := Open(ctx, Options{Dir: dir, MaxEventBytes: 100_000, EventAge: time.Millisecond})
	if err != nil {
		t.Fatal(err)
	}
	defer b.Close()
	if st, err := b.State(ctx, Events); err != nil || st.Messages != 4 {
		t.Errorf("%+v, %v", st, err)
	}
}

func TestRunsCannotBeDeleted(t *testing.T) {
	ctx := within(t)
	b := open(t, t.TempDir())
	seq, err := b.Create(ctx, SubjectRun("r"), []byte("one"))
	if err != nil {
		t.Fatal(err)
	}
	s, err := b.js.Stream(ctx, string(Runs))
	if err != nil {
		t.Fatal(err)
	}
	if err := s.DeleteMsg(ctx, seq); err == nil {
		t.Error("message was deleted")
	}
	if err := s.SecureDeleteMsg(ctx, seq); err == nil {
		t.Error("message was deleted securely")
	}
	if err := s.Purge(ctx); err == nil {
		t.Error("stream was purged")
	}
	config := s.CachedInfo().Config
	config.DenyDelete, config.DenyPurge = false, false
	if _, err := b.js.UpdateStream(ctx, config); err == nil {
		t.Error("the denial was taken back")
	}
	if _, err := b.Last(ctx, SubjectRun("r")); err != nil {
		t.Error(err)
	}
}
