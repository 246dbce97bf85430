package replay_test

import (
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/firebreak-io/firebreak/cmd/internal/files"
	"github.com/firebreak-io/firebreak/cmd/internal/replay"
	"github.com/firebreak-io/firebreak/ingest/summary"
	"github.com/firebreak-io/firebreak/internal/event"
)

// everything is a model that finds each minute of each container, and rules of
// lines and of summaries.
const everything = `
apiVersion: firebreak.io/v1alpha1
kind: Model
metadata: {name: everything}
spec:
  title: Everything
  severity: low
  source: log
  when: class in ["http.request", "auth.login", "log.error"]
  entity: [object.namespace, object.name]
  every: 1m
  features:
    requests: rate(class == "http.request")
    errors: ratio(http.status >= 500, class == "http.request")
    refused: count(outcome in ["failure", "denied"] and class == "auth.login" or http.status in [401, 403])
    slow: quantile(http.duration, 0.9)
    clients: distinct(actor.address)
    size: avg(http.bytes)
    paths: distinct(http.path)
  forest: {trees: 10, sample: 16}
  warm_up: {events: 1, for: 1s}
  budget: {threshold: anomaly.score >= 0}
  quiet: 1s
---
apiVersion: firebreak.io/v1alpha1
kind: Rule
metadata: {name: many-errors}
spec:
  title: Many errors
  severity: low
  source: log
  class: http.request
  when: http.status >= 500
  window: {by: [object.name], over: 5m, having: count() >= 5}
  message: "${object.name}"
`

// TestLinesAndSummariesCountOnce: real lines through the real parsers, once by
// themselves and once with summaries that count them too. What a model measures
// is the same, and so is what a rule finds.
func TestLinesAndSummariesCountOnce(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "m.yaml")
	if err := os.WriteFile(path, []byte(everything), 0o600); err != nil {
		t.Fatal(err)
	}
	rules, err := files.Rules([]string{path}, false)
	if err != nil {
		t.Fatal(err)
	}
	found := func(s *summary.Config) (models map[string]event.Finding, matches []string) {
		o := replay.Options{Rules: rules, Inputs: []replay.Input{lines(s)}}
		models = map[string]event.Finding{}
		for _, f := range run(t, o).findings {
			if f.Model != "" {
				models[f.Entity+" "+f.Time.Truncate(time.Minute).Format(time.TimeOnly)] = f
			} else {
				matches = append(matches, f.Subject.Name+" "+f.Time.Format(time.TimeOnly))
			}
		}
		return models, matches
	}
	want, rule := found(nil)
	got, same := found(&summary.Config{})
	if len(want) < 10 || len(got) != len(want) || len(rule) == 0 || fmt.Sprint(rule) != fmt.Sprint(same) {
		t.Fatalf("%d intervals of lines, %d of both; rule %v, then %v", len(want), len(got), rule, same)
	}
	for at, w := range want {
		g := got[at]
		for _, f := range w.Features {
			if v := value(g, f.Name); v == "" || v != value(w, f.Name) {
				t.Errorf("%s: %s is %v of lines, %v of both", at, f.Name, value(w, f.Name), v)
			}
		}
	}
}

func value(f event.Finding, name string) string {
	for _, feature := range f.Features {
		if feature.Name == name && feature.Value != nil {
			return fmt.Sprintf("%.9g", *feature.Value)
		}
	}
	return ""
}

// lines are what nginx and sshd of a few pods write in half an hour.
func lines(s *summary.Config) replay.Input {
	var b strings.Builder
	begin := time.Date(2026, 3, 1, 10, 0, 0, 0, time.UTC)
	for i := range 6000 {
		at := begin.Add(time.Duration(i) * 300 * time.Millisecond)
		status := []int{200, 200, 200, 304, 401, 404, 500, 200}[i*7919%1009%8]
		fmt.Fprintf(&b, "%s stdout F 192.0.2.%d - - [%s] \"GET /%d HTTP/1.1\" %d %d \"-\" \"curl/8\" %d %.3f\n",
			at.Format(time.RFC3339Nano), i*31%97, at.Format("02/Jan/2006:15:04:05 -0700"), i%5, status, i*17%3000, 100, float64(i%400)/1000)
		if i%9 == 0 {
			fmt.Fprintf(&b, "%s stderr F Failed password for root from 198.51.100.%d port 22 ssh2\n", at.Format(time.RFC3339Nano), i%40)
		}
	}
	return replay.Input{
		Source: "log", Name: "/var/log/pods/shop_web-1_0b6a9bd1-5f52-44b4-8ea9-1d2f1ef7d8d1/web/0.log", Summarise: s,
		Open: func() (io.ReadCloser, error) { return io.NopCloser(strings.NewReader(b.String())), nil },
	}
}
