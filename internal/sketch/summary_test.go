package sketch

import (
	"encoding/json"
	"fmt"
	"math"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/firebreak-io/firebreak/internal/event"
)

var begin = time.Date(2026, 3, 4, 5, 6, 0, 0, time.UTC)

// line draws a log line's event.
func line() *rapid.Generator[event.Event] {
	return rapid.Custom(func(t *rapid.T) event.Event {
		e := event.Event{Source: event.SourceLog, Message: rapid.StringN(0, 20, -1).Draw(t, "message")}
		e.Time = begin.Add(time.Duration(rapid.Int64Range(0, int64(5*time.Minute)-1).Draw(t, "time")))
		e.Class = rapid.SampledFrom([]string{event.ClassHTTP, event.ClassLogin, event.ClassLogLine, event.ClassLogError}).Draw(t, "class")
		e.Actor.Address = rapid.SampledFrom([]string{"", "10.0.0.1", "10.0.0.2", "2001:db8::1"}).Draw(t, "address")
		e.Actor.User = rapid.SampledFrom([]string{"", "root", "admin"}).Draw(t, "user")
		e.Outcome = rapid.SampledFrom([]event.Outcome{"", event.OutcomeSuccess, event.OutcomeFailure, event.OutcomeDenied}).Draw(t, "outcome")
		e.HTTP.Status = rapid.SampledFrom([]int{0, 200, 301, 404, 503, 999, -1}).Draw(t, "status")
		e.HTTP.Duration = rapid.OneOf(rapid.Just(0.0), rapid.Float64Range(0.0001, 30)).Draw(t, "duration")
		e.HTTP.Bytes = rapid.Int64Range(-1, 5000).Draw(t, "bytes")
		return e
	})
}

// travel is what a stream does to an event.
func travel(t *rapid.T, s *Summary) *Summary {
	data, err := json.Marshal(event.Event{Class: event.ClassLogSummary, Fields: s.Fields()})
	if err != nil {
		t.Fatal(err)
	}
	var e event.Event
	if err := json.Unmarshal(data, &e); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(s.Fields(), e.Fields); diff != "" {
		t.Fatalf("fields change on their way: %s", diff)
	}
	back, err := Read(&e)
	if err != nil {
		t.Fatal(err)
	}
	return back
}

// TestMergedSummariesAreTheUnions: lines are shared out to summaries of one
// minute, in several parts, which are stored, read and merged in any order. What
// they tell of five minutes, and of each window of two, is what the lines tell:
// counts to the last one, quantiles within one per cent.
func TestMergedSummariesAreTheUnions(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		lines := rapid.SliceOfN(line(), 1, 200).Draw(t, "lines")
		parts := map[string]*Summary{}
		for i := range lines {
			at := lines[i].Time.Truncate(time.Minute)
			key := fmt.Sprint(at, rapid.IntRange(0, 1).Draw(t, "part"))
			if parts[key] == nil {
				parts[key] = &Summary{Start: at, Length: time.Minute}
			}
			parts[key].Add(&lines[i], lines[i].Time)
		}
		keys := make([]string, 0, len(parts))
		for key := range parts {
			keys = append(keys, key)
		}
		slices.Sort(keys)
		var merged Summary
		windows := map[time.Time]*Summary{}
		for _, key := range rapid.Permutation(keys).Draw(t, "order") {
			part := travel(t, parts[key])
			merged.Merge(part)
			at, err := part.Window(2 * time.Minute)
			if err != nil {
				t.Fatal(err)
			}
			if windows[at] == nil {
				windows[at] = &Summary{}
			}
			windows[at].Merge(part)
		}
		compare(t, &merged, lines)
		for at, w := range windows {
			compare(t, w, slices.DeleteFunc(slices.Clone(lines), func(e event.Event) bool { return !e.Time.Truncate(2 * time.Minute).Equal(at) }))
		}
	})
}

func compare(t *rapid.T, got *Summary, lines []event.Event) {
	var want Summary
	var took []float64
	clients, from, as := map[string]bool{}, map[string]bool{}, map[string]bool{}
	for i := range lines {
		e := &lines[i]
		want.Lines++
		want.Bytes += uint64(len(e.Message))
		clients[e.Actor.Address] = true
		switch {
		case e.Class == event.ClassHTTP && e.HTTP.Duration > 0:
			took = append(took, e.HTTP.Duration)
		case e.Class == event.ClassLogin && e.Outcome == event.OutcomeSuccess:
			want.Logins++
		case e.Class == event.ClassLogin && e.Outcome != "":
			want.FailedLogins++
			from[e.Actor.Address], as[e.Actor.User] = true, true
		}
	}
	for _, set := range []map[string]bool{clients, from, as} {
		delete(set, "")
	}
	first := slices.MinFunc(lines, func(a, b event.Event) int { return a.Time.Compare(b.Time) })
	last := slices.MaxFunc(lines, func(a, b event.Event) int { return a.Time.Compare(b.Time) })
	if !got.First.Equal(first.Time) || !got.Last.Equal(last.Time) || got.Start.After(first.Time) || !got.End().After(last.Time) {
		t.Fatalf("from %v to %v in %v and %v", got.First, got.Last, got.Start, got.Length)
	}
	if got.Lines != want.Lines || got.Bytes != want.Bytes || got.Logins != want.Logins || got.FailedLogins != want.FailedLogins {
		t.Fatalf("got %+v, want %+v", got, want)
	}
	if got.Addresses.Count() != uint64(len(clients)) || got.FailedAddresses.Count() != uint64(len(from)) || got.FailedUsers.Count() != uint64(len(as)) {
		t.Fatalf("distinct: %d, %d, %d", got.Addresses.Count(), got.FailedAddresses.Count(), got.FailedUsers.Count())
	}
	slices.Sort(took)
	if got.Latency.Count() != uint64(len(took)) {
		t.Fatalf("%d durations of %d", got.Latency.Count(), len(took))
	}
	for _, p := range []float64{.5, .9, .99} {
		if v, ok := got.Latency.At(p); ok {
			exact := took[int(p*float64(len(took)-1))]
			if math.Abs(v-exact) > 1.000001*QuantileError*exact {
				t.Fatalf("p%v is %v, exactly %v", 100*p, v, exact)
			}
		}
	}
}

