package detect

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/firebreak-io/firebreak/internal/event"
	"github.com/firebreak-io/firebreak/internal/sketch"
)

const summarised = ruleStart + `  source: log
  class: log.summary
  when: fields.overflow != true
  window:
    by: [object.namespace]
    over: 5m
    having: >-
      distinct(fields.distinct_addresses) > 1e9 or quantile(fields.latency, 0.9) > 1e9 or sum(fields.requests) > 1e9
      or rate(fields.requests) > 1e9 or count() > 1e9 or distinct(object.name) > 1e9
      or sum(fields.failed_logins) / sum(fields.lines) > 2 or baseline_ratio(fields.requests) > 1e9
      or distinct(fields.failed_users) > 1e9 or distinct(fields.failed_addresses) > 1e9
`

// written is a line of some writer, with the minute that it is of.
type written struct {
	minute          int
	writer, address string
	latency         float64
	failed          bool
}

func (l written) event() (event.Event, time.Time) {
	at := dawn.Add(time.Duration(l.minute)*time.Minute + 30*time.Second)
	if l.failed {
		return event.Event{Class: event.ClassLogin, Outcome: event.OutcomeFailure, Time: at, Actor: event.Actor{User: "u" + l.address, Address: l.address}}, at
	}
	return event.Event{Class: event.ClassHTTP, Time: at, Actor: event.Actor{Address: l.address}, HTTP: event.HTTP{Status: 200, Duration: l.latency}}, at
}

// summaries count lines in parts of writers' minutes, as events.
func summaries(random *rand.Rand, lines []written) []event.Event {
	parts := map[string]*sketch.Summary{}
	var order []string
	writers := map[string]string{}
	for _, l := range lines {
		k := fmt.Sprint(l.minute, "/", l.writer, "/", random.IntN(2))
		if parts[k] == nil {
			parts[k] = &sketch.Summary{Start: dawn.Add(time.Duration(l.minute) * time.Minute), Length: time.Minute}
			order, writers[k] = append(order, k), l.writer
		}
		e, at := l.event()
		parts[k].Add(&e, at)
	}
	var all []event.Event
	for _, k := range order {
		s := parts[k]
		all = append(all, event.Event{
			ID: k, Source: event.SourceLog, Class: event.ClassLogSummary, Time: s.Last, Received: s.End().Add(5 * time.Second),
			Object: event.Ref{Namespace: "shop", Name: writers[k]}, Fields: s.Fields(),
		})
	}
	return all
}

// A window over summaries has the numbers of the lines of the last five minutes:
// counts exactly, whatever the order of the parts, and the others within the
// error that is stated.
func TestSummariesAreMerged(t *testing.T) {
	set, err := ruleSet(t, summarised)
	if err != nil {
		t.Fatal(err)
	}
	rapid.Check(t, func(rt *rapid.T) {
		random := rand.New(rand.NewPCG(rapid.Uint64().Draw(rt, "seed"), 0))
		var lines []written
		addresses := []int{40, 120, 5000}[random.IntN(3)]
		for range rapid.IntRange(1, 1500).Draw(rt, "lines") {
			lines = append(lines, written{
				random.IntN(12), fmt.Sprint("w", random.IntN(3)), fmt.Sprint("10.0.", random.IntN(addresses)), math.Exp(random.Float64()*12 - 8), random.IntN(5) == 0,
			})
		}
		slices.SortStableFunc(lines, func(a, b written) int { return a.minute - b.minute })
		events := summaries(random, lines)
		last := lines[len(lines)-1].minute
		// Each may be overtaken by some of the next minute.
		for i := len(events) - 1; i > 0; i-- {
			if j := max(0, i-random.IntN(6)); events[i].Received.Sub(events[j].Received) <= time.Minute {
				events[i], events[j] = events[j], events[i]
			}
		}
		s := &story{t: t, engine: NewEngine(set, EngineOptions{}), counts: map[string]uint64{}}
		for i := range events {
			e := events[i]
			if _, _, err := s.engine.Fold(&e, event.Address{Sequence: uint64(i + 1), ID: e.ID}); err != nil {
				rt.Fatal(err)
			}
			if random.IntN(30) == 0 {
				s.again()
			}
		}
		compareSummaries(rt, s.engine.running[0].run.(*running), lines, events, last)
	})
}

func compareSummaries(t *rapid.T, r *running, lines []written, events []event.Event, last int) {
	e := event.Event{Object: event.Ref{Namespace: "shop"}}
	key, err := groupKey(&e, r.window.by)
	if err != nil {
		t.Fatal(err)
	}
	exact := map[string]map[string]bool{"addresses": {}, "failed": {}, "writers": {}}
	var latencies []float64
	requests, failed, total, parts := 0.0, 0.0, 0.0, 0.0
	for _, l := range lines {
		if l.minute <= last-5 {
			continue
		}
		total++
		exact["addresses"][l.address], exact["writers"][l.writer] = true, true
		if l.failed {
			exact["failed"][l.address] = true
			failed++
			continue
		}
		requests++
		latencies = append(latencies, l.latency)
	}
	for _, s := range events {
		if start, _, _ := sketch.Interval(&s); start.After(dawn.Add(time.Duration(last-5) * time.Minute)) {
			parts++
		}
	}
	end := r.window.groups.Newest(key)
	number := func(text string) float64 {
		for i, call := range r.window.calls {
			if strings.Contains(call.Text, text) {
				return r.window.groups.Value(key, i, end)
			}
		}
		t.Fatalf("no aggregate %s", text)
		return 0
	}
	for text, want := range map[string]float64{
		"sum(fields.requests)": requests, "rate(": requests / 300, "count()": parts, "distinct(object.name)": float64(len(exact["writers"])),
		"sum(fields.failed_logins)": failed, "sum(fields.lines)": total,
	} {
		if got := number(text); math.Abs(got-want) > 1e-9*want {
			t.Fatalf("%s is %v, want %v", text, got, want)
		}
	}
	for text, of := range map[string]string{"fields.distinct_addresses": "addresses", "fields.failed_users": "failed", "fields.failed_addresses": "failed"} {
		got, want := number(text), float64(len(exact[of]))
		bound := 5 * sketch.DistinctError * want
		if want <= sketch.MaxExact {
			bound = 0
		}
		if math.Abs(got-want) > bound {
			t.Fatalf("%s is %v, want %v within %v", text, got, want, bound)
		}
	}
	if len(latencies) > 0 {
		slices.Sort(latencies)
		got, want := number("fields.latency"), latencies[int(0.9*float64(len(latencies)-1))]
		if math.Abs(got-want) > 1.0001*sketch.QuantileError*want {
			t.Fatalf("the quantile is %v, want %v", got, want)
		}
	}
}

