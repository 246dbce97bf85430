package bus

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/nats-io/nats-server/v2/server"

	"github.com/firebreak-io/firebreak/test/port"
)

// free is a port on which nobody listens, which a server can have again.
func free(t *testing.T) int {
	t.Helper()
	address, err := port.Free()
	if err != nil {
		t.Fatal(err)
	}
	_, text, _ := net.SplitHostPort(address)
	n, err := strconv.Atoi(text)
	if err != nil {
		t.Fatal(err)
	}
	return n
}

// serve runs a server that listens, as an external one does. What is free on the
// disk bounds no stream.
func serve(t *testing.T, dir string, port int) *server.Server {
	t.Helper()
	srv, err := server.NewServer(&server.Options{
		Host: "127.0.0.1", Port: port, NoSigs: true, NoLog: true, JetStream: true, StoreDir: dir, SyncAlways: true, JetStreamMaxStore: 1 << 50,
	})
	if err != nil {
		t.Fatal(err)
	}
	go srv.Start()
	if !srv.ReadyForConnections(4 * time.Minute) {
		t.Fatal("server is not ready")
	}
	t.Cleanup(func() { stop(srv) })
	return srv
}

// TestExternalRestart takes the server away under a reader, a consumer and a
// publisher: all go on, and nothing comes twice or not at all.
func TestExternalRestart(t *testing.T) {
	ctx, dir, n := within(t), t.TempDir(), free(t)
	srv := serve(t, dir, n)
	b, err := Open(ctx, Options{URL: srv.ClientURL(), Replicas: 1})
	if err != nil {
		t.Fatal(err)
	}
	defer b.Close()
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
	fill(t, b, 1, 100)
	expect(t, r, 1, 50)

	stop(srv)
	short, cancel := context.WithTimeout(ctx, 50*time.Millisecond)
	defer cancel()
	if _, err := b.Publish(short, SubjectEvents, nil); err == nil {
		t.Error("published to no server")
	}
	for err == nil { // what was read ahead may still come
		_, err = r.Next(short)
	}
	if !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("next without a server: %v", err)
	}
	if b.Healthy(ctx) == nil {
		t.Error("healthy without a server")
	}
	serve(t, dir, n)
	at := int(r.Position())
	retryPublish(t, b, SubjectEvents, "101")
	expect(t, r, at+1, 101)
	retryPublish(t, b, SubjectFinding("f"), "finding")
	if err := take(t, c, "finding").Ack(ctx); err != nil {
		t.Error(err)
	}
	if err := b.Healthy(ctx); err != nil {
		t.Error(err)
	}
}

// said is what is logged.
type said struct {
	mu   sync.Mutex
	text strings.Builder
}

func (s *said) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.text.Write(p)
}

func (s *said) has(text string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return strings.Contains(s.text.String(), text)
}

// TestReaderNeedsNoHeartbeatToNotice: a reader that waits while the server is
// started again goes on with the connection, not when it misses heartbeats. A
// machine that stands still for seconds misses them, too: it may try again.
func TestReaderNeedsNoHeartbeatToNotice(t *testing.T) {
	var text string
	for range 5 {
		if text = waiting(t); !strings.Contains(text, "heartbeat") && strings.Contains(text, "reading again") {
			return
		}
	}
	t.Errorf("it was noticed late, each time:\n%s", text)
}

// waiting has a reader wait while the server is started again, and gives what was
// logged.
func waiting(t *testing.T) string {
	t.Helper()
	ctx, dir, n := within(t), t.TempDir(), free(t)
	srv := serve(t, dir, n)
	log := &said{}
	b, err := Open(ctx, Options{URL: srv.ClientURL(), Replicas: 1, Logger: slog.New(slog.NewTextHandler(log, nil))})
	if err != nil {
		t.Fatal(err)
	}
	defer b.Close()
	r, err := b.Read(ctx, Events, 1)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close(ctx)
	fill(t, b, 1, 1)
	expect(t, r, 1, 1)
	came := make(chan error, 1)
	go func() {
		m, err := r.Next(ctx)
		if err == nil && string(m.Data) != "2" {
			err = fmt.Errorf("got %s", m.Data)
		}
		came <- err
	}()
	stop(srv)
	serve(t, dir, n)
	retryPublish(t, b, SubjectEvents, "2")
	if err := <-came; err != nil {
		t.Error(err)
	}
	log.mu.Lock()
	defer log.mu.Unlock()
	return log.text.String()
}

// retryPublish publishes once the connection is back.
func retryPublish(t *testing.T, b *Bus, subject, data string) {
	t.Helper()
	ctx := within(t)
	for {
		_, err := b.Publish(ctx, subject, []byte(data))
		if err == nil {
			return
		}
		if errors.Is(err, ErrUnknown) || ctx.Err() != nil {
			t.Fatal(err)
		}
		if err := pause(ctx, 10*time.Millisecond); err != nil {
			t.Fatal(err)
		}
	}
}

func TestExternalNamesTheStream(t *testing.T) {
	srv := serve(t, t.TempDir(), free(t))
	_, err := Open(within(t), Options{URL: srv.ClientURL()})
	if err == nil || !strings.Contains(err.Error(), "create stream EVENTS: ") {
		t.Errorf("3 replicas on a single server: %v", err)
	}
}

func TestTwoClientsShareTheStreams(t *testing.T) {
	ctx := within(t)
	srv := serve(t, t.TempDir(), free(t))
	var buses [2]*Bus
	for i := range buses {
		b, err := Open(ctx, Options{URL: srv.ClientURL(), Replicas: 1})
		if err != nil {
			t.Fatal(err)
		}
		defer b.Close()
		buses[i] = b
	}
	first, err := buses[0].Create(ctx, SubjectRun("r"), []byte("1"))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := buses[1].Append(ctx, SubjectRun("r"), []byte("2"), first); err != nil {
		t.Error(err)
	}
	if _, err := buses[0].Append(ctx, SubjectRun("r"), []byte("stale"), first); !errors.Is(err, ErrConflict) {
		t.Error(err)
	}
}

func TestCheckVersion(t *testing.T) {
	for version, good := range map[string]bool{
		"2.12.11": false, "2.12.12": true, "2.12.13": true, "2.13.0": true,
		"2.14.0": false, "2.14.2": false, "2.14.3": true, "2.15.2": true, "3.0.0": true,
		"2.11.20": false, "1.4.1": false, "2.14.3-RC.1": true, "v2.15.0": true,
		"": false, "2.15": false, "2.x.1": false,
	} {
		if got := checkVersion(version) == nil; got != good {
			t.Errorf("%q: good %v", version, got)
		}
	}
}
