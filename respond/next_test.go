package respond

import (
	"context"
	"fmt"
	"reflect"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/firebreak-io/firebreak/internal/event"
	"github.com/firebreak-io/firebreak/respond/action"
)

var start = time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)

// book is a playbook of an effect that holds, a note, and a second effect.
func book(change ...func(*Playbook)) *Playbook {
	effect := action.Kind{Name: "pod.quarantine", Class: action.Effect, Reversible: true}
	note := action.Kind{Name: "notify.webhook", Class: action.Notify}
	step := func(name string, kind action.Kind) PlaybookStep {
		return PlaybookStep{
			Name: name, Action: kind.Name, Kind: kind, UndoAfter: time.Hour, AtEnd: event.AtEndRestore,
			OnFailure: OnFailureStop, Retry: Retry{Attempts: 3, Backoff: time.Second}, Timeout: time.Second,
		}
	}
	b := &Playbook{
		Name: "contain", Mode: event.ModeAct, Approve: Approve{Need: 1, Within: 15 * time.Minute},
		Steps: []PlaybookStep{step("isolate", effect), step("tell", note), step("mark", effect)},
	}
	for _, f := range change {
		f(b)
	}
	return b
}

// world plays the part of the worker: it does what is due, and writes down
// what was done.
type world struct {
	denied []event.Identity // those whom other runs lock out
	t      tester
	book   *Playbook
	run    event.Run
	now    time.Time
	seq    uint64
	did    []string
	// verdict and fail decide how guards and effects turn out.
	verdict func(step int) []event.Verdict
	fail    func(kind EffectKind, step int) Failure
	digest  func(step int) string
}

// tester is what tests and properties share.
type tester interface {
	Helper()
	Errorf(format string, args ...any)
	Fatalf(format string, args ...any)
}

func play(t tester, b *Playbook) *world {
	f := event.Finding{ID: "f1", Rule: "r", Trust: event.TrustRuntime, Actor: event.Actor{User: "mallory"}}
	run := Begin(b, event.Incident{ID: "i1"}, f, event.Ref{Resource: "pods", Namespace: "shop", Name: "web", UID: "u1"}, event.ModeAct, start)
	return &world{t: t, book: b, run: run, now: start}
}

func (w *world) input(in Input) {
	if in.Person != nil {
		w.seq++
		in.Sequence = w.seq
	}
	before := w.run
	w.run = Next(w.book, before, in, w.now)
	w.check(before)
}

// check holds what must be true of every move.
func (w *world) check(before event.Run) {
	if before.State.Terminal() && before.State != w.run.State {
		w.t.Fatalf("a run that is over moved from %s to %s", before.State, w.run.State)
	}
	for i, s := range w.run.Steps {
		if w.run.State.Terminal() && (Held(s) || s.State == event.StepReverting) {
			w.t.Fatalf("run is %s and step %s still holds", w.run.State, s.Name)
		}
		if w.run.State.Terminal() && w.run.State != event.RunNeedsHuman && s.Begun && w.book.StepOf(w.run, i).Holds() && s.Undo == nil {
			w.t.Fatalf("run is %s and what step %s began was never undone", w.run.State, s.Name)
		}
		if s.State == event.StepIntent && w.run.Mode != event.ModeAct && w.book.StepOf(w.run, i).Effect() {
			if s.Approved == "" || s.Approved != s.Digest {
				w.t.Fatalf("step %s goes ahead without approval of its plan", s.Name)
			}
		}
	}
}

// turn does everything that is due now.
func (w *world) turn() *world {
	for n := 0; ; n++ {
		if n > 200 {
			w.t.Fatalf("no rest: %v", w.did)
		}
		e, _ := Due(w.book, w.run, w.now)
		if e == nil {
			before := w.run
			w.input(Input{Tick: true})
			if e, _ := Due(w.book, w.run, w.now); e == nil && w.run.State == before.State {
				return w
			}
			continue
		}
		before := w.run
		if w.carry(*e); e.Kind == EffectPlan && reflect.DeepEqual(w.run, before) {
			return w // it waits for the same thing still
		}
	}
}

