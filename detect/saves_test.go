package detect

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/firebreak-io/firebreak/internal/bus"
	"github.com/firebreak-io/firebreak/internal/event"
)

// slowly gives a frame now and then, until the worker is killed.
type slowly struct {
	frames []bus.Message
	each   time.Duration
	left   int
	due    time.Time
}

func (s *slowly) Next(ctx context.Context) (bus.Message, error) {
	if s.left == 0 {
		return bus.Message{}, errKilled
	}
	if s.due.IsZero() {
		s.due = time.Now().Add(s.each)
	}
	arrived := time.After(time.Until(s.due))
	if len(s.frames) == 0 {
		arrived = nil
	}
	select {
	case <-ctx.Done():
		return bus.Message{}, ctx.Err()
	case <-arrived:
	}
	m := s.frames[0]
	s.frames, s.left, s.due = s.frames[1:], s.left-1, s.due.Add(s.each)
	return m, nil
}

// alerts are frames of so many events each, all different.
func alerts(t testing.TB, frames, events int) (all []bus.Message) {
	t.Helper()
	for i := range frames {
		var some []event.Event
		for j := range events {
			e := shell(event.HashID(fmt.Sprint(i, "-", j)))
			e.Received = dawn.Add(time.Duration(i) * time.Second)
			some = append(some, e)
		}
		all = append(all, frame(t, uint64(i+1), some...))
	}
	return all
}

