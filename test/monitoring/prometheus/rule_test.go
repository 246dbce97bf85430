// Package prometheus evaluates the alerts of deploy/monitoring over series, as a
// Prometheus does.
package prometheus

import (
	"context"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/prometheus/model/histogram"
	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/promql"
	"github.com/prometheus/prometheus/promql/parser"
	"github.com/prometheus/prometheus/storage"
	"github.com/prometheus/prometheus/tsdb/chunkenc"
	"github.com/prometheus/prometheus/tsdb/chunks"
	"github.com/prometheus/prometheus/util/annotations"
	"sigs.k8s.io/yaml"
)

// rule is an alert.
type rule struct {
	Alert, Expr, For    string
	Labels, Annotations map[string]string
}

func rules(t *testing.T) map[string]rule {
	t.Helper()
	data, err := os.ReadFile("../../../deploy/monitoring/alerts.yaml")
	if err != nil {
		t.Fatal(err)
	}
	var file struct {
		Groups []struct{ Rules []rule }
	}
	if err := yaml.Unmarshal(data, &file); err != nil {
		t.Fatal(err)
	}
	all := map[string]rule{}
	for _, g := range file.Groups {
		for _, r := range g.Rules {
			all[strings.TrimPrefix(r.Alert, "Firebreak")] = r
		}
	}
	return all
}

// begin is the time of the first sample; one a minute follows.
var begin = time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)

type sample struct {
	at    int64
	value float64
}

func (s sample) T() int64                      { return s.at }
func (s sample) ST() int64                     { return 0 }
func (s sample) F() float64                    { return s.value }
func (s sample) H() *histogram.Histogram       { return nil }
func (s sample) FH() *histogram.FloatHistogram { return nil }
func (s sample) Type() chunkenc.ValueType      { return chunkenc.ValFloat }
func (s sample) Copy() chunks.Sample           { return s }

// store gives the series that a query asks for.
type store struct {
	storage.LabelQuerier
	all []storage.Series
}

// Querier is for any time.
func (s store) Querier(int64, int64) (storage.Querier, error) { return s, nil }

// Close has nothing to close.
func (s store) Close() error { return nil }

// Select gives the series that match.
func (s store) Select(_ context.Context, _ bool, _ *storage.SelectHints, by ...*labels.Matcher) storage.SeriesSet {
	set := &set{at: -1}
	for _, one := range s.all {
		if !slices.ContainsFunc(by, func(m *labels.Matcher) bool { return !m.Matches(one.Labels().Get(m.Name)) }) {
			set.all = append(set.all, one)
		}
	}
	return set
}

type set struct {
	all []storage.Series
	at  int
}

func (s *set) Next() bool                        { s.at++; return s.at < len(s.all) }
func (s *set) At() storage.Series                { return s.all[s.at] }
func (s *set) Err() error                        { return nil }
func (s *set) Warnings() annotations.Annotations { return nil }

// series reads series as Prometheus' own tests write them, and says how many
// minutes they are long.
func series(t *testing.T, lines []string) (s store, minutes int) {
	t.Helper()
	for _, line := range lines {
		of, values, err := parser.NewParser(parser.Options{}).ParseSeriesDesc(line)
		if err != nil {
			t.Fatalf("%s: %v", line, err)
		}
		var samples []chunks.Sample
		for i, v := range values {
			if !v.Omitted {
				samples = append(samples, sample{begin.Add(time.Duration(i) * time.Minute).UnixMilli(), v.Value})
			}
		}
		s.all, minutes = append(s.all, storage.NewListSeries(of, samples)), max(minutes, len(values))
	}
	return s, minutes
}

// raised is how long each result of the rule's expression has been there at the
// end of the series, if it is there.
func raised(t *testing.T, r rule, lines []string) map[string]time.Duration {
	t.Helper()
	engine := promql.NewEngine(promql.EngineOpts{MaxSamples: 1e6, Timeout: time.Minute, Parser: parser.NewParser(parser.Options{})})
	s, minutes := series(t, lines)
	since := map[string]time.Time{}
	var now time.Time
	for i := range minutes {
		now = begin.Add(time.Duration(i) * time.Minute)
		query, err := engine.NewInstantQuery(t.Context(), s, nil, r.Expr, now)
		if err != nil {
			t.Fatal(err)
		}
		result := query.Exec(t.Context())
		found, err := result.Vector()
		if err != nil {
			t.Fatal(err)
		}
		held := map[string]time.Time{}
		for _, one := range found {
			of := one.Metric.DropReserved(func(name string) bool { return name == labels.MetricName }).String()
			if held[of] = now; !since[of].IsZero() {
				held[of] = since[of]
			}
		}
		since = held
		query.Close()
	}
	took := map[string]time.Duration{}
	for of, at := range since {
		took[of] = now.Sub(at)
	}
	return took
}

var labelled = regexp.MustCompile(`\$labels\.([a-z_]+)`)

// TestAlerts: each alert is raised by what it is for, and by nothing else; what
// it says names labels that there are.
func TestAlerts(t *testing.T) {
	for name, r := range rules(t) {
		t.Run(name, func(t *testing.T) {
			c, ok := cases[name]
			if !ok || len(c.raises) == 0 || len(c.quiet) == 0 {
				t.Fatal("there is no case of it")
			}
			var wait time.Duration
			if r.For != "" {
				d, err := time.ParseDuration(strings.Replace(r.For, "2d", "48h", 1))
				if err != nil {
					t.Fatal(err)
				}
				wait = d
			}
			for _, lines := range c.raises {
				held := raised(t, r, lines)
				longest, of := time.Duration(-1), ""
				for series, d := range held {
					if d > longest {
						longest, of = d, series
					}
				}
				if longest < wait {
					t.Errorf("%s\nraises nothing: %v, and %s are needed", strings.Join(lines, "\n"), held, wait)
				}
				for _, m := range labelled.FindAllStringSubmatch(r.Annotations["summary"]+r.Annotations["description"], -1) {
					if longest >= 0 && !strings.Contains(of, m[1]+"=") {
						t.Errorf("it speaks of the label %s, which %s does not have", m[1], of)
					}
				}
			}
			for _, lines := range c.quiet {
				for of, d := range raised(t, r, lines) {
					if d >= wait {
						t.Errorf("%s\nraises it for %s", strings.Join(lines, "\n"), of)
					}
				}
			}
		})
	}
	for name := range cases {
		if _, ok := rules(t)[name]; !ok {
			t.Errorf("there is no alert %s", name)
		}
	}
}