func (w *world) carry(e Effect) {
	f := Failure("")
	if w.fail != nil {
		f = w.fail(e.Kind, e.Step)
	}
	name := string(e.Kind) + " " + w.run.Steps[e.Step].Name
	if f != "" {
		name += " " + string(f)
	}
	w.did = append(w.did, name)
	switch e.Kind {
	case EffectTargets:
		x := Executor{}
		x.Deps.Offline = true
		targets := x.Targets(context.Background(), w.book, w.run, e.Step)
		w.input(Input{Targets: &targets})
	case EffectPlan:
		p := &Planned{Step: e.Step, Digest: fmt.Sprintf("d%d", e.Step), Failure: f, Error: string(f)}
		if w.verdict != nil {
			p.Verdicts = w.verdict(e.Step)
		}
		if w.digest != nil {
			p.Digest = w.digest(e.Step)
		}
		w.input(Input{Planned: p})
	case EffectDo:
		w.input(Input{Done: &Done{Step: e.Step, Receipt: event.Receipt{Result: event.ResultApplied}, Failure: f, Error: string(f)}})
	case EffectUndo:
		w.input(Input{Undone: &Done{Step: e.Step, Receipt: event.Receipt{Result: event.ResultUndone}, Failure: f, Error: string(f)}})
	case EffectMark:
		w.input(Input{Marked: &Done{Step: e.Step, Failure: f, Error: string(f)}})
	case EffectReset:
		w.input(Input{Reset: &Done{Step: e.Step, Receipt: event.Receipt{Result: event.ResultApplied}, Failure: f, Error: string(f)}})
	}
}

func (w *world) later(d time.Duration) *world {
	w.now = w.now.Add(d)
	return w.turn()
}

func (w *world) vote(user string, approve bool, change ...func(*event.Vote)) *world {
	v := &event.Vote{User: user, Approve: approve, Time: w.now}
	if w.run.Approval != nil {
		v.Digest = w.run.Approval.Digest
	}
	for _, f := range change {
		f(v)
	}
	w.input(Input{Person: &event.Input{Kind: event.InputVote, User: v.User, Vote: v}, Denied: w.denied})
	return w.turn()
}

func (w *world) undo(end event.AtEnd) *world {
	w.input(Input{Person: &event.Input{Kind: event.InputUndo, User: "ann", AtEnd: end}})
	return w.turn()
}

func (w *world) want(state event.RunState, did string) {
	w.t.Helper()
	if w.run.State != state {
		w.t.Errorf("run is %s (%s), want %s", w.run.State, w.run.Reason, state)
	}
	if got := strings.Join(w.did, ", "); did != "" && got != did {
		w.t.Errorf("did  %s\nwant %s", got, did)
	}
}

func ask(b *Playbook)     { b.Mode = event.ModeAsk }
func observe(b *Playbook) { b.Mode = event.ModeObserve }
func two(b *Playbook)     { b.Mode = event.ModeAsk; b.Approve.Need = 2 }

const plans = "plan isolate, plan tell, plan mark"

func TestActDoesEachStepOnceInOrder(t *testing.T) {
	w := play(t, book()).turn()
	w.want(event.RunHolding, plans+", plan isolate, do isolate, plan tell, do tell, plan mark, do mark")
	w.did = nil
	w.later(time.Hour).want(event.RunClosed, "undo mark, undo isolate")
}

func TestObserveOnlyPlans(t *testing.T) {
	play(t, book(observe)).turn().want(event.RunObserved, plans)
}

func TestAskTellsAtOnceAndWaitsWithEffects(t *testing.T) {
	w := play(t, book(ask)).turn()
	w.want(event.RunAwaiting, plans+", plan tell, do tell")
	w.did = nil
	w.vote("ann", true).want(event.RunHolding, "plan isolate, do isolate, plan mark, do mark")
}

