package detect

import (
	"fmt"
	"maps"
	"math"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/firebreak-io/firebreak/internal/conf"
	"github.com/firebreak-io/firebreak/internal/event"
	"github.com/firebreak-io/firebreak/internal/sketch"
)

// shared is a model of lines and summaries, with features of its own.
func sharedModel(t fatal, when string, features map[string]string) *modeller {
	text := fmt.Sprintf("{apiVersion: firebreak.io/v1alpha1, kind: Model, metadata: {name: m}, spec: {title: T, severity: low, source: log, when: %q, "+
		"entity: [object.namespace, object.name], every: 1m, features: {", when)
	for _, name := range slices.Sorted(maps.Keys(features)) {
		text += fmt.Sprintf("%s: %q, ", name, features[name])
	}
	docs, err := conf.Documents("m.yaml", []byte(text+"}}}"))
	if err != nil {
		t.Fatal(err)
	}
	d, err := newModel(docs[0])
	if err != nil {
		t.Fatal(err)
	}
	m, err := openModel(d.(*Model), Limits{Groups: 1000, Late: time.Hour})
	if err != nil {
		t.Fatal(err)
	}
	return m
}

type fatal interface{ Fatal(args ...any) }

// values are those of each measure, of each entity and interval.
func (m *modeller) values(t fatal, events []event.Event) map[string]float64 {
	m.open = newIntervals(time.Minute, m.limits)
	for i := range events {
		e := &events[i]
		m.gather(e, event.Address{ID: e.ID}, Moment{Now: modelStart, Time: e.Time})
	}
	if m.trouble != nil {
		t.Fatal(m.trouble)
	}
	out := map[string]float64{}
	for k, in := range m.open.at {
		for _, c := range m.measures {
			if in.counted && c.cell >= 0 {
				out[fmt.Sprint(in.who.Label, " ", k.n, " ", c.Text)] = in.cells[c.cell].value(c, 60)
			}
		}
	}
	return out
}

// drawLine is a line as the parsers make them.
func drawLine(t *rapid.T, i int) event.Event {
	at := modelStart.Add(time.Duration(rapid.IntRange(0, 119_999).Draw(t, "at")) * time.Millisecond)
	name := rapid.SampledFrom([]string{"a", "b"}).Draw(t, "name")
	e := event.Event{
		ID: fmt.Sprint("line", i), Source: event.SourceLog, Time: at, Received: at, Message: rapid.SampledFrom([]string{"x", "yy"}).Draw(t, "message"),
		Object: event.Ref{Namespace: "shop", Name: name},
	}
	address := fmt.Sprint("198.51.100.", rapid.IntRange(0, 200).Draw(t, "address"))
	switch e.Class = rapid.SampledFrom([]string{event.ClassHTTP, event.ClassHTTP, event.ClassLogin, event.ClassLogError, event.ClassLogLine}).Draw(t, "class"); e.Class {
	case event.ClassHTTP:
		status := rapid.SampledFrom([]int{0, 200, 200, 204, 302, 400, 401, 403, 404, 500, 503}).Draw(t, "status")
		e.HTTP = event.HTTP{
			Status: status, Bytes: int64(rapid.IntRange(0, 5000).Draw(t, "bytes")), Duration: float64(rapid.IntRange(0, 4000).Draw(t, "ms")) / 1000,
		}
		switch {
		case status >= 500:
			e.Outcome = event.OutcomeFailure
		case status == 401 || status == 403:
			e.Outcome = event.OutcomeDenied
		case status > 0:
			e.Outcome = event.OutcomeSuccess
		}
		e.Actor.Address = address
	case event.ClassLogin:
		e.Outcome = rapid.SampledFrom([]event.Outcome{event.OutcomeSuccess, event.OutcomeAllowed, event.OutcomeFailure, event.OutcomeDenied, ""}).Draw(t, "outcome")
		e.Actor = event.Actor{Address: address, User: rapid.SampledFrom([]string{"", "ann", "bob", "eve"}).Draw(t, "user")}
	}
	return e
}

