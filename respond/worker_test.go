package respond

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/firebreak-io/firebreak/internal/bus"
	"github.com/firebreak-io/firebreak/internal/conf"
	"github.com/firebreak-io/firebreak/internal/event"
	"github.com/firebreak-io/firebreak/internal/telemetry"
	"github.com/firebreak-io/firebreak/respond/action"
	"github.com/firebreak-io/firebreak/respond/guard"
	"github.com/firebreak-io/firebreak/respond/runlog"
	"github.com/firebreak-io/firebreak/test/wait"
)

const actBook = `apiVersion: firebreak.io/v1alpha1
kind: Playbook
metadata: {name: mark}
spec:
  when: finding.rule == "shell"
  mode: act
  steps:
    - name: label
      action: pod.label
      with: {labels: {suspect: "yes"}}
      undo_after: 1h
`

// rig is a responder on a real bus and a stand-in cluster.
type rig struct {
	t       *testing.T
	dir     string
	bus     *bus.Bus
	cluster *cluster
	books   []*Playbook
	control *Control
	worker  *Worker
	// every and orphan are those of the reconciler.
	every, orphan time.Duration
	now           func() time.Time
	// first, if set, is for how long a run may be worked on before it is stored.
	first time.Duration
	// limits, if set, are those of a ledger that the guards keep.
	limits *guard.Limits
	cancel context.CancelFunc
	ended  chan error
	log    logged
}

// logged is what a responder writes to its log.
type logged struct {
	mu   sync.Mutex
	text strings.Builder
}

func (l *logged) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(p)
}

func newRig(t *testing.T, c *cluster, books ...string) *rig {
	r := &rig{t: t, dir: t.TempDir(), cluster: c}
	for _, text := range books {
		r.books = append(r.books, parse(t, text))
	}
	r.open()
	t.Cleanup(func() {
		r.crash()
		_ = r.bus.Close()
	})
	return r
}

