package respond

import (
	"cmp"
	"slices"
	"time"

	"github.com/firebreak-io/firebreak/internal/event"
)

// waitForTarget is how often a run looks whether its target is free, should
// nobody tell it.
const waitForTarget = 500 * time.Millisecond

// taken says whether another run works on the run's target now, so that this
// one has to wait: one at a time, in the order of their playbooks. Runs that
// hold, wait for people, or draw up what people are to be asked are in nobody's
// way; undoing waits for nobody.
func (w *Worker) taken(run event.Run) bool {
	if run.Target.UID == "" || begunNow(run) {
		return false // what has begun is ended first, or two would wait for each other
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	if c := w.claims[run.Target.UID]; c != nil && c.run != run.ID {
		return true
	}
	return w.works(run)
}

// works says whether a stored run has to be waited for. The lock is held.
func (w *Worker) works(run event.Run) bool {
	for id := range w.about[run.Target.UID] {
		if id != run.ID && Waits(run, w.live[id]) {
			return true
		}
	}
	return false
}

// Waits says whether a run has to wait for another one of its target. It is pure.
func Waits(run, other event.Run) bool {
	if run.Target.UID == "" || run.Target.UID != other.Target.UID || begunNow(run) || other.Mode == event.ModeObserve {
		return false
	}
	return begunNow(other) || busy(other) && turn(other, run) < 0
}

// attend notes the newest record of a run that is moved here, and has those look
// again that may wait for it. The lock is held.
func (w *Worker) attend(run event.Run) {
	before, known := w.live[run.ID]
	w.live[run.ID] = run
	uid := run.Target.UID
	if uid == "" {
		return
	}
	if !known {
		if w.about[uid] == nil {
			w.about[uid] = map[string]bool{}
		}
		w.about[uid][run.ID] = true
		return
	}
	if begunNow(before) != begunNow(run) || busy(before) != busy(run) {
		w.nudge(run)
	}
}

// unattend forgets a run that is no longer moved here. The lock is held.
func (w *Worker) unattend(run event.Run) {
	delete(w.live, run.ID)
	of := w.about[run.Target.UID]
	if delete(of, run.ID); len(of) == 0 {
		delete(w.about, run.Target.UID)
	}
	w.nudge(run)
}

// nudge has the other runs of a target look whether it is free. The lock is held.
func (w *Worker) nudge(run event.Run) {
	for id := range w.about[run.Target.UID] {
		if r := w.runners[id]; r != nil && id != run.ID {
			select {
			case r.nudged <- struct{}{}:
			default: // it is going to look
			}
		}
	}
}

// begunNow says whether an effect of the run is under way.
func begunNow(run event.Run) bool {
	return slices.ContainsFunc(run.Steps, func(s event.Step) bool { return s.State == event.StepIntent })
}

// busy says whether a run has effects before it that need nobody's consent, or
// have it.
func busy(run event.Run) bool {
	return run.State == event.RunRunning || run.State == event.RunGuarding && run.Mode == event.ModeAct
}

// turn says which of two runs goes first.
func turn(a, b event.Run) int {
	return cmp.Or(cmp.Compare(a.Order, b.Order), a.Created.Compare(b.Created), cmp.Compare(a.ID, b.ID))
}
