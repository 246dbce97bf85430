package respond

import (
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/firebreak-io/firebreak/internal/bus"
	"github.com/firebreak-io/firebreak/internal/event"
	"github.com/firebreak-io/firebreak/internal/telemetry"
	"github.com/firebreak-io/firebreak/respond/action"
	"github.com/firebreak-io/firebreak/respond/guard"
	"github.com/firebreak-io/firebreak/respond/incident"
	"github.com/firebreak-io/firebreak/respond/receipt"
	"github.com/firebreak-io/firebreak/respond/runlog"
)

// begin stores the first record of a run on a pod, as if a responder had died
// right after it.
func (r *rig) begin(epoch uint64, f event.Finding) runlog.Record {
	r.t.Helper()
	target, err := Resolve(r.t.Context(), r.cluster, f)
	if err != nil {
		r.t.Fatal(err)
	}
	f.Subject = target
	in, _ := incident.Group(nil, f)
	rec, err := runlog.New(r.bus, epoch).Create(r.t.Context(), Begin(r.books[0], in, f, target, event.ModeAct, time.Now().UTC()))
	if err != nil {
		r.t.Fatal(err)
	}
	return rec
}

// TestRunOfAnotherIsGoneOnWith: a run that somebody else began, or that was
// begun by a write whose answer was lost, is moved by who meets its finding.
func TestRunOfAnotherIsGoneOnWith(t *testing.T) {
	r := newRig(t, newCluster("a"), actBook).start()
	r.until("the responder is ready", func() bool { return r.worker.Ready(t.Context()) == nil })
	f := finding("shell", "a", 1)
	r.begin(0, f)
	r.publish(f)
	r.until("the run holds", r.all(1, event.RunHolding))
}

// TestInputFindsItsRun: what is said to a run that this responder does not
// move yet is not lost.
func TestInputFindsItsRun(t *testing.T) {
	r := newRig(t, newCluster("a"), actBook).start()
	r.until("the responder is ready", func() bool { return r.worker.Ready(t.Context()) == nil })
	rec := r.begin(0, finding("shell", "a", 1))
	r.say(event.Input{Run: rec.Run.ID, Kind: event.InputUndo, User: "ann"})
	r.until("the run is closed", r.all(1, event.RunClosed))
	if _, writes := r.cluster.label("a", "suspect"); writes != 0 {
		t.Errorf("%d writes", writes)
	}
}

// TestInputOutlivesAFailedAppend: an input that could not be recorded is
// recorded as soon as that works again.
func TestInputOutlivesAFailedAppend(t *testing.T) {
	r := newRig(t, newCluster("a"), actBook)
	rec := r.begin(1, finding("shell", "a", 1))
	run := newRunner(r.idle(1), rec)
	run.book = r.books[0]
	taken := false
	run.inputs <- delivery{
		input: event.Input{Run: rec.Run.ID, Kind: event.InputUndo, User: "ann"}, sequence: 7, taken: func() { taken = true },
	}
	away, cancel := context.WithCancel(t.Context())
	cancel()
	if err := run.step(away); err == nil || taken {
		t.Fatalf("step gave %v, taken is %v", err, taken)
	}
	if err := run.step(t.Context()); err != nil || !taken || run.rec.Run.Input != 7 {
		t.Errorf("step gave %v, taken is %v, the record's input %d", err, taken, run.rec.Run.Input)
	}
}

// idle is a worker that nothing runs in.
func (r *rig) idle(epoch uint64) *Worker {
	r.t.Helper()
	logger := slog.New(slog.DiscardHandler)
	w, err := NewWorker(r.t.Context(), WorkerOptions{
		Alone: true, Bus: r.bus, Books: r.books, Control: r.control, Telemetry: telemetry.Nop(), Logger: logger,
		Executor: &Executor{
			Deps:   action.Deps{Cluster: r.cluster, Logger: logger},
			Guards: guard.New(guard.Options{Control: r.control, Cluster: r.cluster}),
		},
	})
	if err != nil {
		r.t.Fatal(err)
	}
	w.log = runlog.New(r.bus, epoch)
	return w
}