func parse(t *testing.T, text string) *Playbook {
	t.Helper()
	docs, err := conf.Documents("book.yaml", []byte(text))
	if err != nil {
		t.Fatal(err)
	}
	b, err := ParsePlaybook(docs[0])
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func (r *rig) open() {
	b, err := bus.Open(r.t.Context(), bus.Options{Dir: r.dir})
	if err != nil {
		r.t.Fatal(err)
	}
	r.bus, r.control = b, NewControl(b, event.ModeAct)
}

// start starts a responder, as a new process would.
func (r *rig) start() *rig {
	r.t.Helper()
	ctx, cancel := context.WithCancel(r.t.Context())
	o := guard.Options{Control: r.control, Cluster: r.cluster, Self: "system:serviceaccount:firebreak:firebreak"}
	if r.limits != nil {
		o.Limits, o.Ledger = *r.limits, guard.NewLedger(r.bus.Control())
	}
	guards := guard.New(o)
	w, err := NewWorker(ctx, WorkerOptions{
		Now: r.now, Reconcile: r.every, Orphan: r.orphan,
		Alone: true, Bus: r.bus, Books: r.books, Control: r.control, Telemetry: telemetry.Nop(), Logger: slog.New(slog.NewTextHandler(&r.log, nil)),
		Executor: &Executor{Deps: action.Deps{Cluster: r.cluster, Logger: slog.New(slog.DiscardHandler)}, Guards: guards},
	})
	if err != nil {
		r.t.Fatal(err)
	}
	w.firstFor = cmp.Or(r.first, w.firstFor)
	r.worker = w
	r.cancel, r.ended = cancel, make(chan error, 1)
	go func() { r.ended <- w.Run(ctx) }()
	return r
}

func (r *rig) crash() {
	if r.cancel == nil {
		return
	}
	r.cancel()
	if err := <-r.ended; err != nil && !errors.Is(err, context.Canceled) {
		r.t.Errorf("worker: %v", err)
	}
	r.cancel = nil
}

func finding(rule, pod string, n int) event.Finding {
	now := time.Now().UTC()
	return event.Finding{
		ID: event.FindingID(rule, pod, fmt.Sprint(n)), Rule: rule, Severity: event.SeverityHigh, Trust: event.TrustRuntime,
		Source: event.SourceFalco, Subject: event.PodRef("shop", pod), Time: now, Received: now,
	}
}

func (r *rig) publish(f event.Finding) {
	r.t.Helper()
	data, err := json.Marshal(f)
	if err != nil {
		r.t.Fatal(err)
	}
	if _, err := r.bus.Create(r.t.Context(), bus.SubjectFinding(f.ID), data); err != nil && !errors.Is(err, bus.ErrExists) {
		r.t.Fatal(err)
	}
}

func (r *rig) runs() []event.Run {
	r.t.Helper()
	var runs []event.Run
	for rec, err := range runlog.New(r.bus, 0).All(r.t.Context()) {
		if err != nil {
			r.t.Fatal(err)
		}
		runs = append(runs, rec.Run)
	}
	return runs
}

// until waits for a condition.
func (r *rig) until(what string, ok func() bool) {
	r.t.Helper()
	if wait.Within(wait.Patience, ok) {
		return
	}
	for _, run := range r.runs() {
		r.t.Logf("run %s: %s %s %+v", run.ID, run.State, run.Reason, run.Steps)
	}
	r.t.Fatalf("waited in vain until %s", what)
}

func (r *rig) all(n int, state event.RunState) func() bool {
	return func() bool {
		runs := r.runs()
		for _, run := range runs {
			if run.State != state {
				return false
			}
		}
		return len(runs) == n
	}
}

// TestFindingBecomesOneEffect: the same finding and others about the same pod,
// delivered many times, give one run and one write.
func TestFindingBecomesOneEffect(t *testing.T) {
	r := newRig(t, newCluster("a", "b"), actBook).start()
	for range 3 {
		r.publish(finding("shell", "a", 1))
		r.publish(finding("shell", "a", 2))
		r.publish(finding("other", "b", 1))
	}
	r.until("the run holds", r.all(1, event.RunHolding))
	if v, writes := r.cluster.label("a", "suspect"); v != "yes" || writes != 1 {
		t.Errorf("label %q after %d writes", v, writes)
	}
	if v, writes := r.cluster.label("b", "suspect"); v != "" || writes != 0 {
		t.Errorf("the other pod: label %q after %d writes", v, writes)
	}
}

// TestRestartsDoNotRepeat kills the responder again and again while findings
// come in: each pod is written once, and undone once.
func TestRestartsDoNotRepeat(t *testing.T) {
	const pods = 20
	var names []string
	for i := range pods {
		names = append(names, fmt.Sprintf("p%d", i))
	}
	r := newRig(t, newCluster(names...), actBook)
	for i, name := range names {
		r.start()
		r.publish(finding("shell", name, i))
		r.until("something moved", func() bool { return len(r.runs()) > i })
		r.crash()
	}
	r.start().until("all hold", r.all(pods, event.RunHolding))
	for _, name := range names {
		if v, writes := r.cluster.label(name, "suspect"); v != "yes" || writes != 1 {
			t.Errorf("%s: label %q after %d writes", name, v, writes)
		}
	}
	for _, run := range r.runs() {
		r.say(event.Input{Run: run.ID, Kind: event.InputUndo, User: "ann"})
	}
	r.crash()
	r.start().until("all are closed", r.all(pods, event.RunClosed))
	for _, name := range names {
		if v, writes := r.cluster.label(name, "suspect"); v != "" || writes != 2 {
			t.Errorf("%s: label %q after %d writes", name, v, writes)
		}
	}
	r.chained()
}

func (r *rig) say(in event.Input) {
	r.t.Helper()
	data, err := json.Marshal(in)
	if err != nil {
		r.t.Fatal(err)
	}
	if _, err := r.bus.Publish(r.t.Context(), bus.SubjectInput(in.Run), data); err != nil {
		r.t.Fatal(err)
	}
}

// chained checks that each record names the hash of the one before, and that
// an intent stands before every effect.
func (r *rig) chained() {
	r.t.Helper()
	log := runlog.New(r.bus, 0)
	for _, run := range r.runs() {
		var last runlog.Record
		intent := map[string]bool{}
		for rec, err := range log.History(r.t.Context(), run.ID) {
			if err != nil {
				r.t.Fatal(err)
			}
			if rec.Run.Record != last.Run.Record+1 || rec.Run.Previous != last.Hash {
				r.t.Errorf("run %s: record %d does not follow %d", run.ID, rec.Run.Record, last.Run.Record)
			}
			for _, s := range rec.Run.Steps {
				intent[s.Name] = intent[s.Name] || s.State == event.StepIntent
				if s.Receipt != nil && !intent[s.Name] {
					r.t.Errorf("run %s: step %s is done without an intent", run.ID, s.Name)
				}
			}
			last = rec
		}
	}
}

// TestAnotherRunAfterTheFirst: what goes on with a target after its run is over
// begins the next; what was found before belongs to the first, however often
// it is read.
func TestAnotherRunAfterTheFirst(t *testing.T) {
	r := newRig(t, newCluster("a"), actBook).start()
	for i := range 3 {
		r.publish(finding("shell", "a", i))
		r.until("a run holds", func() bool { return len(r.in(event.RunHolding)) == 1 && len(r.runs()) == i+1 })
		r.publish(finding("shell", "a", 100+i)) // which the run answers already
		r.say(event.Input{Run: r.in(event.RunHolding)[0].ID, Kind: event.InputUndo, User: "ann"})
		r.until("the run is closed", r.all(i+1, event.RunClosed))
	}
	// All findings are read again, as after a crash that lost the position.
	r.crash()
	if _, err := r.bus.Control().Put(t.Context(), "cursor.findings", []byte("0")); err != nil {
		t.Fatal(err)
	}
	r.start()
	r.until("all are read", func() bool { lag, err := r.worker.Lag(t.Context()); return err == nil && lag == 0 && r.worker.Active() })
	r.until("all are closed", r.all(3, event.RunClosed))
	for i, run := range r.runs() {
		if run.Generation != i+1 || run.Incident.ID != r.runs()[0].Incident.ID {
			t.Errorf("run %d has generation %d in incident %s", i, run.Generation, run.Incident.ID)
		}
	}
	if _, writes := r.cluster.label("a", "suspect"); writes != 6 {
		t.Errorf("%d writes, want one and its undo for each of three runs", writes)
	}
}

func (r *rig) in(state event.RunState) []event.Run {
	return slices.DeleteFunc(r.runs(), func(run event.Run) bool { return run.State != state })
}

func TestPauseHoldsEffectsBack(t *testing.T) {
	r := newRig(t, newCluster("a"), actBook).start()
	if err := r.control.Pause(t.Context(), Pause{By: "ann", Time: time.Now()}); err != nil {
		t.Fatal(err)
	}
	r.publish(finding("shell", "a", 1))
	r.until("the step waits", func() bool {
		runs := r.runs()
		return len(runs) == 1 && runs[0].Steps[0].Error == "pause: paused by ann"
	})
	if _, writes := r.cluster.label("a", "suspect"); writes != 0 {
		t.Fatalf("%d writes while paused", writes)
	}
	if _, err := r.control.Resume(t.Context(), "ann", time.Now()); err != nil {
		t.Fatal(err)
	}
	r.until("the run holds", r.all(1, event.RunHolding))
}

// TestStaleResponderStops: one that wakes up after another took over can't
// write to the run any more.
func TestStaleResponderStops(t *testing.T) {
	r := newRig(t, newCluster("a"), actBook).start()
	r.publish(finding("shell", "a", 1))
	r.until("the run holds", r.all(1, event.RunHolding))
	run := r.runs()[0]
	old := runlog.New(r.bus, run.Epoch)
	rec, err := old.Load(t.Context(), run.ID)
	if err != nil {
		t.Fatal(err)
	}
	r.crash()
	r.start()
	r.say(event.Input{Run: run.ID, Kind: event.InputUndo, User: "ann"})
	r.until("the run is closed", r.all(1, event.RunClosed))
	rec.Run.Reason = "late"
	if _, err := old.Append(t.Context(), rec, rec.Run); !errors.Is(err, bus.ErrConflict) {
		t.Errorf("a late append gave %v", err)
	}
	now, err := old.Load(t.Context(), run.ID)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := old.Append(t.Context(), now, now.Run); !errors.Is(err, runlog.ErrStale) {
		t.Errorf("an append under the old lease gave %v", err)
	}
}

func TestGoneTargetIsRecorded(t *testing.T) {
	r := newRig(t, newCluster(), actBook).start()
	r.publish(finding("shell", "nobody", 1))
	r.until("the run failed", func() bool {
		runs := r.runs()
		return len(runs) == 1 && runs[0].State.Terminal() && runs[0].State != event.RunClosed
	})
}
