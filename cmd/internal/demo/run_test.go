package demo

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/firebreak-io/firebreak/internal/event"
)

func TestMoves(t *testing.T) {
	step := func(state event.StepState) []event.Step {
		return []event.Step{{Name: "isolate", Action: "pod.quarantine", State: state, Plan: &event.Plan{Summary: "cut it off"},
			Receipt: &event.Receipt{Result: event.ResultApplied}, Undo: &event.Receipt{Result: event.ResultUndone}, Digest: "0123456789abcdef"}}
	}
	run := func(state event.RunState, steps []event.Step) event.Run {
		return event.Run{ID: "r", State: state, Playbook: "book", Steps: steps, Finding: event.Finding{Rule: "rule"}, Target: event.PodRef("shop", "web")}
	}
	voted := run(event.RunRunning, step(event.StepPlanned))
	voted.Approval = &event.Approval{ID: "a", Votes: []event.Vote{{User: "alice", Approve: true, Time: time.Unix(1, 0), Digest: "abcdef"}}}
	for _, c := range []struct {
		name          string
		before, after event.Run
		want          []string
	}{
		{"begun", event.Run{}, run(event.RunGuarding, step(event.StepPending)), []string{"run"}},
		{"begun with its first intent", event.Run{}, run(event.RunRunning, step(event.StepIntent)), []string{"run", "action"}},
		{"planned and asked", run(event.RunGuarding, step(event.StepPending)), run(event.RunAwaiting, step(event.StepPlanned)), []string{"plan", "approval"}},
		{"voted", run(event.RunAwaiting, step(event.StepPlanned)), voted, []string{"approval", "run"}},
		{"begins", run(event.RunRunning, step(event.StepPlanned)), run(event.RunRunning, step(event.StepIntent)), []string{"action"}},
		{"done", run(event.RunRunning, step(event.StepIntent)), run(event.RunHolding, step(event.StepDone)), []string{"action", "run"}},
		{"undone", run(event.RunReverting, step(event.StepReverting)), run(event.RunClosed, step(event.StepReverted)), []string{"undo", "run"}},
		{"the same", run(event.RunHolding, step(event.StepDone)), run(event.RunHolding, step(event.StepDone)), nil},
	} {
		var got []string
		for _, m := range moves(c.before, c.after) {
			got = append(got, m.label)
		}
		if diff := cmp.Diff(c.want, got); diff != "" {
			t.Errorf("%s: %s", c.name, diff)
		}
	}
}

func TestChanges(t *testing.T) {
	for body, want := range map[string]string{
		`{"metadata":{"labels":{"b":null,"a":"1"},"annotations":{"n":"{\"x\":1}"}}}`: `labels -b +a=1; annotations +n={"x":1}`,
		`{"metadata":{"annotations":{"n":null}}}`:                                    `annotations -n`,
		`not json`: `not json`,
	} {
		if got := changes([]byte(body)); got != want {
			t.Errorf("%s: got %q, want %q", body, got, want)
		}
	}
}

func TestShown(t *testing.T) {
	if got, want := shown([]string{"undo", "abc", "--reason", "it was me"}), `undo abc --reason "it was me"`; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
	if got := lastLine("one\n two\n\n"); got != " two" {
		t.Errorf("got %q", got)
	}
}
