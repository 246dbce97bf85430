package respond

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	corev1 "k8s.io/api/core/v1"
	"pgregory.net/rapid"

	"github.com/firebreak-io/firebreak/internal/bus"
	"github.com/firebreak-io/firebreak/internal/event"
	"github.com/firebreak-io/firebreak/internal/telemetry"
	"github.com/firebreak-io/firebreak/respond/action"
	"github.com/firebreak-io/firebreak/respond/guard"
	"github.com/firebreak-io/firebreak/respond/runlog"
	"github.com/firebreak-io/firebreak/test/wait"
)

// TestSlots: who waits is served by rank and then in order, who gives up takes
// nobody's place, and no slot is lost or made.
func TestSlots(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		free := rapid.IntRange(1, 3).Draw(rt, "slots")
		ranks := rapid.SliceOfN(rapid.IntRange(0, 4), 1, 30).Draw(rt, "ranks")
		quits := rapid.SliceOfN(rapid.Bool(), len(ranks), len(ranks)).Draw(rt, "quits")
		synctest.Test(t, func(t *testing.T) {
			base := time.Now()
			s := newSlots(free)
			for range free {
				if err := s.Acquire(t.Context(), base); err != nil {
					t.Fatal(err)
				}
			}
			var got, want []int
			served := make(chan int, len(ranks))
			for i, rank := range ranks {
				ctx, quit := context.WithCancel(t.Context())
				go func() {
					if s.Acquire(ctx, base.Add(time.Duration(rank))) == nil {
						served <- i
					}
				}()
				synctest.Wait()
				if quits[i] {
					quit()
					synctest.Wait()
				} else {
					want = append(want, i)
					defer quit()
				}
			}
			slices.SortStableFunc(want, func(a, b int) int { return ranks[a] - ranks[b] })
			for range want {
				s.Release()
				synctest.Wait()
				got = append(got, <-served)
			}
			if !slices.Equal(got, want) {
				t.Fatalf("served %v of ranks %v, want %v", got, ranks, want)
			}
			for range free {
				s.Release()
			}
			if s.free != free || len(s.waiting) != 0 {
				t.Fatalf("%d of %d slots are free, %d wait", s.free, free, len(s.waiting))
			}
		})
	})
}

// closed is a cluster whose pods can't be read until it is opened.
type closed struct {
	*plane
	gate chan struct{}
}

func (c *closed) Pod(ctx context.Context, namespace, name string) (*corev1.Pod, error) {
	select {
	case <-c.gate:
		return c.plane.Pod(ctx, namespace, name)
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// TestTheRightOnesFirst: a critical finding that was stored behind hundreds of
// small ones is next, and finds a place in the budgets.
func TestTheRightOnesFirst(t *testing.T) {
	const small = 300
	b, err := bus.Open(t.Context(), bus.Options{Dir: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = b.Close() })
	place := &closed{plane: newPlane(), gate: make(chan struct{})}
	var records []bus.Record
	for i := range small + 2 { // the critical one is the last but one: it stands in line once the last is read
		space, name := fmt.Sprint("ns", i), fmt.Sprint("p", i)
		place.pod(space, name, nil)
		f := finding("shell", name, i)
		f.Subject.Namespace, f.Subject.UID = space, "uid-"+space+"-"+name
		f.Severity, f.Source = event.SeverityLow, event.Source(fmt.Sprint("s", i%20))
		if i == small {
			f.Severity = event.SeverityCritical
		}
		data, err := json.Marshal(f)
		if err != nil {
			t.Fatal(err)
		}
		records = append(records, bus.Record{Subject: bus.SubjectFinding(f.ID), Data: data})
	}
	for part := range slices.Chunk(records, bus.MaxBatch) {
		if err := b.CreateAll(t.Context(), part); err != nil {
			t.Fatal(err)
		}
	}
	w := responder(t, b, place)
	r := &rig{t: t, bus: b}
	wait.Until(t, "all findings are read ahead", func() bool {
		lag, err := w.Lag(t.Context())
		return w.reader.Load() != nil && lag == 0 && err == nil
	})
	close(place.gate)
	var critical runlog.Record
	wait.Until(t, "the critical one holds", func() bool {
		for rec, err := range w.log.All(t.Context()) {
			if err == nil && rec.Run.Finding.Severity == event.SeverityCritical && rec.Run.State == event.RunHolding {
				critical = rec
				return true
			}
		}
		return false
	})
	before := 0
	for m, err := range b.LastPerSubject(t.Context(), bus.SubjectRun("*")) {
		if err != nil {
			t.Fatal(err)
		}
		var run event.Run
		if err := json.Unmarshal(m.Data, &run); err != nil {
			t.Fatal(err)
		}
		if run.Created.Before(critical.Run.Created) {
			before++
		}
	}
	// Those under way when it came are done, and it has the first slot of theirs. The
	// other slots go to small ones, which may be as fast as it is.
	t.Logf("%d small ones were begun before it", before)
	if before > 3*maxEffects {
		t.Errorf("%d small ones were begun before it", before)
	}
	wait.Until(t, "all hold, or wait for people", func() bool {
		states := map[event.RunState]int{}
		for _, run := range r.runs() {
			states[run.State]++
		}
		held := states[event.RunHolding]
		return (held == 7 || held == 8) && held+states[event.RunAwaiting] == small+2
	})
}

// responder runs a responder with the standard budgets until the test ends.
func responder(t *testing.T, b *bus.Bus, place interface {
	action.Cluster
	guard.Cluster
},
) *Worker {
	t.Helper()
	control, logger := NewControl(b, event.ModeAct), slog.New(slog.DiscardHandler)
	limits := guard.DefaultLimits()
	limits.Canary, limits.Budgets.EffectsPerMinute, limits.Budgets.Burst, limits.Budgets.RunsPerHour = 0, 100_000, 100_000, 100_000
	w, err := NewWorker(t.Context(), WorkerOptions{
		Bus: b, Books: []*Playbook{parse(t, stormBook)}, Control: control, Telemetry: telemetry.Nop(), Logger: logger, Alone: true,
		Executor: &Executor{Deps: action.Deps{Cluster: place, Logger: logger}, Guards: guard.New(guard.Options{
			Control: control, Cluster: place, Ledger: guard.NewLedger(b.Control()), Limits: limits,
		})},
	})
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- w.Run(ctx) }()
	t.Cleanup(func() {
		stop()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})
	return w
}