// TestACrashLoopGetsOn kills the worker a moment after it begins to read,
// again and again: it has to get further each time, although it remembers the
// ids of more events than it can read in that time.
func TestACrashLoopGetsOn(t *testing.T) {
	frames := alerts(t, 60, 100)
	synctest.Test(t, func(t *testing.T) {
		set := mustRules(t, ruleStart+"  source: falco\n  when: \"true\"\n  window: {by: [object.name], over: 1h, having: count() > 1000000}\n")
		store := &memory{found: map[string]event.Finding{}}
		for life, before := 0, uint64(0); before < uint64(len(frames)); life++ {
			w := &Worker{Engine: NewEngine(set, EngineOptions{Horizon: 10_000}), Store: store, Snapshots: store}
			w.Open = func(_ context.Context, from uint64) (Reader, error) {
				return &slowly{frames: frames[from-1:], each: 10 * time.Millisecond, left: 20}, nil
			}
			ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
			if err := w.Run(ctx); err != nil && !errors.Is(err, errKilled) {
				t.Fatal(err)
			}
			cancel()
			if n := len(store.snapshots); n == 0 || store.snapshots[n-1].Sequence <= before {
				t.Fatalf("life %d got no further than frame %d", life, before)
			}
			before = store.snapshots[len(store.snapshots)-1].Sequence
		}
		last := &Worker{Engine: NewEngine(set, EngineOptions{Horizon: 10_000}), Snapshots: store}
		last.Open = func(_ context.Context, from uint64) (Reader, error) {
			return &slowly{frames: frames[from-1:], left: -1}, nil
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if err := last.Run(ctx); err != nil {
			t.Fatal(err)
		}
		e := shell(event.HashID("0-0"))
		if _, fresh, _ := last.Engine.Fold(&e, event.Address{Sequence: 1000}); fresh {
			t.Error("the first event is not remembered")
		}
	})
}

// hanging is a store whose snapshots are not stored until it is let go.
type hanging struct {
	*memory
	let chan struct{}
}

func (h *hanging) PutParts(ctx context.Context, key string, parts iter.Seq2[[]byte, error]) error {
	select {
	case <-h.let:
		return h.memory.PutParts(ctx, key, parts)
	case <-ctx.Done():
		return ctx.Err()
	}
}

// TestEventsGoOnWhileASnapshotHangs: nobody waits for a snapshot but the end.
func TestEventsGoOnWhileASnapshotHangs(t *testing.T) {
	frames := alerts(t, 100, 1)
	synctest.Test(t, func(t *testing.T) {
		store := &hanging{&memory{found: map[string]event.Finding{}}, make(chan struct{})}
		w := &Worker{Engine: NewEngine(shipped(t), EngineOptions{}), Store: store, Snapshots: store}
		w.Open = func(context.Context, uint64) (Reader, error) {
			return &slowly{frames: frames, each: 100 * time.Millisecond, left: -1}, nil
		}
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error)
		go func() { done <- w.Run(ctx) }()
		<-time.After(15 * time.Second)
		synctest.Wait()
		if got := w.Stats().Frames; got != uint64(len(frames)) {
			t.Errorf("%d frames while the snapshot hangs", got)
		}
		if len(store.snapshots) > 0 {
			t.Error("it did not hang")
		}
		close(store.let)
		<-time.After(5 * time.Second)
		synctest.Wait()
		if n := len(store.snapshots); n == 0 || store.snapshots[n-1].Sequence != uint64(len(frames)) {
			t.Errorf("%d snapshots", n)
		}
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
}

// failing is a store that takes no counts for a while, nor snapshots.
type failing struct {
	*memory
	away atomic.Bool
	told map[string]int
}

func (f *failing) Publish(_ context.Context, subject string, _ []byte) (uint64, error) {
	f.told[subject]++
	return 1, nil
}

func (f *failing) PutParts(ctx context.Context, key string, parts iter.Seq2[[]byte, error]) error {
	if f.away.Load() {
		return errors.New("away")
	}
	return f.memory.PutParts(ctx, key, parts)
}

// TestCountsAreToldAfterAFailure: what a snapshot that failed should have told,
// the next one tells.
func TestCountsAreToldAfterAFailure(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		set := mustRules(t, ruleStart+"  source: falco\n  when: \"true\"\n  suppress: {by: [rule], for: 1h}\n")
		store := &failing{memory: &memory{found: map[string]event.Finding{}}, told: map[string]int{}}
		store.away.Store(true)
		w := &Worker{Engine: NewEngine(set, EngineOptions{}), Store: store, Snapshots: store}
		w.Open = func(context.Context, uint64) (Reader, error) {
			return &slowly{frames: alerts(t, 2, 10), each: time.Millisecond, left: -1}, nil
		}
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error)
		go func() { done <- w.Run(ctx) }()
		<-time.After(10 * time.Second)
		synctest.Wait()
		if len(store.told) > 0 || len(store.snapshots) > 0 {
			t.Fatalf("told %v with %d snapshots", store.told, len(store.snapshots))
		}
		store.away.Store(false)
		<-time.After(10 * time.Second)
		synctest.Wait()
		if len(store.told) != 1 || len(store.snapshots) == 0 {
			t.Errorf("told %v with %d snapshots", store.told, len(store.snapshots))
		}
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
}

// BenchmarkSnapshot is a snapshot of ten detectors of 100,000 groups each: how
// long the longest piece takes, in which no event is folded, and all of them.
func BenchmarkSnapshot(b *testing.B) {
	var text string
	for i := range 10 {
		text += fmt.Sprintf("---\n%s  source: audit\n  when: verb == \"get\"\n  window: {by: [actor.user], over: 1h, having: count() > 1000000}\n", strings.Replace(ruleStart, "mine", fmt.Sprint("mine-", i), 1))
	}
	engine := NewEngine(mustRules(b, text), EngineOptions{})
	e := event.Event{Source: event.SourceAudit, Verb: "get", Time: dawn, Received: dawn}
	for i := range DefaultGroups {
		e.Actor.User = fmt.Sprint("user-", i)
		if _, _, err := engine.Fold(&e, event.Address{}); err != nil {
			b.Fatal(err)
		}
	}
	if n := engine.Memory().Groups; n != 10*DefaultGroups {
		b.Fatalf("%d groups", n)
	}
	var longest, all time.Duration
	size, n, pieces := 0, 0, 0
	for b.Loop() {
		s := &saving{parts: make(chan piece, 1), done: make(chan struct{})}
		for n++; !s.complete; {
			s.write(engine, 1, savePiece)
			size += len((<-s.parts).data)
			pieces++
			longest, all = max(longest, s.took), all+s.took
		}
	}
	b.ReportMetric(longest.Seconds()*1000, "ms/longest-piece")
	b.ReportMetric(all.Seconds()*1000/float64(pieces), "ms/piece")
	b.ReportMetric(all.Seconds()*1000/float64(n), "ms/all")
	b.ReportMetric(float64(size)/float64(n), "bytes")
}
