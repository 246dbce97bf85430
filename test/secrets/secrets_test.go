package secrets

import (
	"bytes"
	"compress/gzip"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/firebreak-io/firebreak/ingest"
	"github.com/firebreak-io/firebreak/internal/bus"
	"github.com/firebreak-io/firebreak/internal/conf"
	"github.com/firebreak-io/firebreak/internal/event"
	"github.com/firebreak-io/firebreak/internal/telemetry"
)

const (
	events = 10_000
	token  = "token-of-the-test-itself"
)

// house is the ingest side of the service over one directory.
type house struct {
	t       *testing.T
	dir     string
	bus     *bus.Bus
	tel     *telemetry.Telemetry
	log     *lockedBuffer
	handler http.Handler
	stop    func()
}

type lockedBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *lockedBuffer) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func open(t *testing.T) *house {
	t.Helper()
	h := &house{t: t, dir: t.TempDir(), log: &lockedBuffer{}}
	var err error
	if h.tel, err = telemetry.Setup(t.Context(), telemetry.Options{LogLevel: "debug", LogFormat: "json", LogWriter: h.log}); err != nil {
		t.Fatal(err)
	}
	if h.bus, err = bus.Open(t.Context(), bus.Options{Dir: h.dir, Logger: h.tel.Logger()}); err != nil {
		t.Fatal(err)
	}
	batcher := ingest.NewBatcher(h.bus, 0)
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() { defer close(done); _ = batcher.Run(ctx) }()
	h.stop = func() { cancel(); <-done; _ = h.bus.Close() }

	config := t.TempDir()
	if err := os.WriteFile(filepath.Join(config, "token"), []byte(token), 0o600); err != nil {
		t.Fatal(err)
	}
	d := ingest.Deps{
		Sink: batcher, Store: h.bus, Metrics: h.tel.Metrics(), Logger: h.tel.Logger(), Telemetry: h.tel, Cluster: "shop", Dir: config, Data: h.dir,
	}
	var endpoints []ingest.Endpoint
	for _, name := range []string{"audit", "audit-firehose", "audit-pubsub", "falco", "log-http"} {
		k, _ := ingest.Lookup(name)
		c := k.Config()
		if err := conf.Decode("config.yaml", []byte("token: {file: token}\n"), c); err != nil {
			t.Fatal(err)
		}
		s, err := ingest.Open(name, d, c)
		if err != nil {
			t.Fatal(err)
		}
		endpoints = append(endpoints, s.Endpoints...)
	}
	h.handler, err = ingest.NewHandler(ingest.HTTPOptions{
		Endpoints: endpoints, Sink: batcher, Store: h.bus, Metrics: d.Metrics, Logger: d.Logger, Telemetry: h.tel, Cluster: "shop",
	})
	if err != nil {
		t.Fatal(err)
	}
	return h
}

// post sends a body, and keeps what is answered among what was written.
func (h *house) post(source, body string) {
	req := httptest.NewRequest("POST", "/v1/"+source, strings.NewReader(body))
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("Authorization", "Bearer "+token)
	w := httptest.NewRecorder()
	h.handler.ServeHTTP(w, req)
	if w.Code >= 500 || w.Code == 401 {
		h.t.Fatalf("%s: answer %d %s", source, w.Code, w.Body)
	}
	_, _ = h.log.Write(w.Body.Bytes())
}

func zipped(text string) string {
	var b bytes.Buffer
	z := gzip.NewWriter(&b)
	_, _ = io.WriteString(z, text)
	_ = z.Close()
	return b.String()
}

func quote(text string) string {
	q, _ := json.Marshal(text)
	return string(q)
}

// sendAudit sends each event in one of the ways in which audit events come,
// and some of them broken, so that they go to the dead letters.
func (h *house) sendAudit() {
	var list []string
	for n := range events {
		e, _ := auditEvent(n)
		switch n / 180 % 8 {
		case 0, 1, 2:
			list = append(list, e)
		case 3:
			h.post("audit", e[:len(e)*3/4])
		case 4:
			h.post("audit", `{"dup":1,"dup":2,`+e[1:])
		case 5:
			log := `{"records":[{"category":"kube-audit","resourceId":"/x","properties":{"log":` + quote(e) + `}}]}`
			h.post("audit", log)
			h.post("audit", log[:len(log)-40])
		case 6:
			message := `{"messageType":"DATA_MESSAGE","logGroup":"/aws/eks/x/cluster","logStream":"s","logEvents":[{"id":"1","timestamp":1,"message":` + quote(e) + `}]}`
			body := `{"requestId":"1","timestamp":1,"records":[{"data":"` + b64(zipped(message)) + `"},{"data":"` + b64(e[:len(e)-9]) + `"}]}`
			h.post("audit-firehose", body)
			h.post("audit-firehose", body[:len(body)-9])
			h.post("falco", e) // sent to the wrong place
		case 7:
			h.post("audit-pubsub", `{"message":{"data":"`+b64(entryOf(e))+`"}}`)
			h.post("audit-pubsub", `{"message":{"data":"`+b64(entryOf(e)[:len(e)/2]))
		}
		if len(list) == 200 {
			h.post("audit", `{"kind":"EventList","apiVersion":"audit.k8s.io/v1","items":[`+strings.Join(list, ",")+`]}`)
			list = nil
		}
	}
	h.post("audit", "["+strings.Join(list, ",")+"]")
}

