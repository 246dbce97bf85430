package respond

import (
	"context"
	"errors"
	"log/slog"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/firebreak-io/firebreak/internal/bus"
	"github.com/firebreak-io/firebreak/internal/event"
	"github.com/firebreak-io/firebreak/respond/action"
	"github.com/firebreak-io/firebreak/respond/guard"
	"github.com/firebreak-io/firebreak/respond/incident"
	"github.com/firebreak-io/firebreak/respond/runlog"
)

// history gives the records of the run of a playbook.
func (r *rig) history(playbook string) []runlog.Record {
	r.t.Helper()
	var list []runlog.Record
	for _, run := range r.runs() {
		if run.Playbook != playbook {
			continue
		}
		for rec, err := range runlog.New(r.bus, 0).History(r.t.Context(), run.ID) {
			if err != nil {
				r.t.Fatal(err)
			}
			list = append(list, rec)
		}
	}
	return list
}

// TestFirstRecordIsTheIntent: what a run that acts at once begins with, all its
// plans, and its first intent with its place in the budgets are one record, and
// that of a run which only asks comes after it.
func TestFirstRecordIsTheIntent(t *testing.T) {
	two := strings.TrimSuffix(actBook, "\n") + `
    - name: more
      action: pod.label
      with: {labels: {more: "yes"}}
`
	asks := strings.NewReplacer("{name: mark}", "{name: ask}", "mode: act", "mode: ask").Replace(actBook)
	r := newRig(t, newCluster("a"), asks, two)
	limits := guard.DefaultLimits()
	r.limits, r.first = &limits, time.Hour
	var sent atomic.Int32
	r.cluster.sent = func(context.Context, event.Write) error {
		sent.Add(1)
		return nil
	}
	r.start()
	r.publish(finding("shell", "a", 1))
	r.until("one run holds, and one asks", func() bool {
		states := r.worker.Counts()
		return states[event.RunHolding] == 1 && states[event.RunAwaiting] == 1
	})
	acts := r.history("mark")
	first := acts[0].Run
	if first.Record != 1 || first.State != event.RunRunning || first.Steps[0].State != event.StepIntent || first.Steps[0].Reserved == nil ||
		!first.Steps[0].Begun || first.Steps[1].State != event.StepPlanned || first.Steps[1].Plan == nil {
		t.Errorf("the first record is %d, %s, %+v", first.Record, first.State, first.Steps)
	}
	if before := r.history("ask")[0]; before.Sequence < acts[0].Sequence {
		t.Error("the run that asks was stored before the one that acts")
	}
	if n := sent.Load(); n != 2 {
		t.Errorf("%d writes, want 2", n)
	}
}

// TestPlaceWithoutARecord: a place that was taken for the first record of a run is
// free again when that never comes, and not while somebody is about to store it.
func TestPlaceWithoutARecord(t *testing.T) {
	r := newRig(t, newCluster("a"), actBook)
	now := time.Now().UTC()
	w := r.idle(1)
	w.firstFor = time.Hour
	w.clock = func() time.Time { return now }
	ledger := guard.NewLedger(r.bus.Control())
	logger := slog.New(slog.DiscardHandler)
	w.executor = &Executor{
		Deps:   action.Deps{Cluster: r.cluster, Logger: logger},
		Guards: guard.New(guard.Options{Control: r.control, Cluster: r.cluster, Ledger: ledger}),
	}
	f := finding("shell", "a", 1)
	target, err := Resolve(t.Context(), r.cluster, f)
	if err != nil {
		t.Fatal(err)
	}
	f.Subject = target
	run := Begin(r.books[0], event.Incident{ID: f.ID, Severity: f.Severity}, f, target, event.ModeAct, now)
	done, err := w.claim(t.Context(), run)
	if err != nil {
		t.Fatal(err)
	}
	next, judged := w.first(t.Context(), r.books[0], run)
	if judged == nil || next.Steps[0].State != event.StepIntent {
		t.Fatalf("no intent: %+v", next.Steps)
	}
	taken := func() int {
		runs, err := w.executor.Guards.Standing(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		return len(runs)
	}
	for _, step := range []struct {
		what  string
		after time.Duration
		done  func()
		want  int
	}{
		{"somebody is about to store it", 2 * abandonAfter, nil, 1},
		{"it was a moment ago", time.Second, done, 1},
		{"it never comes", 2 * abandonAfter, nil, 0},
	} {
		if step.done != nil {
			step.done()
		}
		at := now.Add(step.after)
		w.clock = func() time.Time { return at }
		if err := w.free(t.Context()); err != nil {
			t.Fatal(err)
		}
		if n := taken(); n != step.want {
			t.Errorf("%s: %d places are taken, want %d", step.what, n, step.want)
		}
	}
}

// TestNothingIsOnRecordBeforeItsIncident: the place of a run may be taken while its
// incident is being stored; its record waits, and never comes if that fails.
func TestNothingIsOnRecordBeforeItsIncident(t *testing.T) {
	for _, mode := range []event.Mode{event.ModeAct, event.ModeAsk} {
		t.Run(string(mode), func(t *testing.T) {
			r := newRig(t, newCluster("a"), actBook)
			w := r.idle(1)
			w.firstFor = time.Hour
			w.executor.Guards = guard.New(guard.Options{Control: r.control, Cluster: r.cluster, Ledger: guard.NewLedger(r.bus.Control())})
			f := finding("shell", "a", 1)
			target, err := Resolve(t.Context(), r.cluster, f)
			if err != nil {
				t.Fatal(err)
			}
			f.Subject = target
			run := Begin(r.books[0], event.Incident{ID: f.ID, Severity: f.Severity}, f, target, mode, time.Now().UTC())
			failed, asked := errors.New("the incident is not on record"), 0
			err = w.create(t.Context(), run, func() error {
				asked++
				places, err := w.executor.Guards.Standing(t.Context())
				if err != nil || len(places) == 1 != (mode == event.ModeAct) {
					t.Errorf("places are taken by %v (%v)", places, err)
				}
				return failed
			})
			if !errors.Is(err, failed) || asked != 1 {
				t.Errorf("create gives %v, and asked %d times", err, asked)
			}
			if _, err := w.log.Load(t.Context(), run.ID); !errors.Is(err, bus.ErrNotFound) {
				t.Errorf("the run is on record (%v)", err)
			}
		})
	}
}

// TestRunGoesByTheIncidentOnRecord: when an incident was stored by somebody else
// meanwhile, the run goes by that one, not by the one that was expected.
func TestRunGoesByTheIncidentOnRecord(t *testing.T) {
	r := newRig(t, newCluster("a"), actBook)
	r.first = time.Hour
	r.start()
	r.until("the responder is ready", func() bool { return r.worker.Ready(t.Context()) == nil })
	f := finding("shell", "a", 1)
	f.Severity = event.SeverityMedium
	other := incident.NewStore(r.bus)
	if err := other.Load(t.Context()); err != nil {
		t.Fatal(err)
	}
	graver := f
	graver.Severity = event.SeverityCritical
	want, err := other.Add(t.Context(), graver, event.ImportanceNormal)
	if err != nil {
		t.Fatal(err)
	}
	r.publish(f)
	r.until("the run holds", r.all(1, event.RunHolding))
	if got := r.history("mark")[0].Run.Incident; got.ID != want.ID || got.Priority != want.Priority || want.Priority == f.Severity {
		t.Errorf("the run goes by an incident of priority %s, stored is %s, of the finding is %s", got.Priority, want.Priority, f.Severity)
	}
}