// TestPauseHoldsBackAnOldIntent: an intent from before a crash is not carried
// out while effects are held back, and is afterwards.
func TestPauseHoldsBackAnOldIntent(t *testing.T) {
	r := newRig(t, newCluster("a"), actBook)
	rec := r.begin(0, finding("shell", "a", 1))
	w := r.idle(0)
	run := newRunner(w, rec)
	run.book = r.books[0]
	for run.rec.Run.Steps[0].State != event.StepIntent {
		if err := run.step(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	if err := r.control.Pause(t.Context(), Pause{By: "ann"}); err != nil {
		t.Fatal(err)
	}
	r.start()
	r.until("the step waits", func() bool { return r.runs()[0].Steps[0].Error == "pause: paused by ann" })
	if _, writes := r.cluster.label("a", "suspect"); writes != 0 {
		t.Fatalf("%d writes while paused", writes)
	}
	if _, err := r.control.Resume(t.Context(), "ann", time.Now()); err != nil {
		t.Fatal(err)
	}
	r.until("the run holds", r.all(1, event.RunHolding))
}

// landed begins a run whose effect lands, and dies before that is recorded.
func (r *rig) landed(f event.Finding) runlog.Record {
	r.t.Helper()
	rec, w := r.begin(0, f), r.idle(0)
	run := newRunner(w, rec)
	run.book = r.books[0]
	for run.rec.Run.Steps[0].State != event.StepIntent {
		if err := run.step(r.t.Context()); err != nil {
			r.t.Fatal(err)
		}
	}
	if d := w.executor.Do(r.t.Context(), run.book, run.rec.Run, 0, time.Now().UTC()); d.Failure != "" {
		r.t.Fatal(d.Error)
	}
	return rec
}

// TestLandedBeforeThePause: an effect that landed before a crash, and of which
// that was not recorded, is taken for done while effects are held back: it is
// not written again, and it ends at its time.
func TestLandedBeforeThePause(t *testing.T) {
	r := newRig(t, newCluster("a"), actBook)
	rec := r.landed(finding("shell", "a", 1))
	if err := r.control.Pause(t.Context(), Pause{By: "ann"}); err != nil {
		t.Fatal(err)
	}
	r.start()
	r.until("the run holds", r.all(1, event.RunHolding))
	if v, writes := r.cluster.label("a", "suspect"); writes != 1 || v != "yes" {
		t.Errorf("%d writes, label %q", writes, v)
	}
	r.say(event.Input{Run: rec.Run.ID, Kind: event.InputUndo, User: "ann"})
	r.until("the run is closed", r.all(1, event.RunClosed))
	if v, writes := r.cluster.label("a", "suspect"); writes != 2 || v != "" {
		t.Errorf("after the undo %d writes, label %q", writes, v)
	}
	r.chained()
}

// TestLandedUnseen: an effect that landed before a crash, and of which that was
// not recorded, is not written a second time when the object can't be read for a
// while.
func TestLandedUnseen(t *testing.T) {
	r := newRig(t, newCluster("a"), actBook)
	r.landed(finding("shell", "a", 1))
	r.cluster.blind.Store(true)
	if err := r.control.Pause(t.Context(), Pause{By: "ann"}); err != nil {
		t.Fatal(err)
	}
	r.start()
	r.until("the intent waits", func() bool { s := r.runs()[0].Steps[0]; return s.State == event.StepIntent && s.NotBefore != nil })
	if _, err := r.control.Resume(t.Context(), "ann", time.Now()); err != nil {
		t.Fatal(err)
	}
	r.cluster.blind.Store(false)
	r.until("the run holds", r.all(1, event.RunHolding))
	if v, writes := r.cluster.label("a", "suspect"); writes != 1 || v != "yes" {
		t.Errorf("%d writes, label %q", writes, v)
	}
	r.chained()
}

// TestPauseFillsNoLog: while it is paused, a run adds no records.
func TestPauseFillsNoLog(t *testing.T) {
	r := newRig(t, newCluster("a"), actBook)
	rec := r.begin(0, finding("shell", "a", 1))
	w := r.idle(0)
	now := time.Now().UTC()
	w.clock = func() time.Time { return now }
	if err := r.control.Pause(t.Context(), Pause{By: "ann"}); err != nil {
		t.Fatal(err)
	}
	run := newRunner(w, rec)
	run.book = r.books[0]
	for run.rec.Run.Steps[0].Error == "" {
		if err := run.step(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	before, reads := run.rec.Run.Record, r.cluster.count()
	for range 100 {
		now = now.Add(2 * time.Second)
		if err := run.step(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	if n := run.rec.Run.Record - before; n != 0 {
		t.Errorf("%d records", n)
	}
	if n := r.cluster.count() - reads; n != 0 {
		t.Errorf("%d reads of the cluster", n)
	}
}

// TestPoisonHoldsNobodyUp: findings that can never be worked off leave the
// others their turn.
func TestPoisonHoldsNobodyUp(t *testing.T) {
	r := newRig(t, newCluster("a"), actBook).start()
	for i := range 2 * maxEffects {
		f := finding("shell", "../../nodes/"+strings.Repeat("n", i), i)
		r.publish(f)
		f = finding("shell", "b\x1b[31m\u202e", i)
		f.Subject.Namespace = "%2e%2e"
		r.publish(f)
		big := finding("other", "a", i)
		big.Subject.Name = strings.Repeat("x", 900<<10)
		big.ID = event.HashID("big", big.ID)
		if i < 3 {
			r.publish(big)
		}
		if _, err := r.bus.Publish(t.Context(), bus.SubjectFinding(event.HashID("no", f.ID)), []byte(`{"id":""}`)); err != nil {
			t.Fatal(err)
		}
	}
	r.publish(finding("shell", "a", 1))
	r.until("the good one holds", func() bool { v, _ := r.cluster.label("a", "suspect"); return v == "yes" })
	r.until("all are done with", func() bool { lag, err := r.worker.Lag(t.Context()); return err == nil && lag == 0 })
}

// TestParametersAreThoseOfThePlan: an expression that gives something else
// later does not change what is undone, nor keep it from being undone.
func TestParametersAreThoseOfThePlan(t *testing.T) {
	const text = `apiVersion: firebreak.io/v1alpha1
kind: Playbook
metadata: {name: mark}
spec:
  when: 'true'
  mode: act
  steps:
    - name: label
      action: pod.label
      with: {labels: {suspect: '${steps.label.state == "pending" || steps.label.state == "planned" ? "yes" : "not a label!"}'}}
`
	r := newRig(t, newCluster("a"), text).start()
	r.publish(finding("shell", "a", 1))
	r.until("the run holds", r.all(1, event.RunHolding))
	r.say(event.Input{Run: r.runs()[0].ID, Kind: event.InputUndo, User: "ann"})
	r.until("the run is closed", r.all(1, event.RunClosed))
	if v, writes := r.cluster.label("a", "suspect"); v != "" || writes != 2 {
		t.Errorf("label %q after %d writes", v, writes)
	}
}

// TestRunLogTellsItsOwn: who may append after what, and what the answers are
// when somebody else was first.
func TestRunLogTellsItsOwn(t *testing.T) {
	r := newRig(t, newCluster("a"), actBook)
	log := runlog.New(r.bus, 3)
	rec := r.begin(3, finding("shell", "a", 1))
	if _, err := log.Create(t.Context(), rec.Run); !errors.Is(err, bus.ErrExists) {
		t.Errorf("a second create gave %v", err)
	}
	next, err := log.Append(t.Context(), rec, rec.Run)
	if err != nil || next.Run.Record != 2 || next.Run.Previous != rec.Hash || next.Run.Epoch != 3 {
		t.Fatalf("append gave %+v, %v", next, err)
	}
	if _, err := log.Append(t.Context(), rec, rec.Run); !errors.Is(err, bus.ErrConflict) {
		t.Errorf("an append after an old record gave %v", err)
	}
	if _, err := runlog.New(r.bus, 2).Append(t.Context(), next, next.Run); !errors.Is(err, runlog.ErrStale) {
		t.Errorf("an append under an old lease gave %v", err)
	}
	if _, err := log.Load(t.Context(), event.HashID("none")); !errors.Is(err, bus.ErrNotFound) {
		t.Errorf("a run that is not there gave %v", err)
	}
	last, err := log.Load(t.Context(), rec.Run.ID)
	if err != nil || last.Hash != next.Hash || last.Sequence != next.Sequence {
		t.Errorf("load gave %+v, %v; want what was appended", last, err)
	}
	data, err := json.Marshal(last.Run)
	if err != nil || receipt.Hash(data) != last.Hash {
		t.Errorf("the record's hash is not that of its bytes (%v)", err)
	}
}