// drawCondition is one that a model may have.
func drawCondition(t *rapid.T, depth int) string {
	if depth > 0 {
		a, b := drawCondition(t, depth-1), drawCondition(t, depth-1)
		return fmt.Sprintf(rapid.SampledFrom([]string{"(%s) and (%s)", "(%s) or (%s)", "not (%s) and %s"}).Draw(t, "join"), a, b)
	}
	return rapid.SampledFrom([]string{
		`class == "http.request"`, `class == "auth.login"`, `class in ["http.request", "auth.login", "log.error"]`, `class != "log.line"`,
		`http.status >= 500`, `http.status >= 400 and http.status < 500`, `http.status in [401, 403]`, `http.status == 404`, `http.status == 400`, `http.status < 300`,
		`outcome == "failure"`, `outcome in ["failure", "denied"]`, `outcome == "success"`, `outcome == "denied"`, `outcome != ""`,
		`object.name == "a"`, `message == "x"`, `actor.user == "eve"`, `http.bytes > 1000`, `class == "log.summary"`,
	}).Draw(t, "condition")
}

// summariesOf are what is counted of lines by minute and writer, in one part or
// in several.
func summariesOf(t *rapid.T, lines []event.Event) []event.Event {
	parts := map[string]*sketch.Summary{}
	by := map[string]event.Ref{}
	for i := range lines {
		e := &lines[i]
		start := e.Time.Truncate(time.Minute)
		k := fmt.Sprint(e.Object.Name, start, rapid.IntRange(0, 1).Draw(t, "part"))
		if parts[k] == nil {
			parts[k], by[k] = &sketch.Summary{Start: start, Length: time.Minute}, e.Object
		}
		parts[k].Add(e, e.Time)
	}
	var out []event.Event
	for _, k := range slices.Sorted(maps.Keys(parts)) {
		s := parts[k]
		out = append(out, event.Event{
			ID: "summary " + k, Source: event.SourceLog, Class: event.ClassLogSummary, Time: s.Last, Received: s.End(), Object: by[k], Fields: s.Fields(), Severity: event.SeverityInfo,
		})
	}
	return out
}

func tagged(lines []event.Event) []event.Event {
	out := slices.Clone(lines)
	for i := range out {
		out[i].Tags = []string{event.TagSummarised}
	}
	return out
}

func same(a, b float64) bool {
	return math.IsNaN(a) && math.IsNaN(b) || math.Abs(a-b) <= 1e-9*max(1, math.Abs(a))
}

// Whatever a model measures of lines, it measures of lines that summaries count
// too, with those summaries: nothing twice, nothing left out. Where summaries tell
// all of it they alone give the same.
func TestSummarisedLinesCountOnce(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		depth := rapid.IntRange(0, 2).Draw(t, "depth")
		when := "true"
		if rapid.Bool().Draw(t, "selective") {
			when = drawCondition(t, rapid.IntRange(0, 1).Draw(t, "of"))
		}
		a, b := drawCondition(t, depth), drawCondition(t, depth)
		features := map[string]string{
			"count": "count(" + a + ")", "rate": "rate()", "ratio": "ratio(" + a + ", " + b + ")", "sum": "sum(http.bytes)", "mean": "avg(http.bytes)",
			"flag": "avg(" + a + " ? 2 : 1)", "most": "max(http.bytes)", "least": "min(" + b + " ? 1 : 0)", "slow": "quantile(http.duration, 0.9)",
			"status": "quantile(http.status, 0.5)", "clients": "distinct(actor.address)", "users": "distinct(actor.user)", "pairs": "distinct(class, outcome)",
			"mixed": "entropy(class)", "paths": "entropy(class, http.status)",
		}
		var lines []event.Event
		for i := range rapid.IntRange(0, 60).Draw(t, "lines") {
			lines = append(lines, drawLine(t, i))
		}
		summaries := summariesOf(t, lines)
		both := rapid.Permutation(slices.Concat(tagged(lines), summaries)).Draw(t, "both")
		m := sharedModel(t, when, features)
		want, got, alone := m.values(t, lines), m.values(t, both), m.values(t, summaries)
		all := kindSet(1<<len(m.share.kinds) - 1)
		for k, v := range want {
			if w, ok := got[k]; m.share.reads && !ok && !slices.ContainsFunc(m.share.selected, func(a conf.Answer) bool { return a == conf.Open }) {
				t.Fatalf("when %s: no %s of both", when, k)
			} else if ok && !same(v, w) {
				t.Fatalf("when %s: %s is %v of lines, %v of both", when, k, v, w)
			}
			c := m.measures[slices.IndexFunc(m.measures, func(c *measure) bool { return strings.HasSuffix(k, " "+c.Text) })]
			if !m.share.reads || c.told.of != all || c.told.against != all {
				continue
			}
			if w, ok := alone[k]; !ok || !same(v, w) {
				t.Fatalf("when %s: %s is %v of lines, %v (%v) of summaries", when, k, v, w, ok)
			}
		}
		for k := range got {
			if _, ok := want[k]; !ok {
				t.Fatalf("when %s: %s is only of both", when, k)
			}
		}
	})
}

