package respond

import (
	"cmp"
	"slices"
	"time"

	"github.com/firebreak-io/firebreak/internal/event"
)

// waitForTarget is how often a run looks whether its target is free.
const waitForTarget = 100 * time.Millisecond

// taken says whether another run works on the run's target now, so that this
// one has to wait: one at a time, in the order of their playbooks. Runs that
// hold, or wait for people, are in nobody's way; undoing waits for nobody.
func (w *Worker) taken(run event.Run) bool {
	if run.Target.UID == "" || begunNow(run) {
		return false // what has begun is ended first, or two would wait for each other
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, other := range w.live {
		if other.ID != run.ID && other.Target.UID == run.Target.UID && other.Mode != event.ModeObserve &&
			(begunNow(other) || busy(other) && turn(other, run) < 0) {
			return true
		}
	}
	return false
}

// begunNow says whether an effect of the run is under way.
func begunNow(run event.Run) bool {
	return slices.ContainsFunc(run.Steps, func(s event.Step) bool { return s.State == event.StepIntent })
}

func busy(run event.Run) bool {
	return run.State == event.RunGuarding || run.State == event.RunRunning
}

// turn says which of two runs goes first.
func turn(a, b event.Run) int {
	return cmp.Or(cmp.Compare(a.Order, b.Order), a.Created.Compare(b.Created), cmp.Compare(a.ID, b.ID))
}
