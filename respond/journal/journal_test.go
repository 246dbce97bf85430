package journal

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/firebreak-io/firebreak/internal/event"
)

// TestMoves plays a run from its first record to the end of its hold, and looks
// at what is said of each record.
func TestMoves(t *testing.T) {
	at := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	run := event.Run{
		ID: "0123456789abcdef0123456789abcdef", Playbook: "contain", State: event.RunGuarding, Target: event.PodRef("shop", "web-1"),
		Finding: event.Finding{Rule: "shell"}, Steps: []event.Step{{Name: "isolate", State: event.StepPending}},
	}
	type change struct {
		do   func(*event.Run)
		want []string
	}
	var before event.Run
	for i, c := range []change{
		{func(*event.Run) {}, []string{"begun: playbook contain for shell on pods/shop/web-1"}},
		{func(r *event.Run) {
			r.Steps[0].State, r.Steps[0].Plan = event.StepPlanned, &event.Plan{Summary: "quarantine it"}
			r.State, r.Approval = event.RunAwaiting, &event.Approval{ID: "a1"}
		}, []string{"isolate planned: quarantine it", "run is awaiting_approval"}},
		{func(r *event.Run) {
			r.Approval.Votes = []event.Vote{
				{User: "mallory\nann approves", Approve: true, Digest: "d", Refused: "not among those who may"},
				{User: "ann", Approve: true, Digest: "0123456789abcdef", Reason: "seen it"},
			}
			r.State, r.Steps[0].State, r.Steps[0].Attempts = event.RunRunning, event.StepIntent, 1
		}, []string{
			"mallory ann approves approves plan d (does not count: not among those who may)",
			"ann approves plan 0123456789ab: seen it", "isolate begins (attempt 1, plan )", "run is running",
		}},
		{func(r *event.Run) {
			r.Steps[0].State, r.Steps[0].Receipt = event.StepDone, &event.Receipt{Result: event.ResultApplied}
			r.State = event.RunHolding
		}, []string{"isolate done: applied", "run is holding"}},
		{func(r *event.Run) {
			r.Steps[0].EndAsked = true
			r.Said = []event.Saying{{Kind: event.InputExtend, User: "bob", Until: at.Add(time.Hour), Reason: "still\nlooking"}}
		}, []string{"bob lets it hold until " + at.Add(time.Hour).Format("2006-01-02 15:04:05") + ": still looking", "isolate: the hold's time is up, people are asked"}},
		{func(r *event.Run) { r.Steps[0].Differs = "label a was set" }, []string{"isolate is left as it is, people are asked: label a was set"}},
		{func(r *event.Run) {
			r.Steps[0].State, r.Steps[0].Differs = event.StepReverting, ""
			r.Said = append(slices.Clone(r.Said), event.Saying{Kind: event.InputUndo, User: "ann", AtEnd: event.AtEndDelete, Over: true})
		}, []string{"ann has it undone by delete, leaving what others changed", "isolate is reverting"}},
		{func(r *event.Run) { r.Steps[0].State, r.Steps[0].Differs = event.StepDone, "label b was set" },
			[]string{"isolate is not undone, people are asked: label b was set"}},
		{func(r *event.Run) {
			r.Steps[0].State, r.Steps[0].Error = event.StepReverting, "the \x1b[31mserver is away"
		},
			[]string{"isolate is reverting: the \ufffd[31mserver is away"}},
		{func(r *event.Run) {
			r.Steps[0].State, r.Steps[0].Error, r.Steps[0].Undo = event.StepReverted, "", &event.Receipt{Result: event.ResultNothing}
			r.State, r.Reason = event.RunClosed, "undone by ann"
		}, []string{"isolate: nothing-to-do", "run is closed: undone by ann"}},
	} {
		run = clone(run)
		c.do(&run)
		run.Updated = at.Add(time.Duration(i) * time.Second)
		got := Moves(before, run)
		for j := range got {
			got[j] = strings.ReplaceAll(got[j], "\u001b", "\ufffd")
		}
		if !slices.Equal(got, c.want) {
			t.Errorf("record %d: %q\nwant %q", i+1, got, c.want)
		}
		before = run
	}
}

func clone(r event.Run) event.Run {
	r.Steps = slices.Clone(r.Steps)
	if r.Approval != nil {
		a := *r.Approval
		r.Approval = &a
	}
	return r
}