func TestVotesThatDoNotCount(t *testing.T) {
	tests := map[string]func(*world){
		"the one in the finding": func(w *world) { w.vote("mallory", true) },
		"another plan":           func(w *world) { w.vote("ann", true, func(v *event.Vote) { v.Digest = "other" }) },
		"no name":                func(w *world) { w.vote("", true) },
		"not in the list": func(w *world) {
			w.run.Approval.By = []string{"group/oncall"}
			w.vote("ann", true, func(v *event.Vote) { v.Groups = []string{"dev"} })
		},
		"the same person twice": func(w *world) {
			w.run.Approval.Need = 2
			w.vote("ann", true).vote("ann", true)
		},
	}
	for name, votes := range tests {
		t.Run(name, func(t *testing.T) {
			w := play(t, book(ask)).turn()
			votes(w)
			w.want(event.RunAwaiting, plans+", plan tell, do tell")
			last := w.run.Approval.Votes[len(w.run.Approval.Votes)-1]
			if last.Refused == "" {
				t.Error("the vote was not refused")
			}
		})
	}
}

func TestQuorum(t *testing.T) {
	w := play(t, book(two)).turn().vote("ann", true)
	w.want(event.RunAwaiting, "")
	w.vote("bob", true).want(event.RunHolding, "")
}

func TestDenyAndExpiryEndWithoutEffect(t *testing.T) {
	play(t, book(ask)).turn().vote("ann", false).want(event.RunDenied, plans+", plan tell, do tell")
	w := play(t, book(ask)).turn().later(15 * time.Minute)
	w.want(event.RunExpired, plans+", plan tell, do tell")
	w.vote("ann", true).want(event.RunExpired, plans+", plan tell, do tell")
}

func TestAnotherPlanThanApprovedAsksAgain(t *testing.T) {
	w := play(t, book(ask)).turn()
	first := w.run.Approval.ID
	w.digest = func(int) string { return "changed" }
	w.vote("ann", true)
	w.want(event.RunAwaiting, plans+", plan tell, do tell, plan isolate, plan isolate, plan mark")
	if w.run.Approval.ID == first || w.run.Approval.State != event.ApprovalOpen {
		t.Errorf("approval %+v is not a new one", w.run.Approval)
	}
	w.vote("ann", true).want(event.RunHolding, "")
}

func TestGuardsDecide(t *testing.T) {
	say := func(d event.Decision) func(int) []event.Verdict {
		return func(int) []event.Verdict { return []event.Verdict{{Guard: "g", Decision: d, Reason: "so"}} }
	}
	w := play(t, book())
	w.verdict = say(event.Deny)
	w.turn().want(event.RunDenied, "")

	w = play(t, book())
	w.verdict = say(event.Ask)
	w.turn().want(event.RunAwaiting, "")
	w.vote("ann", true).want(event.RunHolding, "")

	w = play(t, book())
	w.verdict = say(event.Wait)
	w.turn().want(event.RunRunning, plans+", plan isolate")
	w.verdict = nil
	w.later(time.Second).want(event.RunHolding, "")
}

func TestUndoGoesOnWhilePaused(t *testing.T) {
	w := play(t, book()).turn()
	w.verdict = func(int) []event.Verdict {
		return []event.Verdict{{Guard: "pause", Decision: event.Wait}}
	}
	w.undo("").want(event.RunClosed, "")
}

func TestFailures(t *testing.T) {
	failing := func(kind EffectKind, step int, f Failure, times int) func(EffectKind, int) Failure {
		return func(k EffectKind, s int) Failure {
			if k == kind && s == step && times > 0 {
				times--
				return f
			}
			return ""
		}
	}
	undo := func(b *Playbook) { b.Steps[2].OnFailure = OnFailureUndo }
	goOn := func(b *Playbook) { b.Steps[0].OnFailure = OnFailureContinue }
	tests := map[string]struct {
		change func(*Playbook)
		fail   func(EffectKind, int) Failure
		state  event.RunState
		last   string
	}{
		"a conflict plans again":         {nil, failing(EffectDo, 0, FailedConflict, 1), event.RunHolding, "do mark"},
		"five conflicts ask":             {nil, failing(EffectDo, 0, FailedConflict, 5), event.RunAwaiting, "do tell"},
		"what is gone stops the effects": {nil, failing(EffectDo, 0, FailedGone, 1), event.RunFailed, "do tell"},
		"what is final stops at once":    {nil, failing(EffectDo, 0, FailedFinal, 1), event.RunFailed, "do tell"},
		"no plan, nothing to undo":       {nil, failing(EffectPlan, 0, FailedFinal, 1), event.RunFailed, "do tell"},
		"or goes on by choice":           {goOn, failing(EffectDo, 0, FailedFinal, 1), event.RunHolding, "do mark"},
		"or undoes by choice":            {undo, failing(EffectDo, 2, FailedFinal, 1), event.RunFailed, "undo isolate"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			b := book()
			if tt.change != nil {
				tt.change(b)
			}
			w := play(t, b)
			w.fail = tt.fail
			w.turn().want(tt.state, "")
			if last := w.did[len(w.did)-1]; last != tt.last {
				t.Errorf("did %v, want %s last", w.did, tt.last)
			}
		})
	}
}

