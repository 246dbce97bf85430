package service

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	collector "go.opentelemetry.io/proto/otlp/collector/trace/v1"
	"google.golang.org/protobuf/proto"

	"github.com/firebreak-io/firebreak/cmd/internal/config"
	ports "github.com/firebreak-io/firebreak/test/port"
	"github.com/firebreak-io/firebreak/test/wait"
)

const secret = "0123456789abcdef-secret"

const tellBook = `apiVersion: firebreak.io/v1alpha1
kind: Playbook
metadata: {name: tell}
spec:
  when: finding.rule == "terminal-shell"
  mode: act
  steps:
    - {name: soc, action: notify.webhook, with: {webhook: soc}}
`

const shellRule = `apiVersion: firebreak.io/v1alpha1
kind: Rule
metadata: {name: terminal-shell}
spec:
  title: A shell with a terminal
  severity: high
  attack: [T1059]
  source: falco
  when: rule == "Terminal shell in container"
  message: "${actor.process}"
`

const alert = `{"output":"shell","priority":"Notice","rule":"Terminal shell in container","time":"2026-01-02T03:04:05Z","output_fields":{"container.id":"5892b41bcf46","k8s.ns.name":"shop","k8s.pod.name":"web-1","evt.type":"execve","proc.cmdline":"sh"}}`

// sink notes what is posted to it.
type sink struct {
	*httptest.Server
	mu     sync.Mutex
	bodies [][]byte
	header []http.Header
}

func newSink(t *testing.T) *sink {
	s := &sink{}
	s.Server = httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			t.Error(err)
		}
		s.mu.Lock()
		defer s.mu.Unlock()
		s.bodies, s.header = append(s.bodies, body), append(s.header, r.Header)
	}))
	t.Cleanup(s.Close)
	return s
}

func (s *sink) got() [][]byte {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.bodies)
}

// process is a service in this process, without a cluster.
type process struct {
	t           *testing.T
	config      *config.Config
	log         *safeBuffer
	api, health string
	stop        func()
}

type safeBuffer struct {
	mu sync.Mutex
	bytes.Buffer
}

func (b *safeBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.Buffer.Write(p)
}

func (b *safeBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.Buffer.String()
}

func prepare(t *testing.T, soc, otlp string) *process {
	t.Helper()
	p := &process{t: t, log: &safeBuffer{}, api: port(t), health: port(t)}
	dir := t.TempDir()
	for name, text := range map[string]string{
		"secret": secret, "rule.yaml": shellRule, "book.yaml": tellBook,
		"config.yaml": fmt.Sprintf(`apiVersion: firebreak.io/v1alpha1
kind: Config
metadata: {name: test}
spec:
  data: data
  kubernetes: {disabled: true}
  listen: {address: %q, health: %q}
  sources: {falco: {token: {file: secret}}}
  no_shipped: true
  rules: [rule.yaml]
  playbooks: [book.yaml]
  respond: {mode: act}
  webhooks: [{name: soc, url: %q, secret: {file: secret}, allow_private: true}]
  telemetry: {otlp: %q}
`, p.api, p.health, soc, otlp),
	} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	var err error
	if p.config, err = config.Load(filepath.Join(dir, "config.yaml")); err != nil {
		t.Fatal(err)
	}
	return p
}

func port(t *testing.T) string {
	t.Helper()
	address, err := ports.Free()
	if err != nil {
		t.Fatal(err)
	}
	return address
}

func (p *process) start() *process { return p.startRoles(Roles()...) }

func (p *process) startRoles(roles ...Role) *process {
	p.t.Helper()
	p.launch(roles...)
	wait.Until(p.t, "it is ready", func() bool {
		status, _ := p.get("/readyz")
		return status == http.StatusOK
	})
	return p
}

// launch starts it and does not wait.
func (p *process) launch(roles ...Role) {
	ctx, cancel := context.WithCancel(p.t.Context())
	ended := make(chan error, 1)
	go func() { ended <- Run(ctx, Options{Config: p.config, Roles: roles, Version: "test", Log: p.log}) }()
	p.stop = sync.OnceFunc(func() {
		cancel()
		if err := <-ended; err != nil {
			p.t.Errorf("run: %v", err)
		}
		if p.t.Failed() {
			p.t.Log(p.log.String())
		}
	})
	p.t.Cleanup(p.stop)
}

