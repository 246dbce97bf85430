package heartbeat

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/firebreak-io/firebreak/ingest"
	"github.com/firebreak-io/firebreak/internal/bus"
	"github.com/firebreak-io/firebreak/internal/event"
)

// memory is a store of keys.
type memory struct {
	mu   sync.Mutex
	data map[string][]byte
	rev  map[string]uint64
	down bool
}

func (s *memory) Get(_ context.Context, key string) ([]byte, uint64, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.down {
		return nil, 0, errors.New("away")
	}
	if s.rev[key] == 0 {
		return nil, 0, bus.ErrNotFound
	}
	return s.data[key], s.rev[key], nil
}

func (s *memory) CompareAndSet(_ context.Context, key string, value []byte, revision uint64) (uint64, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.down {
		return 0, errors.New("away")
	}
	if s.data == nil {
		s.data, s.rev = map[string][]byte{}, map[string]uint64{}
	}
	if s.rev[key] != revision {
		return 0, bus.ErrConflict
	}
	s.data[key] = value
	s.rev[key]++
	return s.rev[key], nil
}

// counts are metrics, and the sink of control events.
type counts struct {
	mu     sync.Mutex
	beats  map[string]int
	gap    bool
	events map[string]event.Event // by id
	order  []string
	stored []event.Event
}

func (c *counts) Heartbeat(_ context.Context, result string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.beats == nil {
		c.beats = map[string]int{}
	}
	c.beats[result]++
}

func (c *counts) CoverageGap(_ event.Source, open bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.gap = open
}

func (c *counts) Put(_ context.Context, events []event.Event) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.events == nil {
		c.events = map[string]event.Event{}
	}
	for _, e := range events {
		if e.Source != event.SourceControl {
			c.stored = append(c.stored, e)
			continue
		}
		if _, twice := c.events[e.ID]; !twice {
			c.order = append(c.order, e.Verb)
		}
		c.events[e.ID] = e
	}
	return nil
}

// apiServer logs each request and posts it to one of the replicas in turn.
type apiServer struct {
	mu     sync.Mutex
	away   bool // unreachable
	silent bool // its audit log goes nowhere
	sinks  []ingest.Sink
	n      int
	texts  []string
}

func (a *apiServer) beat(ctx context.Context, text string) error {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.away {
		return errors.New("connection refused")
	}
	a.texts = append(a.texts, text)
	if a.silent {
		return nil
	}
	to := a.sinks[a.n%len(a.sinks)]
	a.n++
	time.AfterFunc(time.Second, func() { _ = to.Put(context.WithoutCancel(ctx), []event.Event{audited(text)}) })
	return nil
}

func audited(text string) event.Event {
	return event.Event{ID: text, Source: event.SourceAudit, Trust: event.TrustAudit, Actor: event.Actor{UserAgent: text}, Fields: event.Fields{"audit_id": text}}
}

func (a *apiServer) set(change func()) {
	a.mu.Lock()
	defer a.mu.Unlock()
	change()
}

// scene is replicas that share a store, an API server, and the virtual time.
type scene struct {
	t     *testing.T
	api   *apiServer
	store *memory
	counts
	began time.Time
}

func play(t *testing.T, replicas int, act func(s *scene)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		s := &scene{t: t, api: &apiServer{}, store: &memory{}, began: time.Now()}
		ctx, cancel := context.WithCancel(t.Context())
		var group sync.WaitGroup
		for range replicas {
			m := New(Options{
				Beat: s.api.beat, Store: s.store, Sink: &s.counts, Metrics: &s.counts, Cluster: "c",
				Logger: slog.New(slog.NewTextHandler(io.Discard, nil)),
			})
			s.api.sinks = append(s.api.sinks, m.Before(&s.counts))
			group.Go(func() {
				if err := m.Run(ctx); err != nil {
					t.Error(err)
				}
			})
		}
		act(s)
		cancel()
		group.Wait()
		<-time.After(2 * time.Second) // what is under way comes to its end
	})
}

func (s *scene) pass(d time.Duration) {
	<-time.After(d)
	synctest.Wait()
}

func (s *scene) expect(gap bool, verbs ...string) {
	s.t.Helper()
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.gap != gap {
		s.t.Errorf("%s: gap is %v", time.Since(s.began), s.gap)
	}
	if len(s.order) != len(verbs) {
		s.t.Fatalf("%s: told %q, want %q", time.Since(s.began), s.order, verbs)
	}
	for i := range verbs {
		if s.order[i] != verbs[i] {
			s.t.Errorf("told %q, want %q", s.order, verbs)
		}
	}
}

