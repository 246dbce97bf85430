package detect

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"iter"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/firebreak-io/firebreak/detect/pack"
	"github.com/firebreak-io/firebreak/internal/bus"
	"github.com/firebreak-io/firebreak/internal/event"
)

// script is a reader of frames that are there already; then it waits.
type script struct {
	messages []bus.Message
	done     chan struct{}
}

func (s *script) Next(ctx context.Context) (bus.Message, error) {
	if len(s.messages) == 0 {
		if s.done != nil {
			close(s.done)
			s.done = nil
		}
		<-ctx.Done()
		return bus.Message{}, ctx.Err()
	}
	m := s.messages[0]
	s.messages = s.messages[1:]
	return m, nil
}

// memory is a store and its snapshots.
type memory struct {
	found     map[string]event.Finding
	dead      []event.Rejected
	snapshots []snapshot
	seen      map[string][]byte
	failures  int
}

func (m *memory) Create(_ context.Context, subject string, data []byte) (uint64, error) {
	if m.failures > 0 {
		m.failures--
		return 0, errors.New("away")
	}
	if _, has := m.found[subject]; has {
		return 0, fmt.Errorf("create %s: %w", subject, bus.ErrExists)
	}
	var f event.Finding
	if err := json.Unmarshal(data, &f); err != nil {
		return 0, err
	}
	m.found[subject] = f
	return uint64(len(m.found)), nil
}

func (m *memory) Dead(_ context.Context, r event.Rejected) error {
	m.dead = append(m.dead, r)
	return nil
}

func (m *memory) Get(_ context.Context, key string) ([]byte, error) {
	if key != SnapshotKey {
		return m.seen[key], nil
	}
	if len(m.snapshots) == 0 {
		return nil, bus.ErrNotFound
	}
	last := m.snapshots[len(m.snapshots)-1]
	head, err := last.head()
	return append(head, last.state...), err
}

func (m *memory) Put(_ context.Context, key string, data []byte) error {
	if m.seen == nil {
		m.seen = map[string][]byte{}
	}
	m.seen[key] = data
	return nil
}

func (m *memory) PutParts(_ context.Context, _ string, parts iter.Seq2[[]byte, error]) error {
	var s snapshot
	var data []byte
	for part, err := range parts {
		if err != nil {
			return err
		}
		data = append(data, part...)
	}
	if err := s.decode(data); err != nil {
		return err
	}
	m.snapshots = append(m.snapshots, s)
	return nil
}

func shell(id string) event.Event {
	return event.Event{
		ID: id, Source: event.SourceFalco, Class: event.ClassProcessExec, Rule: "Terminal shell in container",
		Time: time.Unix(1, 0).UTC(), Object: event.PodRef("shop", id), // findings of one pod are one
	}
}

func frame(t testing.TB, sequence uint64, events ...event.Event) bus.Message {
	t.Helper()
	var all [][]byte
	for _, e := range events {
		data, err := json.Marshal(e)
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, data)
	}
	return bus.Message{Subject: "ev", Sequence: sequence, Data: event.EncodeFrame(all)}
}

// panics is a detector that panics on one event.
type panics struct{ Detector }

func (panics) Name() string                   { return "panics" }
func (panics) Version() string                { return "1" }
func (panics) Memory() string                 { return "1" }
func (panics) Sources() []event.Source        { return []event.Source{event.SourceFalco} }
func (p panics) Open(Limits) (Running, error) { return panicking{}, nil }

type panicking struct{ Running }

func (panicking) Advance(time.Time) []event.Finding { return nil }
func (panicking) Counts() []event.FindingCount      { return nil }
func (panicking) Stats() Memory                     { return Memory{} }
func (panicking) Save(*pack.Writer)                 {}
func (panicking) Load(*pack.Reader) error           { return nil }
func (panicking) Fold(e *event.Event, _ event.Address, _ Moment) ([]event.Finding, error) {
	if e.ID == "boom" {
		panic("boom")
	}
	return nil, nil
}