func (p *process) get(path string) (int, string) {
	resp, err := http.Get("http://" + p.health + path)
	if err != nil {
		return 0, ""
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		return 0, ""
	}
	return resp.StatusCode, string(body)
}

func (p *process) post(token, body string) int {
	p.t.Helper()
	req, err := http.NewRequestWithContext(p.t.Context(), http.MethodPost, "http://"+p.api+"/v1/falco", strings.NewReader(body))
	if err != nil {
		p.t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+token)
	req.Header.Set("Content-Type", "application/json")
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		p.t.Fatal(err)
	}
	defer resp.Body.Close()
	return resp.StatusCode
}

// TestAlertToWebhook: an alert that is taken in becomes one signed message,
// under one trace, and is counted; after a restart it is not sent again.
func TestAlertToWebhook(t *testing.T) {
	soc, traces := newSink(t), newSink(t)
	p := prepare(t, soc.URL, traces.URL).start()
	for token, want := range map[string]int{"": 401, "wrong-token-of-some-length": 401, secret: 200} {
		if got := p.post(token, alert); got != want {
			t.Errorf("token %q: status %d, want %d", token, got, want)
		}
	}
	if got := p.post(secret, `{"rule": 7`); got != http.StatusBadRequest {
		t.Errorf("malformed: status %d", got)
	}
	wait.Until(p.t, "the message is sent", func() bool { return len(soc.got()) == 1 })
	if soc.header[0].Get("Firebreak-Signature") == "" || soc.header[0].Get("Idempotency-Key") == "" {
		t.Errorf("headers are %v", soc.header[0])
	}
	wait.Until(p.t, "the run is over", func() bool {
		_, text := p.get("/metrics")
		return strings.Contains(text, `firebreak_runs{state="closed"} 1`)
	})
	_, text := p.get("/metrics")
	for _, line := range []string{
		`security_events_total{class="process.exec",source="falco"} 1`,
		`firebreak_rejected_total{reason="unauthorized",source="falco"} 2`,
		`firebreak_rejected_total{reason="malformed",source="falco"} 1`,
		`firebreak_findings_total{severity="high"} 1`,
	} {
		if !strings.Contains(text, line) {
			t.Errorf("metrics lack %s", line)
		}
	}
	p.stop()
	if n := strings.Count(p.log.String(), "refused a client"); n != 1 {
		t.Errorf("refused clients were logged %d times", n)
	}
	chain(t, traces.got())

	p.start()
	if got := p.post(secret, alert); got != http.StatusOK {
		t.Errorf("the same alert again: status %d", got)
	}
	wait.Until(p.t, "it was read", func() bool {
		_, text := p.get("/metrics")
		return strings.Contains(text, `firebreak_lag_messages{consumer="detect"} 0`) &&
			strings.Contains(text, `firebreak_lag_messages{consumer="respond"} 0`)
	})
	if n := len(soc.got()); n != 1 {
		t.Errorf("%d messages were sent", n)
	}
}

// chain checks that one trace leads from the alert to the effect.
func chain(t *testing.T, exports [][]byte) {
	t.Helper()
	names := map[string][]string{}
	for _, body := range exports {
		var request collector.ExportTraceServiceRequest
		if err := proto.Unmarshal(body, &request); err != nil {
			t.Fatal(err)
		}
		for _, r := range request.ResourceSpans {
			for _, s := range r.ScopeSpans {
				for _, span := range s.Spans {
					id := string(span.TraceId)
					names[id] = append(names[id], span.Name)
				}
			}
		}
	}
	for _, spans := range names {
		if slices.Contains(spans, "respond.do") {
			for _, want := range []string{"ingest.falco", "detect", "respond.finding", "respond.plan"} {
				if !slices.Contains(spans, want) {
					t.Errorf("the trace of the effect lacks %s: %v", want, spans)
				}
			}
			return
		}
	}
	t.Errorf("no trace has the effect: %v", names)
}

func TestRolesAloneNeedAServer(t *testing.T) {
	p := prepare(t, "https://soc.example", "")
	err := Run(t.Context(), Options{Config: p.config, Roles: []Role{Ingest}, Log: p.log})
	if err == nil || !strings.Contains(err.Error(), "external NATS") {
		t.Errorf("error is %v", err)
	}
}
