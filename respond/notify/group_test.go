package notify

import (
	"encoding/json"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/firebreak-io/firebreak/internal/bus"
	"github.com/firebreak-io/firebreak/internal/event"
)

// TestGroup: the first page goes at once, those that come within the window after
// it as one; each stands as delivered, and none is sent again.
func TestGroup(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, Limits{Group: 30 * time.Second, Rate: 6000})
		var titles []string
		r.answer = func(m Message, _ time.Time) error {
			titles = append(titles, m.Notice.Title+"|"+m.Notice.Text)
			return nil
		}
		stop := r.start(t)
		defer stop()
		r.put(t, "i0", "r0/page")
		pass(5 * time.Second)
		if len(r.took) != 1 {
			t.Fatalf("the first page waits: %v", r.took)
		}
		for i := 1; i <= 30; i++ {
			r.put(t, fmt.Sprintf("i%d", i), fmt.Sprintf("r%d/page", i))
		}
		r.put(t, "i1", "r1/again")
		pass(20 * time.Second)
		if len(r.took) != 1 {
			t.Fatalf("too soon: %v", r.took)
		}
		pass(time.Minute)
		if len(r.took) != 2 || !strings.Contains(titles[1], "31 pages about 30 incidents") || !strings.Contains(titles[1], "and 11 more") {
			t.Fatalf("took %v: %q", r.took, titles)
		}
		for i := 1; i <= 30; i++ {
			d := r.status(t, fmt.Sprintf("i%d", i), fmt.Sprintf("r%d/page", i))
			if d.State != event.DeliveryDelivered || len(d.With) != 30 || !slices.Contains(d.With, d.As) {
				t.Errorf("%+v", d)
			}
		}
		pass(time.Hour)
		if len(r.took) != 2 {
			t.Errorf("sent again: %v", r.took)
		}
		// What is no page waits for nothing.
		if err := r.outbox.Put(t.Context(), Message{Receiver: "ops", Key: "i0/resolve", Incident: "i0", Op: Resolve}); err != nil {
			t.Fatal(err)
		}
		r.put(t, "i99", "r99/page")
		pass(20 * time.Second)
		if len(r.took) != 4 {
			t.Errorf("took %v, %d wait, %+v", r.took, len(r.store.due), r.status(t, "i99", "r99/page"))
		}
	})
}

// TestGroupThatFails: a page of many that is not taken is sent again, with all of
// them in it, and none is lost.
func TestGroupThatFails(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, Limits{Group: 30 * time.Second, Rate: 6000})
		begin, seen := time.Now(), map[string]bool{}
		r.answer = func(m Message, at time.Time) error {
			if at.Sub(begin) < 10*time.Minute {
				return fmt.Errorf("answered 503")
			}
			for i := range 15 {
				if id := fmt.Sprintf("i%d", i); m.Incident == id || strings.Contains(m.Notice.Text, "(incident "+id+")") {
					seen[id] = true
				}
			}
			return nil
		}
		stop := r.start(t)
		defer stop()
		for i := range 15 {
			r.put(t, fmt.Sprintf("i%d", i), fmt.Sprintf("r%d/page", i))
		}
		pass(20 * time.Minute)
		if len(seen) != 15 || len(r.took) > 3 {
			t.Errorf("%d of 15 incidents were told of, in %d pages", len(seen), len(r.took))
		}
		for i := range 15 {
			if d := r.status(t, fmt.Sprintf("i%d", i), fmt.Sprintf("r%d/page", i)); d.State != event.DeliveryDelivered {
				t.Errorf("%+v", d)
			}
		}
	})
}

