package respond

import (
	"testing"
	"time"

	"github.com/firebreak-io/firebreak/internal/event"
)

// TestRunsTimeIsUp: when a run's time is up no further effect begins, whether it
// waits for people, for a guard or for another try; what was done holds for its
// time, and the run wakes for it by itself.
func TestRunsTimeIsUp(t *testing.T) {
	limited := func(change func(*Playbook)) *Playbook {
		return book(func(b *Playbook) { b.Timeout = 10 * time.Minute; change(b) })
	}
	for name, tt := range map[string]struct {
		change func(*Playbook)
		set    func(*world)
		last   event.StepState
		state  event.RunState
	}{
		"it waits for people": {
			func(b *Playbook) { b.Steps[2].Approve = &Approve{Need: 1, Within: time.Hour} }, func(*world) {}, event.StepSkipped, event.RunHolding,
		},
		"a guard holds it back": {func(*Playbook) {}, func(w *world) {
			w.verdict = func(step int) []event.Verdict {
				if step == 2 {
					return []event.Verdict{{Guard: "pause", Decision: event.Wait, Reason: "paused"}}
				}
				return nil
			}
		}, event.StepSkipped, event.RunHolding},
		"it is tried in vain": {func(b *Playbook) { b.Steps[2].Retry = Retry{Attempts: 100, Backoff: time.Minute} }, func(w *world) {
			w.fail = func(kind EffectKind, step int) Failure {
				if step == 2 && kind == EffectDo {
					return FailedRetry
				}
				return ""
			}
		}, event.StepSkipped, event.RunHolding},
		"all has begun in time": {func(*Playbook) {}, func(*world) {}, event.StepDone, event.RunHolding},
	} {
		t.Run(name, func(t *testing.T) {
			w := play(t, limited(tt.change))
			tt.set(w)
			w.turn()
			for range 40 {
				_, wake := DueAll(w.book, w.run, w.now)
				if wake.IsZero() || wake.After(start.Add(11*time.Minute)) {
					break
				}
				w.later(max(wake.Sub(w.now), time.Second))
			}
			w.later(max(start.Add(12*time.Minute).Sub(w.now), 0))
			if s := w.run.Steps[2]; s.State != tt.last {
				t.Errorf("the step is %s: %s", s.State, s.Error)
			}
			if w.run.State != tt.state || !Held(w.run.Steps[0]) {
				t.Errorf("the run is %s: %s", w.run.State, w.run.Reason)
			}
			w.verdict, w.fail = nil, nil
			w.later(2 * time.Hour)
			want := event.RunExpired
			if tt.last == event.StepDone {
				want = event.RunClosed
			}
			if w.run.State != want {
				t.Errorf("it ends %s: %s", w.run.State, w.run.Reason)
			}
		})
	}
}
