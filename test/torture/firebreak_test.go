//go:build linux

package torture

import (
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"testing"
	"time"

	"github.com/firebreak-io/firebreak/test/command"
	"github.com/firebreak-io/firebreak/test/port"
)

const token = "torture-0123456789abcdef"

// firebreak is a Firebreak as users run it, over all the lives of its process.
type firebreak struct {
	t      *testing.T
	name   string
	dir    string
	data   string
	args   []string
	api    string
	health string
	p      *process
}

// setup is where a Firebreak keeps what.
type setup struct {
	// name tells its log from that of others; roles are all when empty.
	name, roles string
	// data and logs are made if need be; without logs no files are read, and without nats the embedded
	// server is used.
	data, logs, nats string
	// more is added to the sources, one a line.
	more []string
}

func newFirebreak(t *testing.T, s setup) *firebreak {
	t.Helper()
	if testing.Short() {
		t.Skip("starts processes under load")
	}
	f := &firebreak{t: t, name: s.name, dir: t.TempDir(), data: s.data, api: freePort(t), health: freePort(t)}
	sources := "falco: {token: {file: token}}\n    audit: {token: {file: token}}"
	if s.logs != "" {
		if err := os.MkdirAll(s.logs, 0o700); err != nil {
			t.Fatal(err)
		}
		sources += fmt.Sprintf("\n    log: {directory: %q, poll: 200ms}", s.logs)
	}
	for _, source := range s.more {
		sources += "\n    " + source
	}
	store := "{}"
	if s.nats != "" {
		store = fmt.Sprintf("{url: %q, replicas: 1}", s.nats)
	}
	for name, text := range map[string]string{
		"token": token, "rules.yaml": rules(false),
		"config.yaml": fmt.Sprintf(`apiVersion: firebreak.io/v1alpha1
kind: Config
metadata: {name: torture}
spec:
  data: %q
  kubernetes: {disabled: true}
  listen: {address: %q, health: %q}
  nats: %s
  sources:
    %s
  no_shipped: true
  rules: [rules.yaml]
  respond: {mode: observe}
`, s.data, f.api, f.health, store, sources),
	} {
		if err := os.WriteFile(filepath.Join(f.dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	f.args = []string{"run", "--config", filepath.Join(f.dir, "config.yaml")}
	if s.roles != "" {
		f.args = append(f.args, "--roles", s.roles)
	}
	t.Cleanup(func() {
		if t.Failed() && f.p != nil {
			t.Logf("the end of the log of %s:\n%s", f.name, f.p.tail())
		}
	})
	return f
}

func freePort(t *testing.T) string {
	t.Helper()
	address, err := port.Free()
	if err != nil {
		t.Fatal(err)
	}
	return address
}

// start begins a life.
func (f *firebreak) start() {
	f.t.Helper()
	f.p = spawn(f.t, f.name, f.dir, nil, nil, command.Path(f.t), f.args...)
}

// ready waits until it takes events; that it listens is not enough, nor that its store answers. Where it ended because NATS was away it is started again, as a
// kubelet would.
func (f *firebreak) ready() {
	f.t.Helper()
	eventually(f.t, f.name+" is ready", func() bool {
		if f.p.died() {
			f.start()
			return false
		}
		if status, _ := f.get("/readyz"); status != http.StatusOK {
			return false
		}
		conn, err := net.Dial("tcp", f.api)
		if err != nil {
			return false
		}
		conn.Close()
		return true
	})
}

func (f *firebreak) get(path string) (int, string) {
	client := http.Client{Timeout: 5 * time.Second}
	resp, err := client.Get("http://" + f.health + path)
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

var findingCount = regexp.MustCompile(`(?m)^firebreak_findings_total\{severity="([a-z]+)"\} ([0-9]+)`)

// findings counts those of this life, by severity.
func (f *firebreak) findings() map[string]int {
	counts := map[string]int{}
	_, text := f.get("/metrics")
	for _, m := range findingCount.FindAllStringSubmatch(text, -1) {
		counts[m[1]], _ = strconv.Atoi(m[2])
	}
	return counts
}