// TestGroupOfTwo: of two responders one pages in a window, however the messages fall
// to them, and also when one dies in the middle of it: each incident stands in one
// page, and in a second one only if its sender died before that was noted.
func TestGroupOfTwo(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, Limits{Group: 30 * time.Second, Rate: 6000})
		pages, named := 0, map[string]int{}
		r.answer = func(m Message, _ time.Time) error {
			pages++
			if len(m.Notice.Text) == 0 {
				named[m.Incident]++
			}
			for line := range strings.Lines(m.Notice.Text) {
				if _, id, ok := strings.Cut(line, "(incident "); ok {
					named[strings.TrimSpace(strings.TrimSuffix(strings.TrimSpace(id), ")"))]++
				}
			}
			return nil
		}
		one, two := r.mortal(t), r.start(t)
		const incidents = 60
		for i := range incidents {
			r.put(t, fmt.Sprintf("i%d", i), fmt.Sprintf("r%d/page", i))
			pass(5 * time.Second)
			if i == incidents/2 {
				one()
				one = r.mortal(t)
			}
		}
		pass(2 * time.Minute)
		one()
		two()
		for i := range incidents {
			if id := fmt.Sprintf("i%d", i); named[id] == 0 || named[id] > 1+r.cut {
				t.Errorf("%s stands in %d pages", id, named[id])
			}
		}
		if most := incidents*5/30 + 2 + r.cut; pages > most {
			t.Errorf("%d pages in five minutes, %d are the most", pages, most)
		}
		t.Logf("%d incidents in five minutes by two responders, one of which died: %d pages, %d cut off", incidents, pages, r.cut)
	})
}

// TestGroupGoesOn: a page about several incidents is acknowledged when somebody
// sees to all of them, and resolved when all are over; a plain acknowledgement of
// one stops its own escalation at once.
func TestGroupGoesOn(t *testing.T) {
	b, err := bus.Open(t.Context(), bus.Options{Dir: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = b.Close() })
	o := NewOutbox(On(b), Receivers{"oncall": {Name: "oncall", Kind: "pagerduty", Notifier: &people{}}}, nil)
	f := &Follower{Outbox: o, Bus: b, Logger: slog.New(slog.DiscardHandler)}
	ids := []string{event.HashID("one"), event.HashID("two")}
	message := func(v any) bus.Message {
		t.Helper()
		data, err := json.Marshal(v)
		if err != nil {
			t.Fatal(err)
		}
		return bus.Message{Data: data}
	}
	store := func(in event.Incident) {
		t.Helper()
		if _, err := b.Publish(t.Context(), bus.SubjectIncident(in.ID), message(in).Data); err != nil {
			t.Fatal(err)
		}
	}
	for _, id := range ids {
		store(event.Incident{ID: id, State: event.IncidentOpen})
		m := Message{Receiver: "oncall", Key: id + "/page", Incident: id, Op: Trigger, Created: time.Now().UTC(), Expires: time.Now().Add(time.Hour).UTC()}
		d := m.delivery("pagerduty")
		d.State, d.With, d.As = event.DeliveryDelivered, ids, ids[0]
		if err := o.note(t.Context(), m, d, 0); err != nil {
			t.Fatal(err)
		}
	}
	told := func(op Op) int {
		t.Helper()
		n := 0
		for _, id := range ids {
			list, err := o.Deliveries(t.Context(), id)
			if err != nil {
				t.Fatal(err)
			}
			for _, d := range list {
				if d.Op == string(op) {
					n++
					if d.Key != ids[0]+"/"+string(op) {
						t.Errorf("%s is told as %s", op, d.Key)
					}
				}
			}
		}
		return n
	}
	for i, id := range []string{ids[1], ids[1], ids[0], ids[0]} {
		if err := f.input(t.Context(), message(event.Input{Run: id, Kind: event.InputAcknowledge, User: "ann"})); err != nil {
			t.Fatal(err)
		}
		if a, ok, err := o.answer(t.Context(), id); err != nil || !ok || a.By != "ann" {
			t.Errorf("the answer %+v, %v, %v", a, ok, err)
		}
		if got, want := told(Acknowledge), i/2; got != want {
			t.Errorf("after %d of them %d were told, want %d", i+1, got, want)
		}
	}
	for i, id := range ids {
		in := event.Incident{ID: id, State: event.IncidentResolved}
		store(in)
		if err := f.incident(t.Context(), message(in)); err != nil {
			t.Fatal(err)
		}
		if got := told(Resolve); got != i {
			t.Errorf("after %d are over %d were told", i+1, got)
		}
	}
	if err := f.input(t.Context(), message(event.Input{Run: event.HashID("none"), Kind: event.InputAcknowledge, User: "ann"})); err != nil {
		t.Error(err)
	}
}
