package bus

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/firebreak-io/firebreak/test/wait"
)

// What can't begin yet is tried again, ever more rarely, said once, and shown meanwhile.
func TestBeginAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var said bytes.Buffer
		b := &Bus{opts: Options{Patient: true, Logger: slog.New(slog.NewTextHandler(&said, nil))}}
		var last time.Time
		tries := 0
		err := b.Begin(t.Context(), "consume as c", func(context.Context) error {
			if gap := time.Since(last); tries > 0 && gap > maxBegin {
				t.Errorf("try %d comes after %s", tries, gap)
			}
			if pending := b.begins.pending(); tries > 0 && (pending == nil || !strings.Contains(pending.Error(), "consume as c")) {
				t.Errorf("try %d: pending is %v", tries, pending)
			}
			last = time.Now()
			if tries++; tries < 50 {
				return fmt.Errorf("create: %w", context.DeadlineExceeded)
			}
			return nil
		})
		if err != nil || tries != 50 || b.begins.pending() != nil {
			t.Errorf("%v after %d tries, pending %v", err, tries, b.begins.pending())
		}
		if n := strings.Count(said.String(), "level=WARN"); n != 1 || strings.Count(said.String(), "level=INFO") != 1 {
			t.Errorf("it is said %d times:\n%s", n, said.String())
		}
	})
}

// What waiting does not mend ends it, and so does the end of the context.
func TestBeginEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := &Bus{opts: Options{Patient: true, Logger: slog.New(slog.DiscardHandler)}}
		for _, why := range []error{
			ErrClosed, nats.ErrAuthorization, nats.ErrConnectionClosed, errors.New("connect to NATS: server 2.9.0 lacks security fixes"),
			&jetstream.APIError{Code: 400, ErrorCode: jetstream.JSErrCodeConsumerCreate},
			&jetstream.APIError{Code: 503, ErrorCode: jetstream.JSErrCodeJetStreamNotEnabledForAccount},
		} {
			began := time.Now()
			err := b.Begin(t.Context(), "x", func(context.Context) error { return fmt.Errorf("y: %w", why) })
			if !errors.Is(err, why) || !time.Now().Equal(began) || b.begins.pending() != nil {
				t.Errorf("%v ends with %v after %s", why, err, time.Since(began))
			}
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Hour)
		defer cancel()
		if err := b.Begin(ctx, "x", func(context.Context) error { return nats.ErrNoResponders }); !errors.Is(err, context.DeadlineExceeded) || b.begins.pending() != nil {
			t.Error("the context ended:", err)
		}
		b.opts.Patient = false
		if err := b.Begin(t.Context(), "x", func(context.Context) error { return nats.ErrTimeout }); !errors.Is(err, nats.ErrTimeout) {
			t.Error("without patience:", err)
		}
	})
}

// A bus that is patient opens, and its consumers begin, when the server comes.
func TestPatientBusWaitsForItsServer(t *testing.T) {
	ctx, dir, n := within(t), t.TempDir(), free(t)
	log := &said{}
	opts := Options{URL: fmt.Sprintf("nats://127.0.0.1:%d", n), Replicas: 1, Patient: true, Logger: slog.New(slog.NewTextHandler(log, nil))}
	type opened struct {
		*Bus
		error
	}
	first := make(chan opened, 1)
	go func() {
		b, err := Open(ctx, opts)
		first <- opened{b, err}
	}()
	wait.Until(t, "it is said that there is no server", func() bool { return log.has("NATS gives no answer") })
	srv := serve(t, dir, n)
	o := <-first
	if o.error != nil {
		t.Fatal(o.error)
	}
	b := o.Bus
	t.Cleanup(func() { _ = b.Close() })
	stop(srv)
	begun := make(chan error, 2)
	go func() {
		_, err := b.Queue(ctx, Outbox, "q", SubjectOutbox("*", "*", "*"), time.Second)
		begun <- err
	}()
	go func() {
		c, err := b.Consume(ctx, Inputs, "c", "", 0)
		if err == nil {
			c.Close()
		}
		begun <- err
	}()
	wait.Until(t, "both wait", func() bool { return log.has("open queue q") && log.has("consume as c") })
	if err := b.Healthy(ctx); err == nil {
		t.Error("it is healthy")
	}
	serve(t, dir, n)
	for range 2 {
		if err := <-begun; err != nil {
			t.Error(err)
		}
	}
	wait.Until(t, "it is healthy", func() bool { return b.Healthy(ctx) == nil })
}

// A server that denies what is asked is not waited for.
func TestPatientBusEndsWhenDenied(t *testing.T) {
	srv, err := server.NewServer(&server.Options{
		Host: "127.0.0.1", Port: free(t), NoSigs: true, NoLog: true, JetStream: true, StoreDir: t.TempDir(), JetStreamMaxStore: 1 << 50,
		Users: []*server.User{
			{Username: "u", Password: "right", Permissions: &server.Permissions{Publish: &server.SubjectPermission{Deny: []string{"$JS.API.>"}}}},
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	go srv.Start()
	if !srv.ReadyForConnections(4 * time.Minute) {
		t.Fatal("server is not ready")
	}
	t.Cleanup(func() { stop(srv) })
	for password, want := range map[string]error{"wrong": nats.ErrAuthorization, "right": context.DeadlineExceeded} {
		url := strings.Replace(srv.ClientURL(), "//", "//u:"+password+"@", 1)
		if _, err := Open(t.Context(), Options{URL: url, Replicas: 1, Patient: true}); !errors.Is(err, want) {
			t.Errorf("password %s: %v", password, err)
		}
	}
}
