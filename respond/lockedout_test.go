package respond

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/firebreak-io/firebreak/internal/bus"
	"github.com/firebreak-io/firebreak/internal/event"
)

// TestLockedOutVotes: what somebody said before they were locked out, or what was
// on its way then, does not count: neither a vote of the quorum nor an undo.
func TestLockedOutVotes(t *testing.T) {
	mallet := []event.Identity{{User: "mallet"}, {Group: "contractors"}}
	contractor := func(v *event.Vote) { v.Groups = []string{"contractors"} }
	w := play(t, book(ask, func(b *Playbook) {
		b.Approve.Need, b.Approve.By = 2, []string{"user/mallet", "user/ann", "user/bob", "group/contractors"}
	})).turn()
	w.vote("mallet", true)
	if v := w.run.Approval.Votes; len(v) != 1 || v[0].Refused != "" {
		t.Fatalf("before: %+v", v)
	}
	w.denied = mallet
	w.vote("ann", true)
	if v := w.run.Approval.Votes; w.run.State != event.RunAwaiting || v[0].Refused != lockedOut || v[1].Refused != "" {
		t.Errorf("run is %s, votes %+v", w.run.State, v)
	}
	for _, approve := range []bool{true, false} {
		w.vote("mallet", approve)
		w.vote("con", approve, contractor)
	}
	w.vote("mallet", true, glass)
	if w.run.State != event.RunAwaiting {
		t.Fatalf("they decide: %s", w.run.State)
	}
	w.input(Input{Person: &event.Input{Kind: event.InputUndo, User: "mallet"}, Denied: mallet})
	if said := w.run.Said; w.run.State != event.RunAwaiting || len(said) != 1 || said[0].Kind != event.InputRefused || said[0].Reason != "undo of this run" {
		t.Errorf("an undo: run is %s, said %+v", w.run.State, said)
	}
	const what = "approve playbooks contain in namespace shop"
	w.input(Input{Person: &event.Input{Kind: event.InputRefused, User: "mallet", Reason: what}, Denied: mallet})
	if said := w.run.Said; len(said) != 2 || said[1].Reason != what {
		t.Errorf("what the desk refused: said %+v", said)
	}
	for range 2 * maxSaid {
		w.input(Input{Person: &event.Input{Kind: event.InputRefused, User: "mallet", Reason: what}, Denied: mallet})
	}
	if n := len(w.run.Said); n != maxTriesSaid {
		t.Errorf("%d attempts fill the record", n)
	}
	if w.vote("bob", true); w.run.State != event.RunHolding {
		t.Errorf("others decide: run is %s, votes %+v", w.run.State, w.run.Approval.Votes)
	}
}

// TestLocksOut: a run says whom it locks out from the intent until it is undone.
func TestLocksOut(t *testing.T) {
	until := time.Now()
	ann := event.Identity{User: "ann"}
	for state, want := range map[event.StepState]int{
		event.StepPlanned: 0, event.StepIntent: 1, event.StepDone: 1, event.StepReverting: 1, event.StepReverted: 0, event.StepDenied: 0,
	} {
		run := event.Run{Steps: []event.Step{
			{State: state, Until: &until, Plan: &event.Plan{Denies: []event.Identity{ann}}}, {State: state, Until: &until, Plan: &event.Plan{Denies: []event.Identity{ann}}}, {State: state},
		}}
		if got := run.LocksOut(); len(got) != want || want == 1 && got[0] != ann {
			t.Errorf("%s: %v", state, got)
		}
	}
}

// TestTriedIsTold: that somebody tried who is locked out is an alarm once an hour
// for each thing, and people are paged once.
func TestTriedIsTold(t *testing.T) {
	b, err := bus.Open(t.Context(), bus.Options{Dir: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = b.Close() })
	w := paging(t, b)
	now := w.now()
	for i, tt := range []struct {
		what string
		at   time.Time
		news bool
	}{
		{"approve playbooks", now, true}, {"approve playbooks", now.Add(59 * time.Minute), false}, {"undo playbooks", now.Add(time.Minute), true},
		{"approve playbooks", now.Add(triedAgain), true},
	} {
		if news, err := w.control.Tried(t.Context(), "mallet", tt.what, "r1", tt.at); err != nil || news != tt.news {
			t.Errorf("%d: news %v %v", i, news, err)
		}
	}
	if all, err := w.control.PeopleAlarms(t.Context()); err != nil || len(all) != 3 || all[0].Kind != AlarmLocked || all[1].Text != "locked out by run r1, tried to undo playbooks" {
		t.Errorf("alarms %+v %v", all, err)
	}
	// Who fills what is told of one run is on the record of the next all the same.
	for i := range 2 * maxTried {
		if _, err := w.control.Tried(t.Context(), "mallet", fmt.Sprint("update models ", i), "r1", now.Add(triedAgain)); err != nil {
			t.Fatal(err)
		}
	}
	if news, err := w.control.Tried(t.Context(), "mallet", "approve playbooks", "r2", now.Add(triedAgain)); err != nil || !news {
		t.Errorf("of another run: news %v %v", news, err)
	}
	w2 := play(t, book()).turn()
	run := w2.run
	for range 2 {
		w2.input(Input{Person: &event.Input{Kind: event.InputRefused, User: "mallet", Reason: "approve playbooks contain"}})
		if err := w.tried(context.WithoutCancel(t.Context()), run, w2.run); err != nil {
			t.Fatal(err)
		}
		run = w2.run
	}
	out := w.executor.Deps.Outbox.(*told)
	if len(out.list) != 1 || !strings.Contains(out.list[0].Key, "/locked-out-") || !strings.Contains(out.list[0].Notice.Text, "mallet is locked out") || len(run.Said) != 2 {
		t.Errorf("paged %+v, said %+v", out.list, run.Said)
	}
}
