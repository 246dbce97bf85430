package summary

import (
	"fmt"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/firebreak-io/firebreak/internal/conf"
	"github.com/firebreak-io/firebreak/internal/event"
	"github.com/firebreak-io/firebreak/internal/sketch"
)

var begin = time.Date(2026, 3, 4, 5, 6, 0, 0, time.UTC)

func line(pod string, at, received time.Time) *event.Event {
	o := event.PodRef("shop", pod)
	o.UID, o.Container, o.Node, o.Image = "uid-of-"+pod, "main", "n1", "registry/image:1"
	o.Workload = event.Workload{Kind: "Deployment", Name: "web", UID: "w1"}
	o.Labels = map[string]string{"app": "web"}
	return &event.Event{Source: event.SourceLog, Class: event.ClassHTTP, Time: at, Received: received, Object: o, Message: "GET /", Trust: event.TrustText}
}

// stored takes all that is due.
func stored(t *Table) []event.Event {
	var all []event.Event
	for _, p := range t.Due(t.Waiting()) {
		all = append(all, p.Event())
	}
	t.Stored(t.Waiting())
	return all
}

func read(t interface{ Fatal(...any) }, e *event.Event) *sketch.Summary {
	s, err := sketch.Read(e)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func TestTableKeepsIntervals(t *testing.T) {
	table := NewTable(event.SourceLog, Config{}, "nonce")
	for i := range 180 {
		at := begin.Add(time.Duration(i) * time.Second)
		table.Expire(at)
		table.Add(line("web-1", at, at), at, uint64(i+1))
	}
	events := stored(table)
	if len(events) != 2 || table.Open() != 1 {
		t.Fatalf("%d summaries of two minutes that are over, %d open", len(events), table.Open())
	}
	e := events[0]
	s := read(t, &e)
	if s.Lines != 60 || !s.Start.Equal(begin) || s.Length != time.Minute || !e.Time.Equal(begin.Add(59*time.Second)) {
		t.Errorf("%d lines in %v from %v, at %v", s.Lines, s.Length, s.Start, e.Time)
	}
	if e.Class != event.ClassLogSummary || e.Source != event.SourceLog || e.Trust != event.TrustText || e.Message != "60 lines in 1m0s: 60 requests, 0 errors, 0 failed logins" {
		t.Errorf("%+v", e)
	}
	if o := e.Object; !o.IsPod() || o.UID != "uid-of-web-1" || o.Container != "main" || o.Node != "n1" || o.Workload.Name != "web" || o.Image != "" || o.Labels != nil {
		t.Errorf("object %+v", o)
	}
	if want := begin.Add(time.Minute + 5*time.Second); !e.Received.Equal(want) {
		t.Errorf("closed at %v, want %v", e.Received, want)
	}
	if mark, ok := table.Oldest(); !ok || mark != 121 {
		t.Errorf("the oldest mark that is not stored is %d", mark)
	}
}

// Late lines make another part, which is kept for a while to gather more.
func TestTableTakesLateLines(t *testing.T) {
	table := NewTable(event.SourceLog, Config{}, "nonce")
	table.Add(line("web-1", begin, begin), begin, 1)
	now := begin.Add(2 * time.Minute)
	table.Expire(now)
	for i := range 3 {
		table.Add(line("web-1", begin.Add(time.Second), now), now.Add(time.Duration(i)*time.Second), 2)
		table.Expire(now.Add(time.Duration(i) * time.Second))
	}
	table.Expire(now.Add(5 * time.Second))
	events := stored(table)
	if len(events) != 2 || events[0].ID == events[1].ID {
		t.Fatalf("%d parts", len(events))
	}
	whole := read(t, &events[0])
	whole.Merge(read(t, &events[1]))
	if whole.Lines != 4 || whole.Length != time.Minute || !whole.Start.Equal(begin) {
		t.Errorf("merged: %+v", whole)
	}
}

func TestTableClampsTimes(t *testing.T) {
	table := NewTable(event.SourceLog, Config{Lateness: conf.Duration(10 * time.Minute)}, "nonce")
	for _, at := range []time.Time{{}, begin.AddDate(73, 0, 0), begin.AddDate(-50, 0, 0)} {
		table.Add(line("web-1", at, begin), begin, 1)
	}
	table.Close(begin)
	var starts []time.Time
	for _, e := range stored(table) {
		starts = append(starts, read(t, &e).Start)
	}
	// No time, and the year 2099: now. The year 1976: ten minutes ago.
	if len(starts) != 2 || !starts[0].Equal(begin) && !starts[1].Equal(begin) {
		t.Errorf("intervals begin at %v", starts)
	}
	for _, s := range starts {
		if !s.Equal(begin) && !s.Equal(begin.Add(-10*time.Minute)) {
			t.Errorf("an interval begins at %v", s)
		}
	}
}

func TestWriters(t *testing.T) {
	same := func(change func(o *event.Ref), by ...string) bool {
		table := NewTable(event.SourceLog, Config{By: by}, "nonce")
		e := line("web-1", begin, begin)
		table.Add(e, begin, 1)
		change(&e.Object)
		table.Add(e, begin, 1)
		return table.Open() == 1
	}
	pod := func(o *event.Ref) { o.Name, o.UID = "web-2", "u2" }
	container := func(o *event.Ref) { o.Container = "sidecar" }
	for _, c := range []struct {
		by     []string
		change func(o *event.Ref)
		want   bool
	}{
		{nil, pod, false},
		{nil, container, false},
		{nil, func(o *event.Ref) { o.UID = "another" }, false}, // a StatefulSet's pod that was made again
		{nil, func(o *event.Ref) { o.Labels = nil }, true},
		{[]string{"pod"}, container, true},
		{[]string{"pod"}, pod, false},
		{[]string{"container"}, pod, false},
		{[]string{"workload"}, pod, true},
		{[]string{"workload"}, container, true},
		{[]string{"workload", "container"}, pod, true},
		{[]string{"workload", "container"}, container, false},
		{[]string{"workload"}, func(o *event.Ref) { o.Workload.Name = "api" }, false},
		{[]string{"workload"}, func(o *event.Ref) { o.Workload = event.Workload{} }, false},
		{[]string{"workload"}, func(o *event.Ref) { o.Namespace = "other" }, false},
	} {
		if got := same(c.change, c.by...); got != c.want {
			t.Errorf("by %v: one writer %v", c.by, got)
		}
	}
}

// TestTableIsBounded: writers without end cost no more room than there is, all
// their lines are counted, and what can't be told apart says so.
func TestTableIsBounded(t *testing.T) {
	const room = 50
	table := NewTable(event.SourceLog, Config{Entities: room}, "nonce")
	var events []event.Event
	for i := range 10_000 {
		e := line(fmt.Sprint("pod-", i), begin, begin)
		e.Object.Namespace = fmt.Sprint("ns-", i%1000)
		table.Add(e, begin, 1)
		if table.Open() > room+maxNamespaces+1 {
			t.Fatalf("%d open parts", table.Open())
		}
		events = append(events, stored(table)...)
	}
	if len(events) != room {
		t.Errorf("%d parts were put out for others", len(events))
	}
	table.Close(begin)
	events = append(events, stored(table)...)
	var lines, crowd uint64
	ids := map[string]bool{}
	for i := range events {
		s := read(t, &events[i])
		lines += s.Lines
		if s.Overflow {
			crowd += s.Lines
			if events[i].Object.Name != "" {
				t.Errorf("an overflow names %s", events[i].Object)
			}
		}
		ids[events[i].ID] = true
	}
	if lines != 10_000 || crowd != 10_000-2*room || table.Overflowed() != crowd || len(ids) != len(events) {
		t.Errorf("%d lines, %d in overflows (%d), %d ids of %d", lines, crowd, table.Overflowed(), len(ids), len(events))
	}
	// In the next interval there is room again.
	later := begin.Add(time.Minute)
	for i := range 2 * room {
		table.Add(line(fmt.Sprint("late-", i), later, later), later, 2)
	}
	if table.Overflowed() != crowd || table.Waiting() != room {
		t.Errorf("overflowed %d, %d waiting", table.Overflowed(), table.Waiting())
	}
}

// TestTableLosesNoLine: whatever comes when, the parts together count each line
// once, ids are distinct, and a part's interval holds its lines.
func TestTableLosesNoLine(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		table := NewTable(event.SourceLog, Config{
			Interval: conf.Duration(30 * time.Second), Entities: rapid.IntRange(1, 5).Draw(t, "entities"),
		}, "nonce")
		var events []event.Event
		now, n := begin, rapid.IntRange(0, 200).Draw(t, "lines")
		for i := range n {
			now = now.Add(time.Duration(rapid.IntRange(0, 20).Draw(t, "pause")) * time.Second)
			at := now.Add(time.Duration(rapid.IntRange(-7200, 60).Draw(t, "age")) * time.Second)
			table.Expire(now)
			table.Add(line(fmt.Sprint(rapid.IntRange(0, 9).Draw(t, "pod")), at, now), now, uint64(i+1))
			if rapid.Bool().Draw(t, "store") {
				events = append(events, stored(table)...)
			}
		}
		table.Close(now)
		events = append(events, stored(table)...)
		if _, left := table.Oldest(); left || table.Open() != 0 {
			t.Fatal("something is left")
		}
		var lines uint64
		ids := map[string]bool{}
		for i := range events {
			s := read(t, &events[i])
			lines += s.Lines
			ids[events[i].ID] = true
			if !s.Overflow && (s.First.Before(s.Start) || !s.Last.Before(s.End())) {
				t.Fatalf("lines from %v to %v in the interval of %v", s.First, s.Last, s.Start)
			}
		}
		if lines != uint64(n) || len(ids) != len(events) {
			t.Fatalf("%d lines of %d, %d ids of %d", lines, n, len(ids), len(events))
		}
	})
}