// entryOf is the same in Google's form, as far as it has a place for it.
func entryOf(e string) string {
	var m map[string]any
	_ = json.Unmarshal([]byte(e), &m)
	ref, _ := m["objectRef"].(map[string]any)
	resource := fmt.Sprint(ref["resource"])
	kind := map[string]string{"secrets": "Secret", "configmaps": "ConfigMap", "tokenreviews": "TokenReview"}[resource]
	payload := object("serviceName", "k8s.io", "methodName", "io.k8s.core.v1."+resource+".create", "resourceName", "core/v1/"+resource+"/x",
		"authenticationInfo", object("principalEmail", "eve@example.com"),
		"requestMetadata", object("callerSuppliedUserAgent", m["userAgent"]), "request", m["requestObject"], "response", m["responseObject"])
	if request, ok := m["requestObject"].(map[string]any); ok && kind != "" {
		delete(request, "kind")
		request["@type"] = "core.k8s.io/v1." + kind
	}
	text, _ := json.Marshal(object("insertId", m["auditID"], "labels", m["annotations"], "protoPayload", payload, "timestamp", "2026-03-01T12:00:00Z"))
	return string(text)
}

// sendOthers sends each kind by alerts and log lines.
func (h *house) sendOthers() {
	for n := range 600 {
		c := kinds(events + n)[n%12]
		alert, _ := json.Marshal(object("rule", "r", "output", "x "+c.text, "time", "2026-03-01T12:00:00Z", "tags", []any{c.text},
			"output_fields", object("proc.cmdline", strings.Join(c.args, " ")+" "+c.text, "proc.env", c.text, "container.id", "0123456789ab", "list", anys(c.args))))
		h.post("falco", string(alert))
		h.post("falco", string(alert)[:len(alert)-3])
		line, _ := json.Marshal(object("log", "did "+strings.Join(c.args, " ")+" and "+c.text, "kubernetes", object("pod_name", "p", "namespace_name", "n", "labels", object("x", c.text))))
		h.post("log-http", "["+string(line)+"]")
		e, _ := auditEvent(events + n)
		line, _ = json.Marshal(object("log", e, "kubernetes", object("pod_name", "apiserver", "namespace_name", "n")))
		h.post("log-http", "["+string(line)+"]")
	}
}

// TestNoSecretIsWritten plants tokens of twelve kinds in 10,000 audit events, in
// alerts and in log lines, and looks for them in the data directory, in every
// stored event and dead letter, in the log at its finest, in the metrics and in
// the answers.
func TestNoSecretIsWritten(t *testing.T) {
	if testing.Short() {
		t.Skip("takes its time")
	}
	h := open(t)
	h.sendAudit()
	h.sendOthers()
	metrics := httptest.NewRecorder()
	h.tel.Handler().ServeHTTP(metrics, httptest.NewRequest("GET", "/metrics", nil))
	stored, dead := h.streams()
	h.stop()
	written := map[string][]byte{"log and answers": h.log.b.Bytes(), "metrics": metrics.Body.Bytes()}
	for name, text := range written {
		look(t, name, text)
	}
	size := files(t, h.dir)
	t.Logf("%d events and %d dead letters are stored in %d bytes; the log has %d", stored, dead, size, h.log.b.Len())
	if stored < events/2 || dead < events/8 {
		t.Error("too little is stored for the test to mean anything")
	}
	if !strings.Contains(metrics.Body.String(), `security_events_total{class="k8s.api"`) {
		t.Error("the metrics say nothing")
	}
}

// streams looks into every event and dead letter, as stored.
func (h *house) streams() (stored, dead int) {
	h.t.Helper()
	state, err := h.bus.State(h.t.Context(), bus.Events)
	if err != nil {
		h.t.Fatal(err)
	}
	r, err := h.bus.Read(h.t.Context(), bus.Events, 1)
	if err != nil {
		h.t.Fatal(err)
	}
	defer r.Close(h.t.Context())
	for r.Position() < state.Last {
		m, err := r.Next(h.t.Context())
		if err != nil {
			h.t.Fatal(err)
		}
		list, err := event.DecodeFrame(m.Data)
		if err != nil {
			h.t.Fatal(err)
		}
		for i := range list {
			text, _ := json.Marshal(list[i])
			look(h.t, "an event", text)
		}
		stored += len(list)
	}
	for letter, err := range h.bus.DeadLetters(h.t.Context(), 1<<20) {
		if err != nil {
			h.t.Fatal(err)
		}
		look(h.t, "a dead letter", append([]byte(letter.Reason+letter.From), letter.Data...))
		dead++
	}
	return stored, dead
}

// files looks into all files of a directory.
func files(t *testing.T, dir string) (size int64) {
	t.Helper()
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		data, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		look(t, path, data)
		size += int64(len(data))
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return size
}

var all = needles()

func look(t *testing.T, where string, text []byte) {
	t.Helper()
	for _, n := range all {
		if at := bytes.Index(text, []byte(n)); at >= 0 {
			t.Errorf("%s holds a token: …%s…", where, text[max(0, at-160):min(len(text), at+80)])
			return
		}
	}
}

// TestLookFinds: what the test looks for is found in each form.
func TestLookFinds(t *testing.T) {
	for n := range 60 {
		_, c := auditEvent(n)
		for _, text := range []string{c.bare, c.text, strings.Join(c.args, " "), b64(c.bare), b64("x" + c.text), b64(b64("ab" + c.text))} {
			found := false
			for _, needle := range all {
				found = found || strings.Contains(text, needle)
			}
			if !found {
				t.Errorf("%s: nothing is found in %s", c.kind, text)
			}
		}
	}
}
