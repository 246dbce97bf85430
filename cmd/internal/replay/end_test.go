package replay_test

import (
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/firebreak-io/firebreak/cmd/internal/replay"
	"github.com/firebreak-io/firebreak/detect"
	"github.com/firebreak-io/firebreak/ingest/summary"
)

const endRules = `apiVersion: firebreak.io/v1alpha1
kind: Rule
metadata: {name: left-open}
spec:
  title: A shell that nobody closed
  severity: medium
  source: falco
  sequence:
    by: [object.name]
    within: 10m
    steps: [{when: rule == "open"}, {when: rule == "close", not: true}]
---
apiVersion: firebreak.io/v1alpha1
kind: Rule
metadata: {name: storm}
spec:
  title: The same again and again
  severity: low
  source: falco
  when: rule == "again"
  suppress: {by: [object.name], for: 1h}
`

// A window's finding names the lines behind it.
func TestWindowsNameTheirLines(t *testing.T) {
	o := small(t)
	o.Rules = loaded(t, `apiVersion: firebreak.io/v1alpha1
kind: Rule
metadata: {name: many}
spec: {title: Many, severity: low, source: falco, when: "true", window: {by: [object.name], over: 1m, having: count() >= 3}}
`)
	var lines strings.Builder
	for i, pod := range []string{"a", "b", "a", "b", "c", "a"} {
		fmt.Fprintf(&lines, `{"time":"2026-03-04T05:00:0%dZ","rule":"r","priority":"Notice","output":"o","output_fields":{"k8s.ns.name":"shop","k8s.pod.name":%q}}`+"\n{}\n", i, pod)
	}
	o.Inputs = []replay.Input{{Source: "falco", Name: "f", Open: func() (io.ReadCloser, error) {
		return io.NopCloser(strings.NewReader(lines.String())), nil
	}}}
	r := run(t, o)
	var got []string
	for _, f := range r.findings {
		for _, at := range f.Events {
			if got = append(got, at.From); at.ID == "" {
				t.Errorf("event %+v has no id", at)
			}
		}
	}
	if strings.Join(got, " ") != "f:1 f:5 f:11" {
		t.Errorf("events of %v", got)
	}
}

// Lines of a log are summarised where somebody wants that, with the same numbers
// as the lines have.
func TestLinesAreSummarised(t *testing.T) {
	o := small(t)
	o.Rules = loaded(t, `apiVersion: firebreak.io/v1alpha1
kind: Rule
metadata: {name: flood}
spec:
  title: Many addresses
  severity: low
  source: log
  class: log.summary
  when: "true"
  window: {over: 2m, having: distinct(fields.distinct_addresses) >= 60 and sum(fields.requests) == 120}
  message: ${distinct(fields.distinct_addresses)} addresses, ${sum(fields.requests)} requests, ${count()} summaries
`)
	var lines strings.Builder
	at := time.Date(2026, 3, 4, 5, 0, 0, 0, time.UTC)
	for i := range 150 {
		fmt.Fprintf(&lines, "10.0.0.%d - - [%s] \"GET /%d HTTP/1.1\" 200 12 \"-\" \"curl\"\n", i%60, at.Add(time.Duration(i)*time.Second).Format("02/Jan/2006:15:04:05 -0700"), i)
	}
	o.Inputs = []replay.Input{{Source: "log", Name: "web.log", Summarise: &summary.Config{}, Open: func() (io.ReadCloser, error) {
		return io.NopCloser(strings.NewReader(lines.String())), nil
	}}}
	r := run(t, o)
	if len(r.findings) != 1 || r.findings[0].Explanation != "60 addresses, 120 requests, 2 summaries" || r.summary.Events != 153 {
		t.Fatalf("found %+v, %+v", r.findings, r.summary)
	}
	if got := r.findings[0].Received; !got.Equal(at.Add(125 * time.Second)) {
		t.Errorf("received at %s", got)
	}
	o.Inputs[0].Summarise = nil
	if r := run(t, o); len(r.findings) != 0 || r.summary.Events != 150 {
		t.Errorf("without: found %d, %+v", len(r.findings), r.summary)
	}
}

func loaded(t *testing.T, rules string) *detect.RuleSet {
	t.Helper()
	path := filepath.Join(t.TempDir(), "rules.yaml")
	if err := os.WriteFile(path, []byte(rules), 0o600); err != nil {
		t.Fatal(err)
	}
	set, err := detect.LoadRules(path)
	if err != nil {
		t.Fatal(err)
	}
	return set
}

// At the end of the files what did not follow is found, at its time, and how
// often findings came again is told.
func TestTheEndIsTold(t *testing.T) {
	at := time.Date(2026, 3, 4, 5, 0, 0, 0, time.UTC)
	var lines strings.Builder
	alert := func(second int, rule, pod string) {
		fmt.Fprintf(&lines, `{"time":%q,"rule":%q,"priority":"Notice","output":"%s %s %d","output_fields":{"k8s.ns.name":"shop","k8s.pod.name":%q}}`+"\n",
			at.Add(time.Duration(second)*time.Second).Format(time.RFC3339), rule, rule, pod, second, pod)
	}
	alert(0, "open", "a")
	alert(1, "open", "b")
	alert(5, "close", "b")
	for i := range 7 {
		alert(10+i, "again", "a")
	}
	alert(20, "again", "b")
	o := small(t)
	o.Rules = loaded(t, endRules)
	o.Inputs = []replay.Input{{Source: "falco", Name: "f", Open: func() (io.ReadCloser, error) {
		return io.NopCloser(strings.NewReader(lines.String())), nil
	}}}
	r := run(t, o)
	found := map[string]int{}
	for _, f := range r.findings {
		found[f.Rule+" "+f.Subject.Name]++
	}
	if len(found) != 3 || found["left-open a"] != 1 || found["storm a"] != 1 || found["storm b"] != 1 {
		t.Errorf("found %v", found)
	}
	if r.counts["storm"] != 7 || r.counts["left-open"] != 0 || r.summary.Repeats != 6 || r.summary.Events != 11 {
		t.Errorf("counts are %v, the summary %+v", r.counts, r.summary)
	}
	text := string(output(t, o, replay.NDJSON))
	if !strings.Contains(text, `{"type":"count","finding":"`+findingOf(r, "storm")+`","rule":"storm","count":7,"last":"2026-03-04T05:00:16Z"}`) {
		t.Errorf("NDJSON does not tell the count:\n%s", text)
	}
	if text := string(output(t, o, replay.Text)); !strings.Contains(text, "3 findings (came 6 times more)") {
		t.Errorf("text does not tell the count:\n%s", text)
	}
}

func findingOf(r *record, rule string) string {
	for _, f := range r.findings {
		if f.Rule == rule {
			return f.ID
		}
	}
	return ""
}
