package respond

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/firebreak-io/firebreak/internal/event"
)

// TestManyFindingsCountOnce: of an incident with more findings than it lists,
// those that are delivered again are known.
func TestManyFindingsCountOnce(t *testing.T) {
	var open []event.Incident
	const many = maxFindings + 700
	for round := range 2 {
		for i := range many {
			in, changed := Group(open, seen(event.HashID("f", fmt.Sprint(i)), "web-1", "", "", ""))
			if changed != (round == 0) {
				t.Fatalf("round %d: finding %d changed the incident: %v", round, i, changed)
			}
			open = []event.Incident{in}
		}
	}
	if in := open[0]; in.Count != many || len(in.Findings) != maxFindings || len(in.Later) != many-maxFindings || len(in.Brief().Later) != 0 {
		t.Errorf("%d counted, %d listed, %d known beside", in.Count, len(in.Findings), len(in.Later))
	}
}

// TestIncidentsLink: a finding that shares something with two incidents joins
// one of them, and says which other one there is.
func TestIncidentsLink(t *testing.T) {
	a, _ := Group(nil, seen("a", "web-1", "", "", ""))
	b, _ := Group([]event.Incident{a}, seen("b", "", "", "mallory", ""))
	both, _ := Group([]event.Incident{a, b}, seen("c", "web-1", "", "mallory", ""))
	if both.ID != "a" || !slices.Equal(both.Linked, []string{"b"}) || len(a.Linked)+len(b.Linked) > 0 {
		t.Errorf("it is in %s, which links %v", both.ID, both.Linked)
	}
	other, _ := Group([]event.Incident{both, b}, seen("d", "", "", "mallory", ""))
	if other.ID != "a" || other.Count != 3 {
		t.Errorf("the next is in %s: %+v", other.ID, other)
	}
}

// TestVerdictOnAFinding: what people say of one finding stands in its incident,
// which is a false alarm when all of it is.
func TestVerdictOnAFinding(t *testing.T) {
	r := newRig(t, newCluster("a")).start()
	for i := range 2 {
		f := finding("shell", "a", i)
		f.ID = event.HashID("finding", fmt.Sprint(i))
		r.publish(f)
	}
	all := func() []event.Incident {
		n := &incidents{bus: r.bus}
		if err := n.load(t.Context()); err != nil {
			t.Fatal(err)
		}
		return n.open
	}
	r.until("both are in an incident", func() bool { in := all(); return len(in) == 1 && in[0].Count == 2 })
	id := all()[0].ID
	say := func(i int, verdict string) {
		finding := event.HashID("finding", fmt.Sprint(i))
		r.say(event.Input{Run: finding, Finding: finding, Kind: event.InputVerdict, Verdict: verdict, User: "ann", Reason: "drill", Time: time.Now().UTC()})
	}
	say(0, "false")
	r.until("one is refuted", func() bool {
		in := all()
		return len(in) == 1 && len(in[0].Refuted) == 1 && in[0].State == event.IncidentOpen
	})
	say(0, "true")
	r.until("it was right after all", func() bool { in := all(); return in[0].Verdict == "true" && len(in[0].Refuted) == 0 })
	say(0, "false")
	say(1, "false")
	stored := &incidents{bus: r.bus}
	r.until("the incident is a false alarm", func() bool {
		in, err := stored.stored(t.Context(), id)
		return err == nil && in.State == event.IncidentFalsePositive && in.Verdict == "false"
	})
	say(1, "true") // of one that is over
	r.until("it is open again", func() bool {
		in := all()
		return len(in) == 1 && in[0].State == event.IncidentOpen && in[0].Verdict == "true"
	})
}
