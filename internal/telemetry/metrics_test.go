package telemetry

import (
	"bytes"
	"context"
	"errors"
	"net/http/httptest"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/firebreak-io/firebreak/internal/event"
)

func setup(t *testing.T, o Options) (*Telemetry, *bytes.Buffer) {
	t.Helper()
	log := &bytes.Buffer{}
	o.LogWriter = log
	tel, err := Setup(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := tel.Shutdown(context.Background()); err != nil {
			t.Error(err)
		}
	})
	return tel, log
}

func scrape(t *testing.T, tel *Telemetry, path string) (int, string) {
	t.Helper()
	w := httptest.NewRecorder()
	tel.Handler().ServeHTTP(w, httptest.NewRequest("GET", path, nil))
	return w.Code, w.Body.String()
}

func TestMetricsText(t *testing.T) {
	tel, _ := setup(t, Options{Version: "1", Actions: []string{"pod.quarantine"}})
	ctx, m := t.Context(), tel.Metrics()
	m.Event(ctx, event.SourceFalco, event.ClassProcessExec)
	m.Events(ctx, event.SourceAudit, event.ClassAPI, 3)
	m.Lost(ctx, event.SourceFalco, 3)
	m.Rejected(ctx, event.SourceLog, ReasonTooLarge)
	m.Finding(ctx, event.SeverityHigh)
	m.RunMoved(ctx, event.RunHolding)
	m.StepDone(ctx, "pod.quarantine", string(event.ResultApplied))
	m.Expired(ctx, ConsumerDetect, 2)
	m.Ingest(ctx, event.SourceFalco, 3*time.Millisecond)
	m.AlertToEffect(ctx, "pod.quarantine", 700*time.Millisecond)
	m.WatchRuns(func() map[event.RunState]int { return map[event.RunState]int{event.RunHolding: 2} })
	for consumer, n := range map[string]uint64{ConsumerDetect: 7, ConsumerRespond: 9} {
		m.WatchLag(consumer, func(context.Context) (uint64, error) { return n, nil })
	}
	m.Heartbeat(ctx, "sent")
	m.CoverageGap(event.SourceAudit, true)
	m.WatchIndex(func() IndexState {
		return IndexState{Pods: 3, Gone: 1, Age: 90 * time.Second, Found: map[string]uint64{"uid": 5}, Unknown: map[string]uint64{"evil": 6}}
	})
	_, text := scrape(t, tel, "/metrics")
	for _, want := range []string{
		`firebreak_heartbeats_total{result="sent"} 1`,
		`firebreak_coverage_gap{source="audit"} 1`,
		`firebreak_index_objects{kind="pods"} 3`,
		`firebreak_index_objects{kind="gone"} 1`,
		`firebreak_index_age_seconds 90`,
		`firebreak_index_lookups_total{by="uid",result="found"} 5`,
		`firebreak_index_lookups_total{by="other",result="unknown"} 6`,
		`security_events_total{class="process.exec",source="falco"} 1`,
		`security_events_total{class="k8s.api",source="audit"} 3`,
		`firebreak_lost_total{source="falco"} 3`,
		`firebreak_rejected_total{reason="too_large",source="log"} 1`,
		`firebreak_findings_total{severity="high"} 1`,
		`firebreak_run_transitions_total{state="holding"} 1`,
		`firebreak_runs{state="holding"} 2`,
		`firebreak_runs{state="closed"} 0`,
		`firebreak_steps_total{action="pod.quarantine",result="applied"} 1`,
		`firebreak_expired_unread_total{consumer="detect"} 2`,
		`firebreak_lag_messages{consumer="detect"} 7`,
		`firebreak_lag_messages{consumer="respond"} 9`,
		`firebreak_ingest_seconds_bucket{source="falco",le="0.005"} 1`,
		`firebreak_alert_to_effect_seconds_bucket{action="pod.quarantine",le="1"} 1`,
		`target_info{service_name="firebreak",service_version="1"} 1`,
	} {
		if !strings.Contains(text, want+"\n") {
			t.Errorf("missing %s", want)
		}
	}
	if t.Failed() {
		t.Log(text)
	}
}