func TestWorkerGoesOnOverPoison(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		set := shipped(t)
		set.detectors = append([]Detector{panics{}}, set.detectors...)
		store := &memory{found: map[string]event.Finding{}, failures: 3}
		done := make(chan struct{})
		reader := &script{done: done, messages: []bus.Message{
			frame(t, 1, shell("a"), shell("boom")),
			{Sequence: 2, Data: []byte("\x01\x00\x00\x00\x01x")},
			frame(t, 3, shell("a"), shell("b")),
		}}
		var told []uint64
		w := &Worker{
			Engine: NewEngine(set, EngineOptions{}), Store: store, Snapshots: store,
			Read: func(_ context.Context, sequence uint64) error {
				if n := len(store.snapshots); n > 0 && store.snapshots[n-1].Sequence < sequence {
					t.Errorf("told %d before it was saved", sequence)
				}
				told = append(told, sequence)
				return errors.New("away") // which stops nothing
			},
			Open: func(_ context.Context, from uint64) (Reader, error) {
				if from != 1 {
					t.Errorf("reads from %d", from)
				}
				return reader, nil
			},
		}
		ctx, cancel := context.WithCancel(t.Context())
		go func() { <-done; cancel() }()
		if err := w.Run(ctx); err != nil {
			t.Fatal(err)
		}
		if len(store.found) != 3 || len(store.dead) != 2 {
			t.Errorf("%d findings and %d dead letters", len(store.found), len(store.dead))
		}
		if len(told) < 2 || told[0] != 0 || told[len(told)-1] != 3 {
			t.Errorf("told %v", told)
		}
		if got := w.Stats(); got != (Stats{Sequence: 3, Frames: 3, Events: 4, Duplicates: 1, Findings: 3, Errors: 1, Poison: 2}) {
			t.Errorf("stats %+v", got)
		}
		if last := store.snapshots[len(store.snapshots)-1]; last.Sequence != 3 || last.Horizon != 1 || last.Rules != set.Version() {
			t.Errorf("snapshot %+v", last)
		}
	})
}

func TestWorkerSavesWhenIdle(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := &memory{found: map[string]event.Finding{}}
		w := &Worker{
			Engine: NewEngine(shipped(t), EngineOptions{}), Store: store, Snapshots: store,
			Open: func(context.Context, uint64) (Reader, error) {
				return &script{messages: []bus.Message{frame(t, 1, shell("a"))}}, nil
			},
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Hour)
		defer cancel()
		if err := w.Run(ctx); err != nil {
			t.Fatal(err)
		}
		if n := len(store.snapshots); n != 2 { // after a second, and at the end
			t.Errorf("%d snapshots", n)
		}
	})
}

func TestWorkerWarmsItsMemory(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := &memory{found: map[string]event.Finding{}, snapshots: []snapshot{{Version: snapshotVersion, Sequence: 5, Horizon: 4, Rules: "x"}}}
		done := make(chan struct{})
		w := &Worker{
			Engine: NewEngine(shipped(t), EngineOptions{}), Store: store, Snapshots: store,
			Open: func(_ context.Context, from uint64) (Reader, error) {
				if from != 4 {
					t.Errorf("reads from %d", from)
				}
				return &script{done: done, messages: []bus.Message{
					frame(t, 4, shell("a")), frame(t, 5, shell("b")), frame(t, 6, shell("b"), shell("c")),
				}}, nil
			},
		}
		ctx, cancel := context.WithCancel(t.Context())
		go func() { <-done; cancel() }()
		if err := w.Run(ctx); err != nil {
			t.Fatal(err)
		}
		if got := w.Stats(); len(store.found) != 1 || got.Duplicates != 1 || got.Sequence != 6 {
			t.Errorf("%d findings, %+v", len(store.found), got)
		}
	})
}

func shipped(t testing.TB) *RuleSet {
	t.Helper()
	set, err := shippedOnce()
	if err != nil {
		t.Fatal(err)
	}
	return &RuleSet{detectors: slices.Clone(set.detectors), library: set.library, layers: set.layers}
}

var shippedOnce = sync.OnceValues(Shipped)

func jsonOf(t testing.TB, v any) string {
	t.Helper()
	data, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}