// summary is one of a minute.
func summaryOf(minute int, requests int, address string) event.Event {
	s := &sketch.Summary{Start: dawn.Add(time.Duration(minute) * time.Minute), Length: time.Minute}
	for i := range requests {
		e := event.Event{Class: event.ClassHTTP, Actor: event.Actor{Address: fmt.Sprint(address, i)}, HTTP: event.HTTP{Status: 200, Duration: 0.1}}
		s.Add(&e, s.Start)
	}
	return event.Event{Source: event.SourceLog, Class: event.ClassLogSummary, Object: event.Ref{Namespace: "shop", Name: "w"}, Fields: s.Fields()}
}

// A window ends where it says: five minutes are five summaries, not six.
func TestAWindowOfSummariesIsExact(t *testing.T) {
	rule := strings.Replace(summarised, "distinct(fields.distinct_addresses) > 1e9", "distinct(fields.distinct_addresses) >= 50", 1)
	s := tell(t, rule, EngineOptions{})
	for minute, want := range []int{0, 0, 0, 0, 0, 1} {
		n := 8 // of their own in each minute
		if minute == 5 {
			n = 18
		}
		at := 60*float64(minute) + 65
		if f := s.at(at-6, at, summaryOf(minute, n, fmt.Sprint(minute, "."))); len(f) != want {
			t.Errorf("minute %d: found %d", minute, len(f))
		}
	}
	// Late, the first minute is not in the window that ends with the sixth.
	if f := s.at(0, 370, summaryOf(0, 1, "late")); len(f) != 0 {
		t.Error("a summary that is out of the window was found")
	}
	s.again()
	e := summaryOf(6, 1, "x")
	e.Fields["interval"] = int64(90)
	e.ID = "odd"
	if _, _, err := s.engine.Fold(&e, event.Address{Sequence: 99}); err == nil || !strings.Contains(err.Error(), "no multiple of the summaries' interval of 1m30s") {
		t.Errorf("a summary of another interval: %v", err)
	}
}

// What a group of summaries takes is bounded, and said.
func TestSummariesAreBounded(t *testing.T) {
	s := tell(t, strings.Replace(summarised, "over: 5m", "over: 1h", 1), EngineOptions{})
	for minute := range 300 {
		at := 60*float64(minute) + 65
		s.at(at-6, at, summaryOf(minute, 400, fmt.Sprint(minute, ".")))
	}
	if m := s.engine.Memory(); m.Groups > 2 || m.Bytes < 60*3000 || m.Bytes > 70*5000 {
		t.Errorf("an hour of summaries takes %+v", m)
	}
}

func TestSummariesAreChecked(t *testing.T) {
	for text, want := range map[string]string{
		"over: 5m, having: \"distinct(fields.failed_users, object.name) > 1\"": "each by itself",
		"over: 5m, having: avg(fields.latency) > 1":                            "fields.latency is a sketch of numbers",
		"over: 5s, having: count() > 1":                                        "no multiple of any interval",
		"over: 5m, having: \"quantile(fields.latency, 0.5) > 1\"":              "",
		"over: 24h, having: sum(fields.requests) > 1":                          "",
	} {
		_, err := ruleSet(t, ruleStart+"  source: log\n  when: class == \"log.summary\" and fields.lines > 0\n  window: {"+text+"}\n")
		if (err == nil) != (want == "") || err != nil && !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %q", text, err, want)
		}
	}
	set, err := ruleSet(t, strings.Replace(summarised, "over: 5m", "over: 3h", 1))
	if err != nil {
		t.Fatal(err)
	}
	r := set.Detectors()[0].(*Rule)
	for interval, want := range map[time.Duration]string{
		time.Minute: "more than 120 intervals", 5 * time.Minute: "", 7 * time.Minute: "no multiple", time.Hour: "", 6 * time.Hour: "no multiple",
	} {
		if got := r.FitsInterval(interval); (got == nil) != (want == "") || got != nil && (!strings.Contains(got.Msg, want) || got.Line == 0) {
			t.Errorf("%s: %v, want %q", interval, got, want)
		}
	}
	if all := r.Estimates(); len(all) != 4 || !strings.Contains(all[0].Msg, "3.3 % in 95") || !strings.Contains(all[1].Msg, "within 1 %") {
		t.Errorf("estimates are %v", all)
	}
	plain, err := ruleSet(t, swept)
	if err != nil {
		t.Fatal(err)
	}
	if r := plain.Detectors()[0].(*Rule); r.FitsInterval(7*time.Minute) != nil || r.Estimates() != nil {
		t.Error("a window of events has no intervals")
	}
}
