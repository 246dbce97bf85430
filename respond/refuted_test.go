package respond

import (
	"fmt"
	"testing"
	"time"

	"github.com/firebreak-io/firebreak/internal/event"
	"github.com/firebreak-io/firebreak/respond/incident"
)

// TestVerdictOnAFinding: what people say of one finding stands in its incident,
// which is a false alarm when all of it is.
func TestVerdictOnAFinding(t *testing.T) {
	r := newRig(t, newCluster("a")).start()
	for i := range 2 {
		f := finding("shell", "a", i)
		f.ID = event.HashID("finding", fmt.Sprint(i))
		r.publish(f)
	}
	list := incident.NewList(r.bus)
	all := func() []event.Incident {
		open, err := list.Open(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		return open
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
	r.until("the incident is a false alarm", func() bool {
		in, _, err := list.Page(t.Context(), incident.Query{Prefix: id}, "", 1)
		return err == nil && len(in) == 1 && in[0].State == event.IncidentFalsePositive && in[0].Verdict == "false"
	})
	say(1, "true") // of one that is over
	r.until("it is open again", func() bool {
		in := all()
		return len(in) == 1 && in[0].State == event.IncidentOpen && in[0].Verdict == "true"
	})
}
