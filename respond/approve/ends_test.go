package approve

import (
	"fmt"
	"testing"
	"time"

	"github.com/firebreak-io/firebreak/internal/event"
)

// TestEndsInTheQueue: holds whose end is up to people are in the queue, the
// gravest first, and no others are.
func TestEndsInTheQueue(t *testing.T) {
	r := newRig(t)
	until := r.now.Add(-time.Minute)
	for i, s := range []event.Step{
		{Name: "due", State: event.StepDone, Until: &until, EndAsked: true},
		{Name: "foreign", State: event.StepDone, Until: &until, EndAsked: true, Differs: "label a was set"},
		{Name: "kept", State: event.StepDone, Until: &until, Kept: true},
		{Name: "holds", State: event.StepDone, Until: &until},
		{Name: "undone", State: event.StepReverted, Until: &until, EndAsked: true},
		{Name: "told", State: event.StepDone},
	} {
		_, err := r.log.Create(r.t.Context(), event.Run{
			ID: event.HashID("end", s.Name), Playbook: "contain", State: event.RunHolding, Spec: "text", Target: event.PodRef("shop", fmt.Sprint("p", i)),
			Incident: event.Incident{Priority: event.SeverityHigh, Risk: i}, Steps: []event.Step{s},
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	q := r.queue()
	if len(q.Questions) != 0 || len(q.Ends) != 2 || q.MoreEnds != 0 {
		t.Fatalf("queue is %+v", q)
	}
	for i, want := range []HoldEnd{
		{Run: event.HashID("end", "foreign"), Step: "foreign", Differs: "label a was set", Risk: 1},
		{Run: event.HashID("end", "due"), Step: "due"},
	} {
		if got := q.Ends[i]; got.Run != want.Run || got.Step != want.Step || got.Differs != want.Differs || got.Risk != want.Risk || !got.Until.Equal(until) || got.Target.Name == "" {
			t.Errorf("end %d is %+v", i, got)
		}
	}
}
