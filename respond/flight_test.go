package respond

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"testing"

	"github.com/firebreak-io/firebreak/internal/event"
	"github.com/firebreak-io/firebreak/internal/telemetry"
	"github.com/firebreak-io/firebreak/respond/guard"
)

const besideBook = `apiVersion: firebreak.io/v1alpha1
kind: Playbook
metadata: {name: beside}
spec:
  when: finding.rule == "shell"
  mode: act
  steps:
    - parallel:
        - {name: one, action: pod.label, with: {labels: {suspect: "yes"}}, undo_after: 1h}
        - {name: two, action: pod.label, target: 'pod("shop", "b")', with: {labels: {suspect: "yes"}}, undo_after: 1h}
        - name: each
          action: pod.label
          for_each: '[pod("shop", "c"), pod("shop", "d"), pod("shop", "e"), pod("shop", "f"), pod("shop", "g"), pod("shop", "h")]'
          at_most: 6
          with: {labels: {suspect: "yes"}}
          undo_after: 1h
    - {name: last, action: pod.label, target: 'pod("shop", "i")', with: {labels: {suspect: "yes"}}, undo_after: 1h}
`

var besidePods = []string{"a", "b", "c", "d", "e", "f", "g", "h", "i"}

// gathering lets writes through once so many of them are there at a time.
type gathering struct {
	mu           sync.Mutex
	here, most   int
	want         int
	full         chan struct{}
	seen         []string
	unannounced  []string
	announcedFor func(event.Write) bool
}

func (g *gathering) come(ctx context.Context, w event.Write) error {
	if g.announcedFor != nil && !g.announcedFor(w) {
		g.mu.Lock()
		g.unannounced = append(g.unannounced, w.Name)
		g.mu.Unlock()
	}
	g.mu.Lock()
	g.seen = append(g.seen, w.Name)
	if g.here++; g.here == g.want {
		close(g.full)
	}
	g.most = max(g.most, g.here)
	g.mu.Unlock()
	defer func() {
		g.mu.Lock()
		g.here--
		g.mu.Unlock()
	}()
	select {
	case <-g.full:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// announced says whether the stored record of the run shows the write as the
// intent of a step.
func (r *rig) announced(w event.Write) bool {
	for _, run := range r.runs() {
		for _, s := range run.Steps {
			if (s.State == event.StepIntent || s.State == event.StepReverting) && s.Plan.Target.Name == w.Name {
				return true
			}
		}
	}
	return false
}

// TestStepsGoSideBySide: the writes of parallel steps are under way at the same
// time, as many as a run may have and no more; each stands in the log as an
// intent before it is sent; what comes after waits for all of them; and of all
// places in the budgets none is left taken.
func TestStepsGoSideBySide(t *testing.T) {
	r := newRig(t, newCluster(besidePods...), besideBook)
	limits := guard.Unlimited()
	r.limits = &limits
	g := &gathering{want: maxFlights, full: make(chan struct{}), announcedFor: r.announced}
	r.cluster.sent = g.come
	r.start()
	r.publish(finding("shell", "a", 1))
	r.until("the run holds", r.all(1, event.RunHolding))
	if g.most != maxFlights || len(g.unannounced) > 0 || len(g.seen) != len(besidePods) || g.seen[len(g.seen)-1] != "i" {
		t.Errorf("%d writes at a time, without an intent %v, in the order %v", g.most, g.unannounced, g.seen)
	}
	r.say(event.Input{Run: r.runs()[0].ID, Kind: event.InputUndo, User: "ann"})
	r.until("the run is closed", r.all(1, event.RunClosed))
	for _, name := range besidePods {
		if v, writes := r.cluster.label(name, "suspect"); v != "" || writes != 2 {
			t.Errorf("%s: label %q after %d writes", name, v, writes)
		}
	}
	r.chained()
	if left, err := r.worker.executor.Guards.Standing(t.Context()); err != nil || len(left) > 0 {
		t.Errorf("places are taken still: %v (%v)", left, err)
	}
}

// TestCrashWithSeveralIntents stops a responder while several writes of one run
// are under way: before they land, or after, when their answers are lost. The
// next one goes on, and writes each once.
func TestCrashWithSeveralIntents(t *testing.T) {
	for _, late := range []bool{false, true} {
		t.Run(fmt.Sprintf("landed %v", late), func(t *testing.T) {
			r := newRig(t, newCluster(besidePods...), besideBook)
			limits := guard.Unlimited()
			r.limits = &limits
			g := &gathering{want: maxFlights, full: make(chan struct{})}
			never := func(ctx context.Context, w event.Write) error {
				_ = g.come(ctx, w)
				<-ctx.Done()
				return ctx.Err()
			}
			if late {
				r.cluster.answered = never
			} else {
				r.cluster.sent = never
			}
			r.start()
			r.publish(finding("shell", "a", 1))
			r.until("several writes are under way", func() bool {
				select {
				case <-g.full:
					return true
				default:
					return false
				}
			})
			r.crash()
			intents := 0
			for _, s := range r.runs()[0].Steps {
				if s.State == event.StepIntent {
					intents++
				}
			}
			if intents < 2 {
				t.Errorf("the record holds %d intents, want several", intents)
			}
			r.cluster.sent, r.cluster.answered = nil, nil
			r.start().until("the run holds", r.all(1, event.RunHolding))
			for _, name := range besidePods {
				if v, writes := r.cluster.label(name, "suspect"); v != "yes" || writes != 1 {
					t.Errorf("%s: label %q after %d writes", name, v, writes)
				}
			}
			r.chained()
		})
	}
}

// TestUndoOvertakesParallelSteps: people's undo is taken in while steps are
// under way; what lands after it is taken back, and nothing more begins.
func TestUndoOvertakesParallelSteps(t *testing.T) {
	r := newRig(t, newCluster(besidePods...), besideBook)
	g := &gathering{want: maxFlights + 1, full: make(chan struct{})} // never by itself
	r.cluster.sent = g.come
	r.start()
	r.publish(finding("shell", "a", 1))
	r.until("writes are under way", func() bool {
		g.mu.Lock()
		defer g.mu.Unlock()
		return g.here == maxFlights
	})
	r.say(event.Input{Run: r.runs()[0].ID, Kind: event.InputUndo, User: "ann"})
	r.until("the undo is recorded", func() bool { return r.runs()[0].Stopped })
	close(g.full)
	r.until("the run is closed", r.all(1, event.RunClosed))
	for _, name := range besidePods {
		want := 0
		if strings.Contains(fmt.Sprint(g.seen[:maxFlights]), name) {
			want = 2
		}
		if v, writes := r.cluster.label(name, "suspect"); v != "" || writes != want {
			t.Errorf("%s: label %q after %d writes, want %d", name, v, writes, want)
		}
	}
	r.chained()
}

// TestFailuresCount: however an attempt fails, it is counted under its own name.
func TestFailuresCount(t *testing.T) {
	for failure, result := range map[Failure]string{
		FailedConflict: telemetry.ResultConflict, FailedGone: telemetry.ResultGone, FailedFinal: telemetry.ResultFinal, FailedHeld: telemetry.ResultHeld,
		FailedUnseen: telemetry.ResultUnseen, FailedForeign: telemetry.ResultForeign, FailedRetry: telemetry.ResultRetry,
	} {
		if got := "failed-" + string(failure); got != result {
			t.Errorf("%s is counted as %s", got, result)
		}
	}
}
