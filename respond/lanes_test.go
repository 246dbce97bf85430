package respond

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"github.com/firebreak-io/firebreak/internal/event"
	"github.com/firebreak-io/firebreak/respond/action"
	"github.com/firebreak-io/firebreak/respond/runlog"
)

// TestLanes: what is done without asking never waits behind what is drawn up for people.
func TestLanes(t *testing.T) {
	book := parse(t, actBook)
	l := newLanes()
	for name, c := range map[string]struct {
		mode     event.Mode
		kind     EffectKind
		approved string
		want     *slots
		urgent   bool
	}{
		"plan of an act":        {event.ModeAct, EffectPlan, "", l.acts, true},
		"act":                   {event.ModeAct, EffectDo, "", l.acts, true},
		"plan to be asked of":   {event.ModeAsk, EffectPlan, "", l.drafts, false},
		"plan that is approved": {event.ModeAsk, EffectPlan, "digest", l.acts, false},
		"what is approved":      {event.ModeAsk, EffectDo, "digest", l.acts, false},
		"undo":                  {event.ModeAsk, EffectUndo, "", l.acts, false},
		"only watched":          {event.ModeObserve, EffectPlan, "", l.drafts, false},
	} {
		run := Begin(book, event.Incident{ID: "i"}, finding("shell", "a", 1), event.PodRef("shop", "a"), event.ModeAct, time.Now())
		run.Mode = c.mode
		run.Steps[0].Approved = c.approved
		if got := l.of(run, book.Steps[0], Effect{Kind: c.kind}); got != c.want {
			t.Errorf("%s goes in another lane", name)
		}
		if got := urgent(book, run); got != c.urgent {
			t.Errorf("%s: urgent is %v", name, got)
		}
	}
}

// TestRushEases: what can wait for room does, not until all is over, and not for ever.
func TestRushEases(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var r rush
		began := time.Now()
		for range crowd - 1 {
			r.begin()
		}
		r.ease(t.Context(), time.Minute)
		if waited := time.Since(began); waited != 0 {
			t.Errorf("it waited %s with room for one more", waited)
		}
		one, another := r.begin(), r.begin()
		r.ease(t.Context(), time.Second)
		if waited := time.Since(began); waited != time.Second {
			t.Errorf("it waited %s, want the second that is the most", waited)
		}
		time.AfterFunc(time.Second, one)
		time.AfterFunc(2*time.Second, another)
		r.ease(t.Context(), time.Minute)
		if waited := time.Since(began); waited != 3*time.Second {
			t.Errorf("it waited %s in all, want 3s: until there was room", waited)
		}
	})
}

// TestRush: what can wait does while anything is urgent, but not for ever.
func TestRush(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var r rush
		began := time.Now()
		r.yield(t.Context(), time.Minute)
		first, second := r.begin(), r.begin()
		r.yield(t.Context(), time.Second)
		if waited := time.Since(began); waited != time.Second {
			t.Errorf("it waited %s, want the second that is the most", waited)
		}
		time.AfterFunc(time.Second, first)
		time.AfterFunc(3*time.Second, func() { second(); second(); first() })
		r.yield(t.Context(), time.Minute)
		if waited := time.Since(began); waited != 4*time.Second {
			t.Errorf("it waited %s in all, want 4s: until both were over", waited)
		}
		defer r.begin()()
		over, cancel := context.WithCancel(t.Context())
		cancel()
		r.yield(over, time.Minute)
		if waited := time.Since(began); waited != 4*time.Second {
			t.Errorf("it waited after its end: %s", waited)
		}
	})
}

// TestNoRunWaitsForItself: a run whose urgent part was denied holds up nothing
// more, itself least.
func TestNoRunWaitsForItself(t *testing.T) {
	r := newRig(t, newCluster("a"), actBook)
	w := r.idle(1)
	run := Begin(r.books[0], event.Incident{ID: "i"}, finding("shell", "a", 1), event.PodRef("shop", "a"), event.ModeAct, time.Now())
	run.Steps[0].State = event.StepDenied
	of := newRunner(w, runlog.Record{Run: run})
	of.book, of.calm = r.books[0], w.rush.begin()
	of.enter(t.Context(), run, PlaybookStep{Kind: action.Kind{Class: action.Notify}}, Effect{Kind: EffectDo})()
	if w.rush.n != 0 {
		t.Error("it holds up what can wait, though it does nothing urgent any more")
	}
}
