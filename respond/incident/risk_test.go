package incident

import (
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/firebreak-io/firebreak/internal/event"
)

// TestRisk: what makes an incident worse or surer, one thing at a time.
func TestRisk(t *testing.T) {
	base := event.Finding{ID: "f", Rule: "r", Severity: event.SeverityHigh, Source: event.SourceFalco, Trust: event.TrustRuntime, Received: start}
	of := func(importance event.Importance, changes ...func(*event.Finding)) event.Incident {
		var open []event.Incident
		for i, change := range append([]func(*event.Finding){func(*event.Finding) {}}, changes...) {
			f := base
			f.ID = string(rune('a' + i))
			f.Subject = event.NodeRef("n")
			change(&f)
			in, _ := GroupInto(open, f, importance)
			open = []event.Incident{in}
		}
		return open[0]
	}
	tests := map[string]struct {
		in         event.Incident
		risk       int
		confidence int
		priority   event.Severity
	}{
		"one rule":                  {of(""), 65, 80, event.SeverityHigh},
		"on an asset of importance": {of(event.ImportanceCritical), 80, 80, event.SeverityCritical},
		"on one of none":            {of(event.ImportanceLow), 50, 80, event.SeverityMedium},
		"the same again":            {of("", func(*event.Finding) {}), 65, 80, event.SeverityHigh},
		"likely and of impact":      {of("", func(f *event.Finding) { f.Likelihood, f.Impact = "high", "high" }), 75, 80, event.SeverityCritical},
		"unlikely":                  {of("", func(f *event.Finding) { f.Likelihood, f.Impact = "low", "low" }), 55, 80, event.SeverityHigh},
		"worse":                     {of("", func(f *event.Finding) { f.Severity = event.SeverityCritical }), 80, 80, event.SeverityCritical},
		"another rule agrees":       {of("", func(f *event.Finding) { f.Rule = "s" }), 67, 80, event.SeverityHigh},
		"another source agrees":     {of("", func(f *event.Finding) { f.Source, f.Trust = event.SourceAudit, event.TrustAudit }), 65, 98, event.SeverityHigh},
		"a rare anomaly":            {of("", func(f *event.Finding) { f.Rule, f.Model, f.Score, f.P = "", "m", 0.9, 0.0001 }), 76, 93, event.SeverityCritical},
		"a common one":              {of("", func(f *event.Finding) { f.Rule, f.Model, f.Score, f.P = "", "m", 0.9, 0.2 }), 72, 93, event.SeverityCritical},
		"a log's word alone":        {of("", func(f *event.Finding) { f.Trust = event.TrustText }), 65, 80, event.SeverityHigh},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			if tt.in.Risk != tt.risk || tt.in.Confidence != tt.confidence || tt.in.Priority != tt.priority {
				t.Errorf("risk %d, confidence %d, priority %s because %q; want %d, %d, %s",
					tt.in.Risk, tt.in.Confidence, tt.in.Priority, tt.in.Why, tt.risk, tt.confidence, tt.priority)
			}
		})
	}
}

// TestRiskIsBounded: whatever findings come, in whatever order, the risk stays
// in its bounds, never falls by one more, and does not depend on the order.
func TestRiskIsBounded(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		level := rapid.SampledFrom([]string{"", "low", "medium", "high", "9"})
		n := rapid.IntRange(1, 12).Draw(t, "n")
		var list []event.Finding
		for i := range n {
			f := event.Finding{
				ID: string(rune('a' + i)), Rule: rapid.StringMatching("r[0-9]").Draw(t, "rule"), Subject: event.NodeRef("n"), Received: start,
				Severity: rapid.SampledFrom(append(event.Severities(), "what")).Draw(t, "severity"), Trust: event.Trust(rapid.IntRange(-1, 5).Draw(t, "trust")),
				Source: rapid.SampledFrom([]event.Source{event.SourceAudit, event.SourceFalco, event.SourceLog}).Draw(t, "source"),
				Impact: level.Draw(t, "impact"), Score: rapid.Float64Range(-2, 2).Draw(t, "score"), P: rapid.Float64Range(0, 1).Draw(t, "p"),
			}
			if rapid.Bool().Draw(t, "model") {
				f.Model, f.Rule = f.Rule, ""
			}
			list = append(list, f)
		}
		var open []event.Incident
		for _, f := range list {
			in, _ := Group(open, f)
			if in.Risk < 0 || in.Risk > 100 || in.Confidence < 0 || in.Confidence > 99 {
				t.Fatalf("risk %d, confidence %d", in.Risk, in.Confidence)
			}
			open = []event.Incident{in}
		}
		var back []event.Incident
		for i := range list {
			in, _ := Group(back, list[n-1-i])
			back = []event.Incident{in}
		}
		if open[0].Risk != back[0].Risk || open[0].Confidence != back[0].Confidence {
			t.Fatalf("risk %d and %d, confidence %d and %d", open[0].Risk, back[0].Risk, open[0].Confidence, back[0].Confidence)
		}
	})
}

// TestIncidentFollowsItsRuns: contained while a run holds, resolved by itself
// when all is over and quiet, and left to people when a run needs them.
func TestIncidentFollowsItsRuns(t *testing.T) {
	in, _ := Group(nil, seen("a", "web", "", "", ""))
	run := func(state event.RunState) []event.IncidentRun {
		return []event.IncidentRun{{ID: "r", Playbook: "p", Target: "pods/shop/web", State: state}}
	}
	at := func(d time.Duration) time.Time { return start.Add(d) }
	steps := []struct {
		state event.RunState
		at    time.Duration
		want  event.IncidentState
	}{
		{event.RunGuarding, time.Second, event.IncidentOpen},
		{event.RunHolding, 2 * time.Second, event.IncidentContained},
		{event.RunHolding, 5 * time.Hour, event.IncidentContained},
		{event.RunNeedsHuman, 6 * time.Hour, event.IncidentOpen},
		{event.RunNeedsHuman, 60 * time.Hour, event.IncidentOpen},
		{event.RunClosed, 61 * time.Hour, event.IncidentOpen},
		{event.RunClosed, 61*time.Hour + Window, event.IncidentOpen},
		{event.RunClosed, 61*time.Hour + Window + time.Second, event.IncidentResolved},
	}
	for _, s := range steps {
		in = settled(ran(in, run(s.state), at(s.at)), at(s.at))
		if in.State != s.want {
			t.Fatalf("%s after %s: %s, want %s", s.state, s.at, in.State, s.want)
		}
	}
	if len(in.Runs) != 1 || in.Closed.IsZero() || len(in.Timeline) != 8 {
		t.Errorf("in the end %+v", in)
	}
	if in, joined := Group([]event.Incident{in}, seen("b", "web", "", "", "")); in.ID != "b" || !joined {
		t.Error("a finding joined what is over")
	}
}