func TestGap(t *testing.T) {
	for name, replicas := range map[string]int{"one": 1, "three": 3} {
		t.Run(name, func(t *testing.T) {
			play(t, replicas, func(s *scene) {
				s.pass(10 * time.Minute)
				s.expect(false)
				if n := len(s.api.texts); n < 55 || n > 66 {
					t.Errorf("%d beats in ten minutes", n)
				}
				s.api.set(func() { s.api.silent = true })
				silent := time.Now()
				s.pass(55 * time.Second)
				s.expect(false)
				s.pass(20 * time.Second) // the beat after the last seen, sent up to 10 s later, has a minute
				s.expect(true, VerbGap)
				s.pass(time.Hour)
				s.expect(true, VerbGap)
				s.api.set(func() { s.api.silent = false })
				s.pass(15 * time.Second)
				s.expect(false, VerbGap, VerbGapEnd)
				for _, e := range s.events {
					from, err := time.Parse(time.RFC3339Nano, e.Fields["from"].(string))
					if err != nil || from.Before(silent.Add(-time.Second)) || from.After(silent.Add(11*time.Second)) {
						t.Errorf("the gap is said to begin %s after it did (%v)", from.Sub(silent), err)
					}
					if e.Verb == VerbGapEnd && (e.Fields["seconds"].(int64) < 3600 || e.Fields["seconds"].(int64) > 3700) {
						t.Errorf("it is said to be %v s long", e.Fields["seconds"])
					}
					if e.Class != event.ClassControl || e.Trust != event.TrustAudit || e.Cluster != "c" {
						t.Errorf("event is %+v", e)
					}
				}
				if len(s.stored) != 0 {
					t.Errorf("%d beats are stored", len(s.stored))
				}
			})
		})
	}
}

// An API server that is away, and a bus that is away, are no gap of the audit
// log; nor is a time in which no process ran.
func TestNoFalseGap(t *testing.T) {
	play(t, 2, func(s *scene) {
		s.pass(time.Minute)
		s.api.set(func() { s.api.away = true })
		s.pass(10 * time.Minute)
		s.expect(false)
		s.api.set(func() { s.api.away = false })
		s.pass(time.Minute)
		s.expect(false)
		s.store.mu.Lock()
		s.store.down = true
		s.store.mu.Unlock()
		s.pass(10 * time.Minute)
		s.store.mu.Lock()
		s.store.down = false
		s.store.mu.Unlock()
		s.pass(2 * time.Minute)
		s.expect(false)
		if s.beats[ResultFailed] == 0 {
			t.Error("no beat is counted that failed")
		}
	})
}

// What is not ours is stored like any event, and ends no gap.
func TestForgedBeats(t *testing.T) {
	play(t, 1, func(s *scene) {
		s.pass(time.Minute)
		s.api.set(func() { s.api.silent = true })
		s.pass(2 * time.Minute)
		s.expect(true, VerbGap)
		s.api.mu.Lock()
		last := s.api.texts[0]
		s.api.mu.Unlock()
		later := mark([]byte("another key"), time.Now())
		text := audited(s.api.texts[len(s.api.texts)-1])
		text.Source, text.Trust = event.SourceLog, event.TrustText
		forged := []event.Event{
			audited(Agent + later), audited(Agent + "x.y"), audited(Agent), audited(Agent + "99999999999999999999." + later[14:]), text,
			{Source: event.SourceAudit, Trust: event.TrustName, Actor: event.Actor{UserAgent: last}},
		}
		if err := s.api.sinks[0].Put(t.Context(), append(forged, audited(last))); err != nil { // the last one is an old beat of ours, seen before
			t.Fatal(err)
		}
		s.pass(time.Minute)
		s.expect(true, VerbGap)
		if len(s.stored) != len(forged) {
			t.Errorf("%d are stored, want %d", len(s.stored), len(forged))
		}
	})
}

func FuzzMark(f *testing.F) {
	key := []byte("0123456789abcdef0123456789abcdef")
	f.Add(Agent + mark(key, time.UnixMilli(1)))
	f.Add(Agent + mark([]byte("other"), time.UnixMilli(1)))
	f.Add(Agent + "1.")
	f.Add("")
	f.Fuzz(func(t *testing.T, text string) {
		if sent, ok := sentOf(key, text); ok && !strings.EqualFold(text, Agent+mark(key, sent)) {
			t.Errorf("%q is taken for a beat of %s", text, sent)
		}
	})
}
