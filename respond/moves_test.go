package respond

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/firebreak-io/firebreak/internal/event"
)

// TestApprovalCoversOnlyWhatWasShown: an effect that comes to need approval
// while people are asked for another is not granted with it.
func TestApprovalCoversOnlyWhatWasShown(t *testing.T) {
	w := play(t, book())
	held, asked := true, map[int]int{}
	w.verdict = func(step int) []event.Verdict {
		var v []event.Verdict
		if asked[step]++; step == 2 || asked[step] > 1 {
			v = append(v, event.Verdict{Guard: "freshness", Decision: event.Ask})
		}
		if held {
			v = append(v, event.Verdict{Guard: "pause", Decision: event.Wait, Reason: "paused"})
		}
		return v
	}
	w.turn().want(event.RunAwaiting, "")
	alone := move{book: w.book, run: &w.run}.bound([]int{2})
	w.vote("ann", true, func(v *event.Vote) { v.Digest = alone })
	if s := w.run.Steps[0]; s.Approved != "" {
		t.Fatalf("step %s is approved, and was never shown", s.Name)
	}
	held = false
	w.later(time.Second).want(event.RunAwaiting, "")
	w.vote("ann", true).want(event.RunHolding, "")
}

// TestUndoReachesWhatIsUnderWay: an undo that comes while a write is on its way
// ends the hold as it was asked to, whatever the run's end was before.
func TestUndoReachesWhatIsUnderWay(t *testing.T) {
	tests := map[string]struct {
		before func(*world)
		fail   Failure
		end    event.AtEnd
	}{
		"it lands":                {func(*world) {}, "", event.AtEndDelete},
		"it lands, after a no":    {func(w *world) { w.run.End = event.RunDenied }, "", event.AtEndDelete},
		"its answer is lost":      {func(*world) {}, FailedRetry, event.AtEndDelete},
		"the target had changed":  {func(*world) {}, FailedConflict, event.AtEndDelete},
		"restoring is what holds": {func(*world) {}, "", ""},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			w := play(t, book(func(b *Playbook) {
				for i := range b.Steps {
					b.Steps[i].AtEnd = event.AtEndAsk
				}
			}))
			for w.run.Steps[0].State != event.StepIntent {
				e, _ := Due(w.book, w.run, w.now)
				w.carry(*e)
			}
			tt.before(w)
			w.fail = func(k EffectKind, step int) Failure {
				if k == EffectDo && step == 0 {
					return tt.fail
				}
				return ""
			}
			w.undo(tt.end)
			want := tt.end
			if want == "" {
				want = event.AtEndRestore
			}
			if s := w.run.Steps[0]; s.Undo == nil || s.AtEnd != want {
				t.Errorf("step is %s, at_end %q, undo %v; want it undone by %s", s.State, s.AtEnd, s.Undo, want)
			}
			if !w.run.State.Terminal() {
				t.Errorf("run rests in %s", w.run.State)
			}
		})
	}
}

// TestRefusedVotesAreBounded: no number of them makes a record that can't be
// written.
func TestRefusedVotesAreBounded(t *testing.T) {
	w := play(t, book(two)).turn()
	for range 1000 {
		w.vote("ann", true, func(v *event.Vote) {
			v.Reason = strings.Repeat("x", 1024)
			v.Groups = []string{strings.Repeat("g", 1<<16)}
		})
	}
	if n := len(w.run.Approval.Votes); n > maxVotes {
		t.Errorf("%d votes are recorded", n)
	}
	if g := w.run.Approval.Votes[0].Groups; len(g) != 0 {
		t.Errorf("%d groups that don't count are recorded", len(g))
	}
	w.vote("bob", true).want(event.RunHolding, "")
	last := w.run.Approval.Votes[len(w.run.Approval.Votes)-1]
	if last.User != "bob" || last.Refused != "" {
		t.Errorf("the vote that counted is not the last recorded: %+v", last)
	}
}

