package service

import (
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/firebreak-io/firebreak/cmd/internal/config"
	"github.com/firebreak-io/firebreak/internal/bus"
	"github.com/firebreak-io/firebreak/internal/event"
	"github.com/firebreak-io/firebreak/internal/sketch"
	"github.com/firebreak-io/firebreak/test/wait"
)

const volumeConfig = `apiVersion: firebreak.io/v1alpha1
kind: Config
metadata: {name: test}
spec:
  data: data
  kubernetes: {disabled: true}
  listen: {address: %q, health: %q}
  no_shipped: %v
  rules: [rule.yaml]
  sources:
    log: {directory: logs, store: %q, summarise: {interval: 10s}}
    log-http: {token: {file: secret}, store: %[4]q, summarise: {interval: 10s}}
`

// volume prepares a service whose log sources store what the filter says.
func volume(t *testing.T, filter string, shipped bool) (*process, string) {
	t.Helper()
	p := &process{t: t, log: &safeBuffer{}, api: port(t), health: port(t)}
	dir := t.TempDir()
	if err := os.MkdirAll(filepath.Join(dir, "logs", "shop_web-1_u1", "main"), 0o700); err != nil {
		t.Fatal(err)
	}
	for name, text := range map[string]string{
		"secret": secret, "config.yaml": fmt.Sprintf(volumeConfig, p.api, p.health, !shipped, filter),
		"rule.yaml": `{apiVersion: firebreak.io/v1alpha1, kind: Rule, metadata: {name: errors}, spec: {title: T, severity: low, source: log, when: class == "log.error"}}`,
	} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	var err error
	if p.config, err = config.Load(filepath.Join(dir, "config.yaml")); err != nil {
		t.Fatal(err)
	}
	return p, filepath.Join(dir, "logs", "shop_web-1_u1", "main", "0.log")
}

// level is error for one line of ten.
func level(i int) string {
	if i%10 == 0 {
		return "error"
	}
	return "info"
}

func (p *process) write(file string, from, to int) {
	p.t.Helper()
	f, err := os.OpenFile(file, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600)
	if err != nil {
		p.t.Fatal(err)
	}
	for i := from; i < to; i++ {
		fmt.Fprintf(f, "%s stdout F level=%s msg=\"line %d\"\n", time.Now().UTC().Format(time.RFC3339Nano), level(i), i)
	}
	if err := f.Close(); err != nil {
		p.t.Fatal(err)
	}
}

func (p *process) postLines(from, to int) {
	p.t.Helper()
	var body []string
	for i := from; i < to; i++ {
		body = append(body, fmt.Sprintf(`{"log":"level=%s msg=\"line %d\"","kubernetes":{"namespace_name":"shop","pod_name":"api-1","pod_id":"u2","container_name":"main"}}`, level(i), i))
	}
	req, err := http.NewRequestWithContext(p.t.Context(), http.MethodPost, "http://"+p.api+"/v1/log-http", strings.NewReader("["+strings.Join(body, ",")+"]"))
	if err != nil {
		p.t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+secret)
	req.Header.Set("Content-Type", "application/json")
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		p.t.Fatal(err)
	}
	resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		p.t.Fatalf("status %d", resp.StatusCode)
	}
}

// total is what the stream of a stopped service holds: lines that summaries
// count, by pod, and ids of the events that are stored one by one.
func (p *process) total() (lines map[string]uint64, stored map[string]int) {
	p.t.Helper()
	ctx := p.t.Context()
	b, err := bus.Open(ctx, bus.Options{Dir: p.config.Path(p.config.Data)})
	if err != nil {
		p.t.Fatal(err)
	}
	defer b.Close()
	state, err := b.State(ctx, bus.Events)
	if err != nil {
		p.t.Fatal(err)
	}
	lines, stored = map[string]uint64{}, map[string]int{}
	for seq := uint64(1); seq <= state.Last; seq++ {
		m, err := b.At(ctx, bus.Events, seq)
		if err != nil {
			p.t.Fatal(err)
		}
		events, err := event.DecodeFrame(m.Data)
		if err != nil {
			p.t.Fatal(err)
		}
		for i := range events {
			e := &events[i]
			if e.Class != event.ClassLogSummary {
				if stored[e.ID]++; !slices.Contains(e.Tags, event.TagSummarised) {
					p.t.Errorf("%s does not say that it is counted: %v", e.ID, e.Tags)
				}
				continue
			}
			s, err := sketch.Read(e)
			if err != nil {
				p.t.Fatal(err)
			}
			lines[e.Object.Name] += s.Lines
		}
	}
	return lines, stored
}

// TestVolume: of logs only errors are stored, everything is counted, and over an
// orderly stop and a start each line is counted once.
func TestVolume(t *testing.T) {
	p, file := volume(t, `class == "log.error"`, false)
	p.start()
	p.write(file, 0, 500)
	for i := range 5 {
		p.postLines(100*i, 100*i+100)
	}
	accepted := func(n int) func() bool {
		return func() bool {
			_, text := p.get("/metrics")
			return strings.Contains(text, fmt.Sprintf(`security_events_total{class="log.line",source="log"} %d`, n)) &&
				strings.Contains(text, fmt.Sprintf(`firebreak_unstored_events_total{source="log"} %d`, n))
		}
	}
	wait.Until(p.t, "all lines are counted", accepted(900))
	p.stop()
	lines, stored := p.total()
	if lines["web-1"] != 500 || lines["api-1"] != 500 || len(stored) != 100 {
		t.Errorf("counted %v, stored %d", lines, len(stored))
	}

	p.start()
	p.write(file, 500, 700)
	p.postLines(500, 600)
	wait.Until(p.t, "all lines are counted", accepted(270))
	p.stop()
	lines, stored = p.total()
	if lines["web-1"] != 700 || lines["api-1"] != 600 || len(stored) != 130 {
		t.Errorf("after a restart: counted %v, stored %d", lines, len(stored))
	}
	for id, n := range stored {
		if n != 1 {
			t.Errorf("%s is stored %d times", id, n)
		}
	}
}

// TestVolumeNeedsSeeingRules: a filter that would blind a rule of the user's
// keeps the service from starting; of shipped rules it is told.
func TestVolumeNeedsSeeingRules(t *testing.T) {
	p, _ := volume(t, `class == "auth.login"`, false)
	err := Run(t.Context(), Options{Config: p.config, Roles: Roles(), Log: p.log})
	if err == nil || !strings.Contains(err.Error(), "errors may need events that source log does not store") || !strings.Contains(err.Error(), "rule.yaml:1:") {
		t.Errorf("error is %v", err)
	}
	p, _ = volume(t, `class == "log.error"`, true)
	p.start().stop()
	if !strings.Contains(p.log.String(), "rules/log-login.yaml:") {
		t.Errorf("no shipped rule is named: %s", p.log)
	}
}