// TestLabelsAreClosed gives every label text of an attacker.
func TestLabelsAreClosed(t *testing.T) {
	tel, _ := setup(t, Options{Actions: []string{"pod.quarantine"}})
	ctx, m := t.Context(), tel.Metrics()
	for _, evil := range []string{"evil\"} 1\n", "", "evil-pod-1", "evil-pod-2", strings.Repeat("evil", 1000)} {
		m.Event(ctx, event.Source(evil), evil)
		m.Rejected(ctx, event.Source(evil), evil)
		m.Finding(ctx, event.Severity(evil))
		m.RunMoved(ctx, event.RunState(evil))
		m.StepDone(ctx, evil, evil)
		m.Expired(ctx, evil, 1)
		m.Ingest(ctx, event.Source(evil), time.Second)
		m.AlertToEffect(ctx, evil, time.Second)
		m.Heartbeat(ctx, evil)
		m.CoverageGap(event.Source(evil), true)
	}
	_, text := scrape(t, tel, "/metrics")
	if strings.Contains(text, "evil") {
		t.Errorf("text of others became a label:\n%s", text)
	}
	for _, want := range []string{
		`security_events_total{class="other",source="other"} 5`,
		`firebreak_rejected_total{reason="other",source="other"} 5`,
		`firebreak_findings_total{severity="other"} 5`,
		`firebreak_steps_total{action="other",result="other"} 5`,
	} {
		if !strings.Contains(text, want) {
			t.Errorf("missing %s", want)
		}
	}
}

func TestMetricNamesAreKnown(t *testing.T) {
	tel, _ := setup(t, Options{})
	ctx, m := t.Context(), tel.Metrics()
	m.Event(ctx, "", "")
	m.Ingest(ctx, "", 0)
	_, text := scrape(t, tel, "/metrics")
	var names []string
	for _, match := range regexp.MustCompile(`(?m)^# TYPE (\S+) `).FindAllStringSubmatch(text, -1) {
		names = append(names, match[1])
	}
	want := []string{"firebreak_ingest_seconds", "security_events_total", "target_info"}
	if !slices.Equal(names, want) {
		t.Errorf("got %v, want %v", names, want)
	}
}

func TestLagThatFailsLeavesTheRest(t *testing.T) {
	tel, log := setup(t, Options{})
	m := tel.Metrics()
	m.Finding(t.Context(), event.SeverityLow)
	m.WatchLag(ConsumerDetect, func(context.Context) (uint64, error) { return 0, errors.New("away") })
	if code, text := scrape(t, tel, "/metrics"); code != 200 || !strings.Contains(text, "firebreak_findings_total") {
		t.Errorf("%d:\n%s", code, text)
	}
	if !strings.Contains(log.String(), "away") {
		t.Error("nothing says why")
	}
}

func TestNopAndNil(t *testing.T) {
	ctx := t.Context()
	for name, m := range map[string]*Metrics{"nop": Nop().Metrics(), "nil": nil} {
		t.Run(name, func(t *testing.T) {
			m.Event(ctx, event.SourceFalco, event.ClassFile)
			m.Rejected(ctx, event.SourceFalco, ReasonMalformed)
			m.Finding(ctx, event.SeverityLow)
			m.RunMoved(ctx, event.RunClosed)
			m.StepDone(ctx, "a", ResultFinal)
			m.Expired(ctx, ConsumerDetect, 1)
			m.Ingest(ctx, event.SourceFalco, 1)
			m.AlertToEffect(ctx, "a", 1)
			m.WatchRuns(nil)
			m.WatchLag(ConsumerDetect, nil)
		})
	}
	_, end := Nop().Span(ctx, "x")
	end(nil)
	_, end = (*Telemetry)(nil).Span(ctx, "x")
	end(errors.New("x"))
	if code, _ := scrape(t, Nop(), "/readyz"); code != 200 {
		t.Error(code)
	}
	if err := Nop().Shutdown(ctx); err != nil {
		t.Error(err)
	}
}
