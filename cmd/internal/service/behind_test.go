package service

import (
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats-server/v2/server"

	"github.com/firebreak-io/firebreak/cmd/internal/config"
	"github.com/firebreak-io/firebreak/test/wait"
)

// apart is ingest as a process of its own, on a NATS server outside it.
type apart struct {
	*process
	dir, store string
	port       int
	nats       *server.Server
}

func newApart(t *testing.T) *apart {
	t.Helper()
	a := &apart{dir: t.TempDir(), store: t.TempDir()}
	_, text, _ := strings.Cut(port(t), ":")
	var err error
	if a.port, err = strconv.Atoi(text); err != nil {
		t.Fatal(err)
	}
	a.process = a.part(t)
	a.listen()
	t.Cleanup(func() { a.nats.Shutdown(); a.nats.WaitForShutdown() })
	return a
}

// part is one process of the service.
func (a *apart) part(t *testing.T) *process {
	t.Helper()
	p := &process{t: t, log: &safeBuffer{}, api: port(t), health: port(t)}
	name := filepath.Join(a.dir, "config"+strings.ReplaceAll(p.api, ":", "-")+".yaml")
	for file, text := range map[string]string{
		filepath.Join(a.dir, "secret"): secret, filepath.Join(a.dir, "rule.yaml"): shellRule,
		name: fmt.Sprintf(`apiVersion: firebreak.io/v1alpha1
kind: Config
metadata: {name: test}
spec:
  data: data
  nats: {url: "nats://127.0.0.1:%d", replicas: 1, max_bytes: 2000000}
  kubernetes: {disabled: true}
  listen: {address: %q, health: %q}
  sources: {falco: {token: {file: secret}}, audit: {token: {file: secret}}}
  no_shipped: true
  rules: [rule.yaml]
`, a.port, p.api, p.health),
	} {
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	var err error
	if p.config, err = config.Load(name); err != nil {
		t.Fatal(err)
	}
	return p
}

// listen starts the NATS server, or starts it again.
func (a *apart) listen() {
	a.t.Helper()
	var err error
	a.nats, err = server.NewServer(&server.Options{Host: "127.0.0.1", Port: a.port, JetStream: true, StoreDir: a.store, NoSigs: true, SyncAlways: true, JetStreamMaxStore: 1 << 50})
	if err != nil {
		a.t.Fatal(err)
	}
	go a.nats.Start()
	if !a.nats.ReadyForConnections(time.Minute) {
		a.t.Fatal("the NATS server does not start")
	}
}

// send posts one event and gives the status, whether it was told when to come
// again, and how long the answer took.
func (a *apart) send(source, body string) (status int, again bool, took time.Duration) {
	a.t.Helper()
	req, err := http.NewRequestWithContext(a.t.Context(), http.MethodPost, "http://"+a.api+"/v1/"+source, strings.NewReader(body))
	if err != nil {
		a.t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+secret)
	began := time.Now()
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		a.t.Fatal(err)
	}
	defer resp.Body.Close()
	return resp.StatusCode, resp.Header.Get("Retry-After") != "", time.Since(began)
}

// slowly is how long the answer may take that is promised within five seconds:
// the machine does other work as well, and what hangs takes as long as its
// sender waits.
const slowly = 30 * time.Second

// TestDetectorAway: while no detector reads, a flood is refused at its share,
// its neighbour is not, and nothing unread leaves the stream. When one reads
// again, both are taken. While NATS is stopped, a sender is told within five
// seconds, and readiness says why.
func TestDetectorAway(t *testing.T) {
	a := newApart(t)
	a.startRoles(Ingest)
	large := strings.Replace(alert, `"shell"`, `"`+strings.Repeat("shell ", 5000)+`"`, 1)
	refused := false
	for range 200 {
		if status, again, _ := a.send("falco", large); status != 200 {
			if refused = true; status != 503 || !again {
				t.Errorf("the flood is refused with %d, retry %v", status, again)
			}
			break
		}
	}
	if !refused {
		t.Error("the flood is never refused")
	}
	if status, _, _ := a.send("audit", auditEvent); status != 200 {
		t.Errorf("the neighbour of the flood: %d", status)
	}
	wait.Until(a.t, "unread bytes are in the metrics", func() bool {
		_, text := a.get("/metrics")
		return strings.Contains(text, `firebreak_unread_bytes{source="falco"} 8`) && strings.Contains(text, `firebreak_unread_bytes{source="audit"}`)
	})

	detector := a.part(t)
	detector.startRoles(Detect)
	wait.Until(a.t, "the flood is taken again", func() bool {
		status, _, _ := a.send("falco", large)
		return status == 200
	})
	_, text := detector.get("/metrics")
	if strings.Contains(text, "firebreak_expired_unread_total{") {
		t.Error("something unread left the stream")
	}

	detector.stop()
	a.nats.Shutdown()
	a.nats.WaitForShutdown()
	status, again, took := a.send("audit", auditEvent)
	if status != 503 || !again || took > slowly {
		t.Errorf("NATS is stopped: status %d after %v, retry %v", status, took, again)
	}
	wait.Until(a.t, "readiness says that the store is away", func() bool {
		status, text := a.get("/readyz")
		return status == 503 && strings.Contains(text, "[-]store failed") && strings.Contains(text, "[+]start ok")
	})
	a.listen()
	wait.Until(a.t, "events are taken again", func() bool {
		status, _, _ := a.send("audit", auditEvent)
		return status == 200
	})
}
