package incident

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"sync"
	"testing"
	"time"

	"github.com/firebreak-io/firebreak/internal/bus"
	"github.com/firebreak-io/firebreak/internal/event"
)

// opened is a store for the time of a test.
func opened(t *testing.T) *bus.Bus {
	t.Helper()
	b, err := bus.Open(t.Context(), bus.Options{Dir: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = b.Close() })
	return b
}

// TestOverIsForgotten: an incident that is over is forgotten here; a finding of
// it that is read again finds it in the store, and changes nothing.
func TestOverIsForgotten(t *testing.T) {
	n := NewStore(opened(t))
	if err := n.Load(t.Context()); err != nil {
		t.Fatal(err)
	}
	f := seen("a", "web", "", "", "")
	if _, err := n.Add(t.Context(), f, event.ImportanceNormal); err != nil {
		t.Fatal(err)
	}
	if err := n.Sweep(t.Context(), f.Received.Add(Window+time.Second), true); err != nil {
		t.Fatal(err)
	}
	if len(n.open) != 0 || len(n.sequence) != 0 {
		t.Fatalf("%d incidents and %d sequences are remembered", len(n.open), len(n.sequence))
	}
	in, err := n.Add(t.Context(), f, event.ImportanceNormal)
	if err != nil || in.ID != f.ID || in.Count != 1 || in.State != event.IncidentResolved {
		t.Errorf("the finding is in %+v (%v)", in, err)
	}
	order := event.Input{Run: f.ID, Kind: event.InputVerdict, Verdict: "false", User: "ann", Time: f.Received.Add(2 * time.Hour)}
	for range 2 {
		in, err = n.update(t.Context(), f.ID, func(in event.Incident) event.Incident { return said(in, order) })
		if err != nil || in.State != event.IncidentFalsePositive || in.Confidence != 0 || len(in.Timeline) != 4 {
			t.Errorf("after the verdict: %+v (%v)", in, err)
		}
	}
	if len(n.open) != 0 {
		t.Errorf("%d incidents are remembered", len(n.open))
	}
}

// TestChangesAreWrittenTogether: findings that come at once are taken in by few
// records, none is lost, and none counts twice.
func TestChangesAreWrittenTogether(t *testing.T) {
	n := NewStore(opened(t))
	if err := n.Load(t.Context()); err != nil {
		t.Fatal(err)
	}
	const many = 200
	var group sync.WaitGroup
	for i := range 2 * many {
		group.Go(func() {
			if _, err := n.Add(t.Context(), seen(event.HashID("f", fmt.Sprint(i/2)), "web", "", "", ""), event.ImportanceNormal); err != nil {
				t.Error(err)
			}
		})
	}
	group.Wait()
	if len(n.open) != 1 || n.open[0].Count != many || len(n.open[0].Timeline) != firstMoments+lastMoments || n.open[0].Forgotten != many-firstMoments-lastMoments {
		t.Fatalf("%d incidents, the first %+v", len(n.open), n.open[0])
	}
	again := NewStore(n.bus)
	if err := again.Load(t.Context()); err != nil || len(again.open) != 1 || !same(again.open[0], n.open[0]) {
		t.Errorf("what is stored is another: %+v (%v)", again.open, err)
	}
}

// TestBeginSaysWhatComes: what is expected of a finding is what is stored of it, of many
// that come at once too; where another responder was first it is what that one stored.
func TestBeginSaysWhatComes(t *testing.T) {
	b := opened(t)
	n, other := NewStore(b), NewStore(b)
	for _, s := range []*Store{n, other} {
		if err := s.Load(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	var all sync.WaitGroup
	for i := range 50 {
		all.Go(func() {
			expected, stored := n.Begin(t.Context(), seen(fmt.Sprint("f", i), fmt.Sprint("pod", i%5), "", "", ""), event.ImportanceNormal)
			if in, err := stored(); err != nil || !reflect.DeepEqual(in, expected) {
				t.Errorf("stored is %+v (%v), expected was %+v", in, err, expected)
			}
		})
	}
	all.Wait()
	f := seen("x", "elsewhere", "", "", "")
	want, err := other.Add(t.Context(), f, event.ImportanceHigh)
	if err != nil {
		t.Fatal(err)
	}
	expected, stored := n.Begin(t.Context(), f, event.ImportanceNormal)
	if in, err := stored(); err != nil || in.Priority != want.Priority || reflect.DeepEqual(in, expected) {
		t.Errorf("stored is %+v (%v), expected was %+v, the other's is %+v", in, err, expected, want)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, stored = n.Begin(ctx, seen("y", "nowhere", "", "", ""), event.ImportanceNormal)
	if _, err := stored(); !errors.Is(err, context.Canceled) {
		t.Errorf("given up, it says %v", err)
	}
}
