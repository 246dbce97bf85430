package incident

import (
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/firebreak-io/firebreak/internal/bus"
	"github.com/firebreak-io/firebreak/internal/event"
)

// TestUnreadableRecord: a record that can't be read hides no other incident, is
// named in the lists, and can be closed by people or written over by its finding.
func TestUnreadableRecord(t *testing.T) {
	b := opened(t)
	n := NewStore(b)
	if err := n.Load(t.Context()); err != nil {
		t.Fatal(err)
	}
	good, bad, again := seen("a", "web", "", "", ""), seen("b", "db", "", "", ""), seen("c", "job", "", "", "")
	for _, f := range []event.Finding{good, bad, again} {
		if _, err := n.Add(t.Context(), f, event.ImportanceNormal); err != nil {
			t.Fatal(err)
		}
	}
	garbage := map[string]string{bad.ID: "\x00 no record", again.ID: `{"id":"` + good.ID + `"}`}
	for id, text := range garbage {
		m, err := b.Last(t.Context(), bus.SubjectIncident(id))
		if err == nil {
			_, err = b.Append(t.Context(), m.Subject, []byte(text), m.Sequence)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	late := NewStore(b)
	if err := late.Load(t.Context()); err != nil {
		t.Fatalf("a responder does not start: %v", err)
	}
	if late.Open() != 1 {
		t.Errorf("%d incidents take findings", late.Open())
	}
	for _, u := range late.Unreadable() {
		id := strings.TrimPrefix(u.Message.Subject, bus.SubjectIncident(""))
		if string(u.Message.Data) != garbage[id] || !strings.Contains(u.Reason.Error(), "can't be read") {
			t.Errorf("set aside: %s: %v", u.Message.Data, u.Reason)
		}
		delete(garbage, id)
	}
	if len(garbage) != 0 || len(late.Unreadable()) != 0 {
		t.Errorf("not set aside: %q", garbage)
	}
	listed := func() map[string]event.Incident {
		t.Helper()
		open, err := NewList(b).Open(t.Context())
		page, _, more := NewList(b).Page(t.Context(), Query{}, "", 100)
		if err := errors.Join(err, more); err != nil {
			t.Fatal(err)
		}
		all := map[string]event.Incident{}
		for _, in := range slices.Concat(open, page) {
			all[in.ID] = in
		}
		return all
	}
	all := listed()
	if len(all) != 3 || all[good.ID].Unreadable != "" || all[good.ID].Count != 1 {
		t.Errorf("listed %+v", all)
	}
	for _, id := range []string{bad.ID, again.ID} {
		if in := all[id]; !strings.Contains(in.Unreadable, bus.SubjectIncident(id)) || in.State != event.IncidentOpen {
			t.Errorf("listed %+v", in)
		}
	}
	if err := late.Said(t.Context(), bad.ID, event.Input{Run: bad.ID, Kind: event.InputClose, User: "ann", Time: bad.Received.Add(time.Hour)}); err != nil {
		t.Fatal(err)
	}
	if in := listed()[bad.ID]; in.State != event.IncidentResolved {
		t.Errorf("closed, it is %+v", in)
	}
	in, err := late.Add(t.Context(), again, event.ImportanceNormal)
	if err != nil || in.ID != again.ID || in.Count != 1 || listed()[again.ID].Unreadable != "" {
		t.Errorf("written over, it is %+v (%v)", in, err)
	}
}
