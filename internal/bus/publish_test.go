package bus

import (
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/firebreak-io/firebreak/internal/telemetry"
)

func TestCreateOnce(t *testing.T) {
	ctx := within(t)
	b := open(t, t.TempDir())
	for _, subject := range []string{SubjectFinding("f"), SubjectRun("r"), SubjectIncident("i")} {
		if _, err := b.Create(ctx, subject, []byte("one")); err != nil {
			t.Fatal(err)
		}
		if _, err := b.Create(ctx, subject, []byte("two")); !errors.Is(err, ErrExists) {
			t.Errorf("%s: second create: %v", subject, err)
		}
		if m, err := b.Last(ctx, subject); err != nil || string(m.Data) != "one" {
			t.Errorf("%s: %s, %v", subject, m.Data, err)
		}
	}
}

// TestCreateRace lets many writers create the same runs: one of them wins
// each.
func TestCreateRace(t *testing.T) {
	ctx := within(t)
	b := open(t, t.TempDir())
	const runs, writers = 20, 8
	var mu sync.Mutex
	winners := map[string]int{}
	var wg sync.WaitGroup
	for range writers {
		wg.Go(func() {
			for i := range runs {
				subject := SubjectRun(fmt.Sprint(i))
				_, err := b.Create(ctx, subject, []byte("x"))
				if err == nil {
					mu.Lock()
					winners[subject]++
					mu.Unlock()
				} else if !errors.Is(err, ErrExists) {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
	for i := range runs {
		if n := winners[SubjectRun(fmt.Sprint(i))]; n != 1 {
			t.Errorf("run %d was created %d times", i, n)
		}
	}
}

func TestAppendComparesAndSets(t *testing.T) {
	ctx := within(t)
	b := open(t, t.TempDir())
	run := SubjectRun("r")
	first, err := b.Create(ctx, run, []byte("1"))
	if err != nil {
		t.Fatal(err)
	}
	// Other subjects of the stream do not matter.
	if _, err := b.Create(ctx, SubjectRun("other"), []byte("x")); err != nil {
		t.Fatal(err)
	}
	second, err := b.Append(ctx, run, []byte("2"), first)
	if err != nil || second <= first {
		t.Fatalf("%d after %d: %v", second, first, err)
	}
	for _, last := range []uint64{0, first, second + 1} {
		if _, err := b.Append(ctx, run, []byte("stale"), last); !errors.Is(err, ErrConflict) {
			t.Errorf("append after %d: %v", last, err)
		}
	}
	var history []string
	for m, err := range b.History(ctx, run) {
		if err != nil {
			t.Fatal(err)
		}
		history = append(history, string(m.Data))
	}
	if got := strings.Join(history, " "); got != "1 2" {
		t.Errorf("history: %s", got)
	}
}

func TestUnansweredIsUnknown(t *testing.T) {
	b := open(t, t.TempDir())
	first, err := b.Create(within(t), SubjectRun("r"), []byte("1"))
	if err != nil {
		t.Fatal(err)
	}
	// The server is gone, and the client does not know it yet or does: in
	// no case may the answer be a plain yes or conflict.
	stop(b.server.server.Load())
	_, err = b.Append(within(t), SubjectRun("r"), []byte("2"), first)
	if err == nil || errors.Is(err, ErrConflict) {
		t.Errorf("append without a server: %v", err)
	}
	if _, err := b.Create(within(t), SubjectRun("s"), nil); err == nil || errors.Is(err, ErrExists) {
		t.Errorf("create without a server: %v", err)
	}
}

func TestOutcome(t *testing.T) {
	kinds := []error{ErrConflict, ErrUnknown, ErrTooLarge}
	for _, c := range []struct {
		err  error
		want error
	}{
		{nats.ErrTimeout, ErrUnknown},
		{nats.ErrNoResponders, ErrUnknown},
		{jetstream.ErrNoStreamResponse, ErrUnknown},
		{nats.ErrDisconnected, ErrUnknown},
		{errors.New("EOF"), ErrUnknown},
		{&jetstream.APIError{Code: 503, ErrorCode: 10077}, ErrUnknown},
		{&jetstream.APIError{Code: 500}, ErrUnknown},
		{&jetstream.APIError{Code: 400, ErrorCode: 10071}, ErrConflict},
		{&jetstream.APIError{Code: 400, ErrorCode: 10164}, ErrConflict},
		{&jetstream.APIError{Code: 400, ErrorCode: 10054}, ErrTooLarge},
		{nats.ErrMaxPayload, ErrTooLarge},
		{&jetstream.APIError{Code: 400, ErrorCode: 10060}, nil},
		{nats.ErrReconnectBufExceeded, nil},
		{nats.ErrConnectionClosed, nil},
	} {
		got := outcome(fmt.Errorf("wrapped: %w", c.err))
		for _, kind := range kinds {
			if errors.Is(got, kind) != (kind == c.want) { //nolint:errorlint // two of our own, unwrapped
				t.Errorf("%v: got %v, want %v", c.err, got, c.want)
			}
		}
	}
}

func TestPublishRefuses(t *testing.T) {
	ctx := within(t)
	b := open(t, t.TempDir())
	for _, subject := range []string{"", "run.", "run.*", "run.>", "run.a b", "run..a", "elsewhere", "run.a\r\nPUB x", "$JS.API.STREAM.DELETE.RUNS"} {
		if _, err := b.Publish(ctx, subject, nil); err == nil {
			t.Errorf("published to %q", subject)
		}
		if _, err := b.Last(ctx, subject); err == nil || errors.Is(err, ErrNotFound) {
			t.Errorf("read of %q: %v", subject, err)
		}
	}
	if _, err := b.Publish(ctx, SubjectEvents, make([]byte, 1<<20+1)); !errors.Is(err, ErrTooLarge) {
		t.Errorf("large frame: %v", err)
	}
	if _, err := b.Publish(ctx, SubjectRun("r"), make([]byte, 2<<20)); !errors.Is(err, ErrTooLarge) {
		t.Errorf("large record: %v", err)
	}
}

func TestTraceTravelsWithTheMessage(t *testing.T) {
	tel, err := telemetry.Setup(t.Context(), telemetry.Options{LogLevel: "error"})
	if err != nil {
		t.Fatal(err)
	}
	ctx, end := tel.Span(within(t), "publish")
	defer end(nil)
	b := open(t, t.TempDir())
	if _, err := b.Publish(ctx, SubjectInput("r"), []byte("x")); err != nil {
		t.Fatal(err)
	}
	m, err := b.Last(t.Context(), SubjectInput("r"))
	if err != nil {
		t.Fatal(err)
	}
	if got, want := telemetry.TraceID(m.Context(t.Context())), telemetry.TraceID(ctx); got != want || got == "" {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestLastPerSubject(t *testing.T) {
	ctx := within(t)
	b := open(t, t.TempDir())
	for range b.LastPerSubject(ctx, "run.>") {
		t.Fatal("an empty stream yields")
	}
	const runs = 100
	for round := range 3 {
		for i := range runs {
			if _, err := b.Publish(ctx, SubjectRun(fmt.Sprint(i)), fmt.Append(nil, round)); err != nil {
				t.Fatal(err)
			}
		}
	}
	seen, last := map[string]bool{}, uint64(0)
	for m, err := range b.LastPerSubject(ctx, "run.>") {
		if err != nil {
			t.Fatal(err)
		}
		if string(m.Data) != "2" || seen[m.Subject] || m.Sequence <= last {
			t.Errorf("%s: %s at %d after %d", m.Subject, m.Data, m.Sequence, last)
		}
		seen[m.Subject], last = true, m.Sequence
	}
	if len(seen) != runs {
		t.Errorf("%d subjects", len(seen))
	}
	for range b.LastPerSubject(ctx, "run.>") {
		break // its consumer must be gone
	}
	s, err := b.js.Stream(ctx, string(Runs))
	if err != nil {
		t.Fatal(err)
	}
	if n := s.CachedInfo().State.Consumers; n != 0 {
		t.Errorf("%d consumers are left", n)
	}
}
