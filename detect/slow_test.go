package detect

import (
	"context"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/firebreak-io/firebreak/internal/bus"
	"github.com/firebreak-io/firebreak/internal/event"
)

// sluggish is a detector that takes its time: for all events, or for those with
// a word in them.
type sluggish struct {
	panics
	word string
}

func (sluggish) Name() string                   { return "sluggish" }
func (s sluggish) Open(Limits) (Running, error) { return sleeping{word: s.word}, nil }

type sleeping struct {
	panicking
	word string
}

func (s sleeping) Fold(e *event.Event, _ event.Address, _ Moment) ([]event.Finding, error) {
	if strings.Contains(e.Message, s.word) {
		<-time.After(10 * time.Millisecond)
	}
	return nil, nil
}

// slowWith runs a worker with a sluggish detector over events with such a message,
// and gives what was found.
func slowWith(t *testing.T, d Detector, message string, n int) (*Worker, map[string]event.Finding) {
	t.Helper()
	store := &memory{found: map[string]event.Finding{}}
	l := &live{frames: make(chan bus.Message, 1000), t: t}
	set := mustRules(t, ruleStart+"  source: falco\n  when: rule == \"shell\"\n")
	set.detectors = append(set.detectors, d)
	w := &Worker{
		Engine: NewEngine(set, EngineOptions{}), Store: store, Snapshots: store,
		Open:    func(context.Context, uint64) (Reader, error) { return l, nil },
		Publish: func(_ context.Context, e event.Event) error { l.publish(e); return nil },
	}
	ctx, cancel := context.WithTimeout(t.Context(), 4*time.Minute)
	defer cancel()
	for range n {
		e := alert("other", "p1")
		e.Message, e.Time, e.Received = message, time.Now(), time.Now()
		e.Actor.User = "mallory"
		l.publish(e)
	}
	if err := w.Run(ctx); err != nil {
		t.Fatal(err)
	}
	return w, store.found
}

func TestSlowRulesAreSwitchedOff(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w, found := slowWith(t, sluggish{}, "", slowEvents+5)
		if off := w.Engine.Off(); len(off) != 1 || off[0] != "sluggish" || len(found) != 1 {
			t.Errorf("off are %v, %d findings", off, len(found))
		}
		for _, f := range found {
			if f.Rule != "rule-switched-off" || !strings.Contains(f.Explanation, "100 events took 10ms each") {
				t.Errorf("alarm %+v", f)
			}
		}
	})
}

// Whoever sends events that a rule is slow with does not switch it off: it is told
// who that is, once an hour.
func TestDearEventsSwitchNothingOff(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w, found := slowWith(t, sluggish{word: "dear"}, "dear", 5*slowEvents)
		if off := w.Engine.Off(); len(off) != 0 || len(found) != 1 {
			t.Errorf("off are %v, %d findings", off, len(found))
		}
		for _, f := range found {
			if f.Rule != "costly-events" || f.Subject.UID != "p1" || f.Actor.User != "mallory" || !strings.Contains(f.Explanation, "sluggish stays on") {
				t.Errorf("alarm %+v", f)
			}
		}
	})
}

// busy is slow at first, as everything is while the machine is busy.
type busy struct {
	sluggish
	opened *int
}

func (b busy) Open(l Limits) (Running, error) {
	if *b.opened++; *b.opened == 1 {
		return b.sluggish.Open(l)
	}
	return panicking{}, nil
}

func TestABusyMachineIsNobodysFault(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w, found := slowWith(t, busy{opened: new(int)}, "", 3*slowEvents)
		if off := w.Engine.Off(); len(off) != 0 || len(found) != 0 {
			t.Errorf("off are %v, found %v", off, found)
		}
	})
}

// Rules can evaluate ordinary events, of which there are some of each class that
// text comes in.
func TestOrdinaryEvents(t *testing.T) {
	set := shipped(t)
	classes := map[string]bool{}
	for _, e := range ordinary() {
		classes[e.Class] = true
	}
	for _, want := range []string{event.ClassAPI, event.ClassAPIExec, event.ClassProcessExec, event.ClassHTTP, event.ClassLogin, event.ClassLogLine, event.ClassLogError} {
		if !classes[want] {
			t.Errorf("there is none of class %s", want)
		}
	}
	engine := NewEngine(set, EngineOptions{})
	for _, e := range ordinary() {
		if _, _, err := engine.Fold(&e, event.Address{}); err != nil {
			t.Error(err)
		}
	}
}
