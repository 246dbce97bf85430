package runlog

import (
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/firebreak-io/firebreak/internal/bus"
	"github.com/firebreak-io/firebreak/internal/event"
)

// An index that is kept now and then, and gone on with, knows the same as one of
// the whole log; a start reads what is open and what came since, not what is over.
func TestIndex(t *testing.T) {
	b, err := bus.Open(t.Context(), bus.Options{Dir: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = b.Close() })
	log, random, now := New(b, 1), rand.New(rand.NewPCG(3, 4)), time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	open := map[string]Record{}
	ended := 0
	for i := range 300 {
		now = now.Add(time.Minute)
		run := event.Run{ID: event.HashID("run", fmt.Sprint(i)), State: event.RunGuarding, Updated: now}
		rec, err := log.Create(t.Context(), run)
		if err != nil {
			t.Fatal(err)
		}
		open[run.ID] = rec
		for id, rec := range open {
			switch random.IntN(4) {
			case 0:
				rec.Run.State = event.RunHolding
			case 1:
				rec.Run.State = event.RunClosed
			default:
				continue
			}
			rec.Run.Updated = now
			next, err := log.Append(t.Context(), rec, rec.Run)
			if err != nil {
				t.Fatal(err)
			}
			if open[id] = next; next.Run.State.Terminal() {
				delete(open, id)
				ended++
			}
		}
		if i%37 != 0 {
			continue
		}
		x, _, err := ReadIndex(t.Context(), b)
		if err != nil {
			t.Fatal(err)
		}
		if err := x.prune(t.Context(), log, now.Add(-time.Hour)); err != nil {
			t.Fatal(err)
		}
		if err := x.keep(t.Context(), b); err != nil {
			t.Fatal(err)
		}
	}
	x, read, err := ReadIndex(t.Context(), b)
	if err != nil {
		t.Fatal(err)
	}
	if err := x.prune(t.Context(), log, now.Add(time.Second)); err != nil {
		t.Fatal(err)
	}
	have, want := map[string]event.RunState{}, map[string]event.RunState{}
	for id, e := range x.Runs {
		have[id] = e.State
	}
	for id, rec := range open {
		want[id] = rec.Run.State
	}
	if d := cmp.Diff(want, have); d != "" || x.Over[event.RunClosed] != ended {
		t.Errorf("%s\n%d are over, want %d", d, x.Over[event.RunClosed], ended)
	}
	if err := x.keep(t.Context(), b); err != nil {
		t.Fatal(err)
	}
	if _, again, err := ReadIndex(t.Context(), b); err != nil || again != 0 || read == 0 {
		t.Errorf("a start reads %d records, and after it was kept %d, %v", read, again, err)
	}
	// One of a log that was lost is worth nothing.
	x.Sequence += 1000
	if err := x.keep(t.Context(), b); err != nil {
		t.Fatal(err)
	}
	if y, _, err := ReadIndex(t.Context(), b); err != nil || len(y.Runs) != 300 {
		t.Errorf("%d runs, %v", len(y.Runs), err)
	}
}
