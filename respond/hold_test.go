package respond

import (
	"strings"
	"testing"
	"time"

	"github.com/firebreak-io/firebreak/internal/event"
)

func (w *world) person(kind event.InputKind, change ...func(*event.Input)) *world {
	in := &event.Input{Kind: kind, User: "ann", Time: w.now}
	for _, f := range change {
		f(in)
	}
	w.input(Input{Person: in})
	return w.turn()
}

// TestKeepLastsUntilUndone: a hold that is kept has no end of its own, its
// object shows that, and an extension gives it one again.
func TestKeepLastsUntilUndone(t *testing.T) {
	w := play(t, book()).turn()
	w.did = nil
	w.person(event.InputKeep).later(100*time.Hour).want(event.RunHolding, "mark isolate, mark mark")
	w.person(event.InputKeep).want(event.RunHolding, "mark isolate, mark mark") // once is enough
	w.person(event.InputExtend, func(in *event.Input) { in.Until = w.now.Add(time.Hour) })
	w.want(event.RunHolding, "mark isolate, mark mark, mark isolate, mark mark")
	w.person(event.InputExtend, func(in *event.Input) { in.Until = w.now.Add(time.Minute) }) // it holds longer anyway
	w.later(time.Hour).want(event.RunClosed, "")
	if said := w.run.Said; len(said) != 2 || said[0].Kind != event.InputKeep || said[1].Kind != event.InputExtend || said[1].User != "ann" || said[1].Until.IsZero() {
		t.Errorf("recorded are %+v", said)
	}
}

// TestExtendIsTriedUntilShown: the object shows the new end as soon as it can.
func TestExtendIsTriedUntilShown(t *testing.T) {
	w := play(t, book()).turn()
	failing := true
	w.fail = func(kind EffectKind, _ int) Failure {
		if kind == EffectMark && failing {
			return FailedRetry
		}
		return ""
	}
	w.person(event.InputExtend, func(in *event.Input) { in.Until = start.Add(3 * time.Hour) })
	if w.run.Steps[0].Marked == nil {
		t.Fatal("nothing is left to show")
	}
	failing = false
	w.later(time.Minute).want(event.RunHolding, "")
	if s := w.run.Steps[0]; s.Marked != nil || !s.Until.Equal(start.Add(3*time.Hour)) {
		t.Errorf("step %+v", s)
	}
}

// TestUndoStopsAtForeignChanges: it says what differs and asks; nothing but a
// person's consent goes on with it.
func TestUndoStopsAtForeignChanges(t *testing.T) {
	w := play(t, book()).turn()
	w.fail = func(kind EffectKind, step int) Failure {
		if kind == EffectUndo && step == 0 && !w.run.Steps[0].Over {
			return FailedForeign
		}
		return ""
	}
	w.later(time.Hour).want(event.RunHolding, "")
	if s := w.run.Steps[0]; !Held(s) || s.Differs == "" || !s.EndAsked {
		t.Fatalf("step %+v: want it held, and asked about", s)
	}
	if s := w.run.Steps[2]; s.State != event.StepReverted {
		t.Errorf("the other step is %s", s.State)
	}
	w.later(100*time.Hour).want(event.RunHolding, "")
	w.undo(event.AtEndRestore).want(event.RunHolding, "")
	w.person(event.InputUndo, func(in *event.Input) { in.Over = true })
	w.want(event.RunClosed, "")
}

// TestLostHoldIsSetAgain: but not for ever, since somebody seems to mean it.
func TestLostHoldIsSetAgain(t *testing.T) {
	w := play(t, book()).turn()
	until := *w.run.Steps[0].Until
	for i := range maxResets {
		w.did = nil
		w.now = w.now.Add(time.Minute)
		w.input(Input{Lost: &Lost{Step: 0, Reason: "no label", Again: i}})
		w.turn().want(event.RunHolding, "reset isolate")
		// A second look of before tells the same loss once more.
		w.input(Input{Lost: &Lost{Step: 0, Reason: "no label", Again: i}})
		w.turn().want(event.RunHolding, "reset isolate")
		if s := w.run.Steps[0]; s.Again != i+1 || s.Lost || !s.Until.Equal(until) {
			t.Fatalf("step %+v", s)
		}
	}
	w.did = nil
	w.input(Input{Lost: &Lost{Step: 0, Reason: "no label", Again: maxResets}})
	w.turn().want(event.RunHolding, "")
	if s := w.run.Steps[0]; len(w.did) > 0 || !strings.Contains(s.Differs, "taken off again") {
		t.Errorf("did %v: %+v", w.did, s)
	}
	w.undo("").want(event.RunClosed, "")
}
