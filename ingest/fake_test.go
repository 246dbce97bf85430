package ingest

import (
	"bytes"
	"context"
	"os"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/firebreak-io/firebreak/internal/event"
	"github.com/firebreak-io/firebreak/internal/telemetry"
	"github.com/firebreak-io/firebreak/test/wait"
)

// What cmd puts behind the interfaces; the bus is left out, as it takes long to
// build with the instruments of a fuzz test.
var (
	_ Sink    = (*Batcher)(nil)
	_ Metrics = (*telemetry.Metrics)(nil)
)

// fakeStore keeps what is published, and fails or waits when told to.
type fakeStore struct {
	mu     sync.Mutex
	frames [][]byte
	dead   []event.Rejected
	err    error
	slow   time.Duration
}

func (s *fakeStore) Publish(ctx context.Context, _ string, data []byte) (uint64, error) {
	if s.slow > 0 {
		select {
		case <-time.After(s.slow):
		case <-ctx.Done():
			return 0, ctx.Err()
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.err != nil {
		return 0, s.err
	}
	s.frames = append(s.frames, data)
	return uint64(len(s.frames)), nil
}

func (s *fakeStore) Dead(_ context.Context, r event.Rejected) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.err != nil {
		return s.err
	}
	s.dead = append(s.dead, r)
	return nil
}

func (s *fakeStore) fail(err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.err = err
}

func (s *fakeStore) events() []event.Event {
	s.mu.Lock()
	defer s.mu.Unlock()
	var all []event.Event
	for _, f := range s.frames {
		events, err := event.DecodeFrame(f)
		if err != nil {
			panic(err)
		}
		all = append(all, events...)
	}
	return all
}

// direct is a sink that stores at once.
type direct struct{ *fakeStore }

func (d direct) Put(ctx context.Context, events []event.Event) error {
	for i := range events {
		data, err := encode(&events[i])
		if err != nil {
			return err
		}
		if _, err := d.Publish(ctx, subjectEvents, event.EncodeFrame([][]byte{data})); err != nil {
			return err
		}
	}
	return nil
}

// tally counts like the metrics do.
type tally struct {
	mu       sync.Mutex
	events   map[string]int
	rejected map[string]int
	faults   map[string]int64
}

func newTally() *tally {
	return &tally{events: map[string]int{}, rejected: map[string]int{}, faults: map[string]int64{}}
}

func (t *tally) Events(_ context.Context, source event.Source, class string, n int) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.events[string(source)+" "+class] += n
}

func (t *tally) Rejected(_ context.Context, source event.Source, reason string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.rejected[string(source)+" "+reason]++
}

func (t *tally) Unstored(_ context.Context, source event.Source, n int) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.events["unstored "+string(source)] += n
}

func (t *tally) Lost(_ context.Context, source event.Source, n int) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.events["lost "+string(source)] += n
}

func (t *tally) FileFault(_ context.Context, source event.Source, fault string, n int64) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.faults[string(source)+" "+fault] += n
}

// stored is how many events of a source and class were counted.
func (t *tally) stored(key string) int {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.events[key]
}

func (t *tally) Ingest(context.Context, event.Source, time.Duration) {}

// syncBuffer is a log that is read while it is written.
type syncBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (s *syncBuffer) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.Write(p)
}

func (s *syncBuffer) String() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.String()
}

func contextWithCancel(t testing.TB) (context.Context, context.CancelFunc) {
	return context.WithCancel(t.Context())
}

// eventually waits for a condition.
func eventually(t testing.TB, ok func() bool) {
	t.Helper()
	wait.Until(t, "it came", ok)
}

func writeFile(t testing.TB, path, text string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

// countingSink counts the calls, and the most events of one.
type countingSink struct {
	inner       Sink
	calls, most atomic.Int64
}

func (s *countingSink) Put(ctx context.Context, events []event.Event) error {
	s.calls.Add(1)
	s.most.Store(max(s.most.Load(), int64(len(events))))
	return s.inner.Put(ctx, events)
}
