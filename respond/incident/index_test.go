package incident

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/firebreak-io/firebreak/internal/bus"
	"github.com/firebreak-io/firebreak/internal/event"
)

// storedIncidents fills a store: each so many-th incident is open, all others are
// over. It gives the ids of those.
func storedIncidents(t *testing.T, b *bus.Bus, total, each int) (open []string) {
	t.Helper()
	const batch = 500
	var records []bus.Record
	for i := range total {
		in := event.Incident{
			ID: event.HashID("incident", fmt.Sprint(i)), State: event.IncidentResolved, Created: start, Updated: start,
			Closed: start.Add(time.Duration(i) * time.Second), Keys: []string{fmt.Sprint("pod/shop/web-", i)}, Findings: []string{fmt.Sprint(i)}, Count: 1,
		}
		if i%each == 0 {
			in.State, in.Closed = event.IncidentOpen, time.Time{}
			open = append(open, in.ID)
		}
		data, err := json.Marshal(in)
		if err != nil {
			t.Fatal(err)
		}
		if records = append(records, bus.Record{Subject: bus.SubjectIncident(in.ID), Data: data}); len(records) == batch || i == total-1 {
			if err := b.CreateAll(t.Context(), records); err != nil {
				t.Fatal(err)
			}
			records = nil
		}
	}
	slices.Sort(open)
	return open
}

// TestManyIncidents: of a hundred thousand incidents a responder holds those that
// are open, a start reads those alone, and lists come in pages.
func TestManyIncidents(t *testing.T) {
	t.Parallel()
	const total, each = 100_000, 1000
	o := bus.Options{Dir: t.TempDir()}
	b, err := bus.Open(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	want := storedIncidents(t, b, total, each)
	n := NewStore(b)
	if err := n.Load(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := n.KeepIndex(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := b.Close(); err != nil {
		t.Fatal(err)
	}
	if b, err = bus.Open(t.Context(), o); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = b.Close() })
	x, err := keptIndex(t.Context(), b)
	if err != nil {
		t.Fatal(err)
	}
	if read, err := x.advance(t.Context(), b); err != nil || read != 0 {
		t.Errorf("a start reads %d records, %v", read, err)
	}
	n = NewStore(b)
	if err := n.Load(t.Context()); err != nil {
		t.Fatal(err)
	}
	var have []string
	for _, in := range n.open {
		have = append(have, in.ID)
	}
	if slices.Sort(have); !slices.Equal(have, want) || len(n.sequence) != len(want) || len(n.index.Open) != len(want) {
		t.Errorf("it holds %d incidents, %d places, %d in the index; want %d", len(have), len(n.sequence), len(n.index.Open), len(want))
	}
	all := NewList(b)
	if list, err := all.Open(t.Context()); err != nil || len(list) != len(want) {
		t.Errorf("%d are open, %v", len(list), err)
	}
	pages := func(q Query) (list []event.Incident, pages int) {
		for after := ""; ; pages++ {
			page, next, err := all.Page(t.Context(), q, after, 5000)
			if err != nil || len(page) > 5000 {
				t.Fatalf("a page of %d, %v", len(page), err)
			}
			if list = append(list, page...); next == "" {
				return list, pages + 1
			}
			after = next
		}
	}
	if list, n := pages(Query{}); len(Newest(list)) != total || n < total/5000 {
		t.Errorf("%d incidents on %d pages", len(list), n)
	}
	if list, _ := pages(Query{Since: start.Add((total - 50) * time.Second)}); len(list) != len(want)+50 {
		t.Errorf("%d are open or ended of late", len(list))
	}
	if list, n := pages(Query{States: []event.IncidentState{event.IncidentOpen}}); len(list) != len(want) || n != 1 {
		t.Errorf("%d are open, on %d pages", len(list), n)
	}
	if list, _ := pages(Query{Prefix: want[3][:12]}); len(list) != 1 || list[0].ID != want[3] {
		t.Errorf("by its beginning: %d", len(list))
	}
}

// TestIndexOfIncidents: an index that is old, of another stream or of none comes
// to the same; what is over can be said to be something else.
func TestIndexOfIncidents(t *testing.T) {
	b := opened(t)
	want := storedIncidents(t, b, 40, 4)
	n, all := NewStore(b), NewList(b)
	if err := errors.Join(n.Load(t.Context()), n.KeepIndex(t.Context())); err != nil {
		t.Fatal(err)
	}
	gone := want[0]
	if _, err := n.update(t.Context(), gone, func(in event.Incident) event.Incident {
		in.State, in.Closed = event.IncidentResolved, start
		return in
	}); err != nil {
		t.Fatal(err)
	}
	if _, err := n.update(t.Context(), gone, func(in event.Incident) event.Incident {
		in.State = event.IncidentFalsePositive
		return in
	}); err != nil {
		t.Fatal(err)
	}
	for name, spoil := range map[string]func(*index){
		"old": func(*index) {}, "none": func(x *index) { x.Version = 0 }, "of a stream that was lost": func(x *index) { x.Sequence += 1000 },
	} {
		x, err := keptIndex(t.Context(), b)
		if err != nil {
			t.Fatal(err)
		}
		spoil(&x)
		if err := x.keep(t.Context(), b); err != nil {
			t.Fatal(err)
		}
		again := NewStore(b)
		if err := again.Load(t.Context()); err != nil || len(again.open) != len(want)-1 {
			t.Errorf("%s: %d are open, %v", name, len(again.open), err)
		}
		if err := again.KeepIndex(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	list, next, err := all.Page(t.Context(), Query{States: []event.IncidentState{event.IncidentFalsePositive}}, "", 10)
	if err != nil || len(list) != 1 || list[0].ID != gone || next != "" {
		t.Errorf("false alarms: %d, next %q, %v", len(list), next, err)
	}
	for _, place := range []string{"x", "over.", "over.-1", "ended.3"} {
		if _, _, err := all.Page(t.Context(), Query{}, place, 10); !errors.Is(err, ErrNoPage) {
			t.Errorf("place %q: %v", place, err)
		}
	}
}

// TestOpenIncidentsStay: the stream forgets what is old, so what is not over is
// written again in time, once.
func TestOpenIncidentsStay(t *testing.T) {
	b := opened(t)
	now := time.Now()
	in := event.Incident{ID: event.HashID("held"), State: event.IncidentContained, Created: now, Updated: now}
	data, err := json.Marshal(in)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := b.Create(t.Context(), bus.SubjectIncident(in.ID), data); err != nil {
		t.Fatal(err)
	}
	n := NewStore(b)
	if err := n.Load(t.Context()); err != nil {
		t.Fatal(err)
	}
	n.Note(event.Run{ID: "r", Incident: in, State: event.RunHolding})
	count := func(at time.Time) uint64 {
		t.Helper()
		if err := n.Sweep(t.Context(), at, true); err != nil {
			t.Fatal(err)
		}
		state, err := b.State(t.Context(), bus.Incidents)
		if err != nil {
			t.Fatal(err)
		}
		return state.Messages
	}
	first := count(now) // its run shows
	for _, step := range []struct {
		days int
		more uint64
	}{{1, 0}, {29, 0}, {32, 1}, {63, 1}, {64, 1}, {95, 2}} {
		if got := count(now.Add(time.Duration(step.days) * 24 * time.Hour)); got != first+step.more {
			t.Errorf("after %d days it was written %d times more, want %d", step.days, got-first, step.more)
		}
	}
}