// TestWhatMayHaveLandedIsUndone: an intent that failed leaves nothing behind,
// whether its write landed or not.
func TestWhatMayHaveLandedIsUndone(t *testing.T) {
	w := play(t, book())
	w.fail = func(k EffectKind, s int) Failure {
		if k == EffectDo && s == 0 {
			return FailedFinal
		}
		return ""
	}
	w.turn().want(event.RunFailed, plans+", plan isolate, do isolate final, undo isolate, plan tell, do tell")
	if s := w.run.Steps[0]; s.State != event.StepFailed || s.Undo == nil || s.Error != string(FailedFinal) {
		t.Errorf("step is %+v", s)
	}
}

func TestRetryBacksOff(t *testing.T) {
	w := play(t, book())
	w.fail = func(k EffectKind, s int) Failure {
		if k == EffectDo && s == 0 {
			return FailedRetry
		}
		return ""
	}
	w.turn().later(time.Second).later(2 * time.Second)
	w.want(event.RunFailed, "")
	if n := strings.Count(", "+strings.Join(w.did, ", "), ", do isolate"); n != 3 {
		t.Errorf("tried %d times, want 3", n)
	}
}

func TestUndoIsTriedUntilItWorks(t *testing.T) {
	w := play(t, book()).turn()
	w.fail = func(k EffectKind, _ int) Failure {
		if k == EffectUndo {
			return FailedFinal
		}
		return ""
	}
	w.undo("").want(event.RunReverting, "")
	for range 20 {
		w.later(maxBackoff)
	}
	w.want(event.RunReverting, "")
	w.fail = nil
	w.later(maxBackoff).want(event.RunClosed, "")
}

func TestAtEndAskKeepsTheHold(t *testing.T) {
	w := play(t, book(func(b *Playbook) { b.Steps[0].AtEnd = event.AtEndAsk })).turn().later(time.Hour)
	w.want(event.RunHolding, "")
	if s := w.run.Steps[0]; !s.EndAsked || !Held(s) {
		t.Errorf("step %+v: want it held, and asked about", s)
	}
	w.later(100*time.Hour).want(event.RunHolding, "")
	w.undo(event.AtEndDelete).want(event.RunClosed, "")
	if w.run.Steps[0].AtEnd != event.AtEndDelete {
		t.Errorf("at_end is %s", w.run.Steps[0].AtEnd)
	}
}

func TestExtendMovesTheEnd(t *testing.T) {
	w := play(t, book()).turn()
	w.input(Input{Person: &event.Input{Kind: event.InputExtend, User: "ann", Until: start.Add(3 * time.Hour)}})
	w.later(2*time.Hour).want(event.RunHolding, "")
	w.later(time.Hour).want(event.RunClosed, "")
}

func TestConditionsSeeEarlierSteps(t *testing.T) {
	b := book(func(b *Playbook) {
		b.Steps[2].when = func(e Env) (bool, error) { return e.Steps["isolate"].Result == "partial", nil }
	})
	w := play(t, b).turn()
	w.want(event.RunHolding, plans+", plan isolate, do isolate, plan tell, do tell")
	if w.run.Steps[2].State != event.StepSkipped {
		t.Errorf("step is %s", w.run.Steps[2].State)
	}
}