// A rule compares what it reads with plain numbers.
func TestFieldsForRules(t *testing.T) {
	s := Summary{Start: begin, Length: time.Minute}
	for i := range 100 {
		s.Add(&event.Event{
			Class: event.ClassHTTP, Message: "GET /", Actor: event.Actor{Address: fmt.Sprint("10.0.0.", i%4)},
			HTTP: event.HTTP{Status: 200 + 300*(i%2), Duration: .25, Bytes: 10},
		}, begin.Add(time.Second))
	}
	f := s.Fields()
	sketches := f["sketches"]
	delete(f, "sketches")
	if diff := cmp.Diff(event.Fields{
		"start": "2026-03-04T05:06:00Z", "interval": int64(60), "first": "2026-03-04T05:06:01Z", "last": "2026-03-04T05:06:01Z",
		"lines": int64(100), "bytes": int64(500), "sent": int64(1000), "requests": int64(100), "distinct_addresses": int64(4),
		"classes": map[string]any{"http.request": int64(100)}, "status": map[string]any{"2xx": int64(50), "5xx": int64(50)},
		"latency_p50": f["latency_p50"], "latency_p90": f["latency_p50"], "latency_p99": f["latency_p50"],
	}, f); diff != "" {
		t.Error(diff)
	}
	if p, _ := f["latency_p50"].(float64); math.Abs(p-.25) > .0025 {
		t.Errorf("latency %v", p)
	}
	if text, _ := sketches.(string); len(text) == 0 || len(text) > 60 {
		t.Errorf("sketches %q", sketches)
	}
}

func TestReadRefuses(t *testing.T) {
	good := Summary{Start: begin, Length: time.Minute}
	good.Add(&event.Event{Class: event.ClassLogin, Outcome: event.OutcomeFailure, Actor: event.Actor{User: "root", Address: "10.0.0.1"}}, begin)
	for name, change := range map[string]func(*event.Event){
		"class":    func(e *event.Event) { e.Class = event.ClassLogLine },
		"start":    func(e *event.Event) { e.Fields["start"] = int64(1) },
		"interval": func(e *event.Event) { e.Fields["interval"] = int64(-60) },
		"long":     func(e *event.Event) { e.Fields["interval"] = 1e300 },
		"lines":    func(e *event.Event) { e.Fields["lines"] = int64(-1) },
		"text":     func(e *event.Event) { e.Fields["lines"] = "1" },
		"classes":  func(e *event.Event) { e.Fields["classes"] = map[string]any{"auth.login": "x"} },
		"sketches": func(e *event.Event) { e.Fields["sketches"] = "!" },
		"version":  func(e *event.Event) { e.Fields["sketches"] = "Ag" },
		"cut":      func(e *event.Event) { e.Fields["sketches"] = e.Fields["sketches"].(string)[:4] },
	} {
		e := event.Event{Class: event.ClassLogSummary, Fields: good.Fields()}
		if _, err := Read(&e); err != nil {
			t.Fatal(err)
		}
		change(&e)
		if _, err := Read(&e); err == nil {
			t.Errorf("%s: read all the same", name)
		}
	}
}

// FuzzSummary: no event crashes the reader, and what it reads is written again
// as the same summary.
func FuzzSummary(f *testing.F) {
	s := Summary{Start: begin, Length: time.Minute}
	for i := range 300 {
		s.Add(&event.Event{Class: event.ClassHTTP, Actor: event.Actor{Address: fmt.Sprint(i)}, HTTP: event.HTTP{Duration: float64(i)}}, begin)
	}
	seed, err := json.Marshal(s.Fields())
	if err != nil {
		f.Fatal(err)
	}
	f.Add(seed)
	f.Add([]byte(`{"start":"2026-01-01T00:00:00Z","interval":0.5,"first":"2026-01-01T00:00:00Z","last":"2026-01-01T00:00:00Z","sketches":"AQAAAAA"}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		e := event.Event{Class: event.ClassLogSummary}
		if json.Unmarshal(data, &e.Fields) != nil {
			return
		}
		s, err := Read(&e)
		if err != nil {
			return
		}
		e.Fields = s.Fields()
		again, err := Read(&e)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(s.Fields(), again.Fields()); diff != "" {
			t.Fatal(diff)
		}
	})
}