func TestLinesOfAPart(t *testing.T) {
	for _, c := range [][3]string{
		{"/var/log/pods/a/0.log:3", "/var/log/pods/a/0.log:90", "/var/log/pods/a/0.log:3-90"},
		{"/var/log/pods/a/0.log:3", "/var/log/pods/a/0.log:3", "/var/log/pods/a/0.log:3"},
		{"/var/log/pods/a/0.log:3", "/var/log/pods/a/1.log:1", "/var/log/pods/a/0.log:3"},
		{"log-http http 10.0.0.1:4312", "log-http http 10.0.0.1:4313", "log-http http 10.0.0.1:4312"},
		{"", "", ""},
	} {
		if got := lines(c[0], c[1]); got != c[2] {
			t.Errorf("%q and %q: %q", c[0], c[1], got)
		}
	}
}

func TestConfigCheck(t *testing.T) {
	for name, c := range map[string]Config{
		"short":     {Interval: conf.Duration(time.Second)},
		"uneven":    {Interval: conf.Duration(10*time.Second + time.Millisecond)},
		"delay":     {Delay: conf.Duration(time.Hour)},
		"late":      {Lateness: conf.Duration(48 * time.Hour)},
		"few":       {Entities: -1},
		"by":        {By: []string{"node"}},
		"twice":     {By: []string{"pod", "pod"}},
		"both ways": {By: []string{"pod", "workload"}},
	} {
		if c.Check() == nil {
			t.Errorf("%s: taken", name)
		}
	}
	if err := (Config{}).Check(); err != nil {
		t.Error(err)
	}
}