// TestAnyHistory throws inputs in any order at a run, valid or not: check
// holds after each move, the record alone says what is due, and once
// everything works the run comes to rest with nothing held.
func TestAnyHistory(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		mode := rapid.SampledFrom([]event.Mode{event.ModeAct, event.ModeAsk, event.ModeObserve}).Draw(t, "mode")
		end := rapid.SampledFrom([]event.AtEnd{event.AtEndRestore, event.AtEndDelete, event.AtEndAsk}).Draw(t, "end")
		on := rapid.SampledFrom([]OnFailure{OnFailureStop, OnFailureContinue, OnFailureUndo}).Draw(t, "on")
		limit := rapid.SampledFrom([]time.Duration{0, time.Minute, time.Hour}).Draw(t, "limit")
		w := play(t, book(func(b *Playbook) {
			b.Mode, b.Timeout = mode, limit
			for i := range b.Steps {
				b.Steps[i].AtEnd, b.Steps[i].OnFailure = end, on
			}
		}))
		failures := rapid.SampledFrom([]Failure{"", "", FailedConflict, FailedGone, FailedFinal, FailedRetry, FailedHeld, FailedUnseen, FailedForeign})
		decisions := rapid.SampledFrom([]event.Decision{event.Pass, event.Pass, event.Ask, event.Wait, event.Deny})
		digests := rapid.SampledFrom([]string{"a", "a", "b"})
		w.fail = func(EffectKind, int) Failure { return failures.Draw(t, "failure") }
		w.verdict = func(int) []event.Verdict {
			return []event.Verdict{{Guard: "g", Decision: decisions.Draw(t, "decision")}}
		}
		w.digest = func(int) string { return digests.Draw(t, "digest") }
		for range rapid.IntRange(1, 40).Draw(t, "moves") {
			w.random(t)
		}
		w.fail, w.verdict, w.digest = nil, nil, nil
		for range 10 {
			w.later(time.Hour)
		}
		w.undo(event.AtEndRestore)
		if !w.run.State.Terminal() {
			t.Fatalf("run rests in %s", w.run.State)
		}
	})
}

func (w *world) random(t *rapid.T) {
	switch rapid.IntRange(0, 7).Draw(t, "move") {
	case 0, 1:
		if e, _ := Due(w.book, w.run, w.now); e != nil {
			w.carry(*e)
		}
	case 2:
		w.now = w.now.Add(time.Duration(rapid.IntRange(0, 3600).Draw(t, "seconds")) * time.Second)
		w.input(Input{Tick: true})
	case 3:
		v := &event.Vote{User: rapid.SampledFrom([]string{"ann", "bob", "mallory"}).Draw(t, "user"), Approve: rapid.Bool().Draw(t, "yes")}
		if w.run.Approval != nil && rapid.Bool().Draw(t, "right digest") {
			v.Digest = w.run.Approval.Digest
		}
		w.input(Input{Person: &event.Input{Kind: event.InputVote, User: v.User, Vote: v}, Denied: w.denied})
	case 4:
		if rapid.IntRange(0, 4).Draw(t, "undo") == 0 {
			w.input(Input{Person: &event.Input{Kind: event.InputUndo, User: "ann"}})
		}
	case 6:
		w.input(Input{Lost: &Lost{Step: rapid.IntRange(-1, 3).Draw(t, "lost"), Reason: "label gone", Again: rapid.IntRange(0, maxResets).Draw(t, "again")}})
	case 7:
		kind := rapid.SampledFrom([]event.InputKind{event.InputExtend, event.InputKeep}).Draw(t, "longer")
		w.input(Input{Person: &event.Input{Kind: kind, User: "ann", Until: w.now.Add(time.Duration(rapid.IntRange(-1, 9).Draw(t, "hours")) * time.Hour)}})
	case 5:
		// A report for a step that nobody asked for must change nothing bad.
		i := rapid.IntRange(-1, 3).Draw(t, "step")
		w.input(Input{Done: &Done{Step: i, Receipt: event.Receipt{Result: event.ResultApplied}}})
	}
}
