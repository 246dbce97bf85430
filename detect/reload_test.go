package detect

import (
	"context"
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/firebreak-io/firebreak/internal/bus"
	"github.com/firebreak-io/firebreak/internal/event"
)

func mustRules(t testing.TB, text string) *RuleSet {
	t.Helper()
	set, err := ruleSet(t, text)
	if err != nil {
		t.Fatal(err)
	}
	return set
}

func TestBundle(t *testing.T) {
	set, err := mustRules(t, swept).Over(shipped(t))
	if err != nil {
		t.Fatal(err)
	}
	data, err := set.Bundle()
	if err != nil {
		t.Fatal(err)
	}
	again, err := Unbundle(data)
	if err != nil || again.Version() != set.Version() || len(again.Detectors()) != len(set.Detectors()) {
		t.Fatalf("%v, %d detectors instead of %d", err, len(again.Detectors()), len(set.Detectors()))
	}
	for _, bad := range [][]byte{nil, []byte("x"), data[:len(data)/2]} {
		if _, err := Unbundle(bad); err == nil {
			t.Errorf("%d bytes were taken", len(bad))
		}
	}
}

// reloading is a control event that brings other rules.
func reloading(t testing.TB, set *RuleSet) event.Event {
	t.Helper()
	var e event.Event
	w := &Worker{Publish: func(_ context.Context, got event.Event) error { e = got; return nil }}
	if err := w.Offer(t.Context(), set); err != nil {
		t.Fatal(err)
	}
	return e
}

func TestReloadKeepsWhatUnchangedRulesRemember(t *testing.T) {
	other := strings.Replace(swept, "name: mine", "name: other", 1)
	s := tell(t, swept+"---\n"+other, EngineOptions{})
	s.at(0, 0, secrets("ann", "a"))
	s.at(1, 1, secrets("ann", "b"))
	// One gets another title, which changes nothing that it remembers; the
	// other another window.
	next := mustRules(t, strings.Replace(swept, "title: T", "title: New", 1)+"---\n"+strings.Replace(other, "over: 5m", "over: 6m", 1))
	s.at(2, 2, reloading(t, next))
	if s.engine.Rules().Version() != next.Version() {
		t.Fatal("the rules are those from before")
	}
	f := s.at(3, 3, secrets("ann", "c"))
	if len(f) != 1 || f[0].Rule != "mine" || f[0].Title != "New" {
		t.Errorf("found %+v", f)
	}
	bad := event.Control(event.VerbRules, dawn, "", event.Fields{"bundle": "aGVsbG8="})
	if _, _, err := s.engine.Fold(&bad, event.Address{}); err == nil || s.engine.Rules().Version() != next.Version() {
		t.Errorf("a bad bundle replaced a good one: %v", err)
	}
}

// live is a stream whose control events come back to the worker that made them.
type live struct {
	frames chan bus.Message
	next   uint64
	t      testing.TB
}

func (l *live) Next(ctx context.Context) (bus.Message, error) {
	select {
	case m := <-l.frames:
		return m, nil
	case <-ctx.Done():
		return bus.Message{}, ctx.Err()
	}
}

func (l *live) publish(events ...event.Event) {
	l.next++
	l.frames <- frame(l.t, l.next, events...)
}

// A worker whose snapshot has other rules than its files goes on with those of
// the snapshot, up to where the others enter the stream.
func TestWorkerOffersTheRulesOfItsFiles(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := &memory{found: map[string]event.Finding{}}
		l := &live{frames: make(chan bus.Message, 100), t: t}
		begin := func(rules string) (*Worker, func()) {
			w := &Worker{
				Engine: NewEngine(mustRules(t, rules), EngineOptions{}), Store: store, Snapshots: store,
				Publish: func(_ context.Context, e event.Event) error { l.publish(e); return nil },
			}
			w.Open = func(context.Context, uint64) (Reader, error) {
				if w.Engine.set.bundle == nil {
					t.Error("the first events have to wait for the bundle of rules")
				}
				return l, nil
			}
			ctx, cancel := context.WithCancel(t.Context())
			done := make(chan error)
			go func() { done <- w.Run(ctx) }()
			return w, func() {
				<-time.After(2 * time.Second)
				cancel()
				if err := <-done; err != nil {
					t.Error(err)
				}
			}
		}
		at := func(id, namespace string) event.Event {
			e := secrets("ann", namespace)
			e.ID, e.Time, e.Received = id, time.Now(), time.Now()
			return e
		}
		_, stop := begin(swept)
		l.publish(at("1", "a"), at("2", "b"))
		stop()
		second, stop := begin(strings.Replace(swept, "title: T", "title: New", 1))
		l.publish(at("3", "c"))
		stop()
		if len(store.found) != 1 || second.Engine.Rules().Lookup("mine").(*Rule).Spec.Title != "New" {
			t.Fatalf("%d findings", len(store.found))
		}
		for _, f := range store.found {
			if f.Title != "T" {
				t.Errorf("it came before the offer, and found is %q", f.Title)
			}
		}
	})
}

// When nothing comes, the worker says what time it is, and what is due comes.
func TestWorkerTellsTheTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := &memory{found: map[string]event.Finding{}}
		l := &live{frames: make(chan bus.Message, 100), t: t}
		fails := 2
		w := &Worker{
			Engine: NewEngine(mustRules(t, strings.Replace(chain, "secrets\"}", "secrets\", not: true}", 1)), EngineOptions{}), Store: store, Snapshots: store,
			Open: func(context.Context, uint64) (Reader, error) { return l, nil },
			Publish: func(_ context.Context, e event.Event) error {
				if fails--; fails >= 0 {
					return errors.New("away")
				}
				l.publish(e)
				return nil
			},
		}
		ctx, cancel := context.WithTimeout(t.Context(), 20*time.Minute)
		defer cancel()
		e := alert("shell", "p1")
		e.ID, e.Time, e.Received = "1", time.Now(), time.Now()
		l.publish(e)
		if err := w.Run(ctx); err != nil {
			t.Fatal(err)
		}
		if len(store.found) != 1 {
			t.Errorf("%d findings, after %d frames", len(store.found), l.next)
		}
	})
}