// ofEach are rules of lines and of their summaries.
const ofEach = `
apiVersion: firebreak.io/v1alpha1
kind: Rule
metadata: {name: of-lines}
spec:
  title: T
  severity: low
  source: log
  class: http.request
  when: http.status >= 500
  window: {by: [object.name], over: 5m, having: count() >= 3}
  message: "${object.name}"
---
apiVersion: firebreak.io/v1alpha1
kind: Rule
metadata: {name: of-summaries}
spec:
  title: T
  severity: low
  source: log
  class: log.summary
  when: fields.requests > 0
  window: {by: [object.name], over: 5m, having: sum(fields.requests) >= 20 or distinct(fields.distinct_addresses) >= 10}
  message: "${object.name}"
`

// A rule of lines finds the same whether summaries count them too, and a rule of
// summaries whether lines are stored too.
func TestRulesTakeOneOfLinesAndSummaries(t *testing.T) {
	docs, err := conf.Documents("rules.yaml", []byte(ofEach))
	if err != nil {
		t.Fatal(err)
	}
	set, err := NewRuleSet(docs)
	if err != nil {
		t.Fatal(err)
	}
	found := func(lines, summaries []event.Event) map[string][]string {
		g := NewEngine(set, EngineOptions{Lateness: 10 * time.Second})
		all := slices.Concat(lines, summaries)
		slices.SortStableFunc(all, func(a, b event.Event) int { return a.Received.Compare(b.Received) })
		out := map[string][]string{}
		for _, e := range all {
			for _, f := range folded(t, g, e) {
				out[f.Rule] = append(out[f.Rule], f.ID)
			}
		}
		return out
	}
	type drawn struct{ lines, summaries []event.Event }
	draw := rapid.Custom(func(r *rapid.T) drawn {
		var lines []event.Event
		for i := range rapid.IntRange(0, 80).Draw(r, "lines") {
			lines = append(lines, drawLine(r, i))
		}
		return drawn{lines, summariesOf(r, lines)}
	})
	n := map[string]int{}
	judge := func(t rapid.TB, d drawn) {
		plain, counts, both := found(d.lines, nil), found(nil, d.summaries), found(tagged(d.lines), d.summaries)
		if a, b := plain["of-lines"], both["of-lines"]; !slices.Equal(a, b) {
			t.Fatalf("of lines %v, of both %v", a, b)
		}
		if a, b := counts["of-summaries"], both["of-summaries"]; !slices.Equal(a, b) {
			t.Fatalf("of summaries %v, of both %v", a, b)
		}
		n["of-lines"] += len(plain["of-lines"])
		n["of-summaries"] += len(counts["of-summaries"])
	}
	for seed := range 40 { // the same each time: that something is found does not go by luck
		judge(t, draw.Example(seed))
	}
	if n["of-lines"] == 0 || n["of-summaries"] == 0 {
		t.Errorf("found %v", n)
	}
	rapid.Check(t, func(r *rapid.T) { judge(r, draw.Draw(r, "events")) })
}