// TestWaitingIsToldOnce: a pause of a weekend leaves no record a second.
func TestWaitingIsToldOnce(t *testing.T) {
	w := play(t, book())
	w.verdict = func(int) []event.Verdict {
		return []event.Verdict{{Guard: "pause", Decision: event.Wait, Reason: "paused"}, {Guard: "freshness", Reason: fmt.Sprint(w.now)}}
	}
	w.turn()
	w.now = w.now.Add(time.Minute)
	before := w.run
	e, _ := Due(w.book, w.run, w.now)
	if e == nil || e.Kind != EffectPlan {
		t.Fatalf("due is %+v, want the plan again", e)
	}
	w.carry(*e)
	if !w.run.Updated.Equal(before.Updated) {
		t.Error("the record changed although nothing did")
	}
}

// TestTellingWaitsForWhatItIsAbout: in mode ask a note about how an effect
// went is not dismissed before the effect was decided on.
func TestTellingWaitsForWhatItIsAbout(t *testing.T) {
	b := book(ask, func(b *Playbook) {
		b.Steps[1].when = func(e Env) (bool, error) { return e.Steps["isolate"].State == "done", nil }
	})
	w := play(t, b).turn()
	w.want(event.RunAwaiting, plans)
	w.vote("ann", true).want(event.RunHolding, plans+", plan isolate, do isolate, plan tell, do tell, plan mark, do mark")

	w = play(t, b).turn().vote("ann", false)
	w.want(event.RunDenied, plans)
	if s := w.run.Steps[1]; s.State != event.StepSkipped {
		t.Errorf("the note is %s", s.State)
	}
}

// TestNoOpenQuestionIsLeft: an approval that nothing waits for is closed.
func TestNoOpenQuestionIsLeft(t *testing.T) {
	w := play(t, book())
	w.verdict = func(step int) []event.Verdict {
		if step == 2 {
			return []event.Verdict{{Guard: "g", Decision: event.Ask}}
		}
		return nil
	}
	w.fail = func(k EffectKind, step int) Failure {
		if k == EffectDo && step == 0 {
			return FailedFinal
		}
		return ""
	}
	w.turn().want(event.RunFailed, "")
	if a := w.run.Approval; a == nil || a.State != event.ApprovalVoid {
		t.Errorf("approval is %+v, want it void", a)
	}
}

// TestUndoOfWhatIsGone counts as done.
func TestUndoOfWhatIsGone(t *testing.T) {
	w := play(t, book()).turn()
	w.fail = func(k EffectKind, _ int) Failure {
		if k == EffectUndo {
			return FailedGone
		}
		return ""
	}
	w.undo("").want(event.RunClosed, "")
	if u := w.run.Steps[0].Undo; u == nil || u.Result != event.ResultGone {
		t.Errorf("undo is %+v", u)
	}
}

// TestRefusedTwiceNeedsAHuman: when neither the write nor its undo is allowed,
// nobody knows what is there, and trying for ever would not tell.
func TestRefusedTwiceNeedsAHuman(t *testing.T) {
	w := play(t, book())
	w.fail = func(k EffectKind, step int) Failure {
		if step == 0 && k != EffectPlan {
			return FailedFinal
		}
		return ""
	}
	w.turn().want(event.RunNeedsHuman, "")
}

// TestHeldIntentIsPlannedAgain: an effect that a guard stands against when it
// is about to be sent goes back to planning, and is not counted as a failure.
func TestHeldIntentIsPlannedAgain(t *testing.T) {
	w := play(t, book())
	held := true
	w.fail = func(k EffectKind, step int) Failure {
		if k == EffectDo && step == 0 && held {
			return FailedHeld
		}
		return ""
	}
	w.turn()
	for range 20 {
		w.later(time.Second).want(event.RunRunning, "")
	}
	held = false
	w.later(time.Second).want(event.RunHolding, "")
}
