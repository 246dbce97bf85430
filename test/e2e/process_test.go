package e2e

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/firebreak-io/firebreak/internal/event"
	"github.com/firebreak-io/firebreak/test/command"
	"github.com/firebreak-io/firebreak/test/port"
)

// process is a Firebreak in a process of its own, as users run it.
type process struct {
	t          *testing.T
	dir        string
	api, ready string
	token      string
	log        *output
	cmd        *exec.Cmd
}

// output is what a process says, read while it runs.
type output struct {
	mu sync.Mutex
	b  bytes.Buffer
}

// Write adds to it.
func (o *output) Write(p []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.b.Write(p)
}

func (o *output) text() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.b.String()
}

// prepare writes the config of a service; kubeconfig may be written later,
// before it is started.
func prepare(t *testing.T, mode string, books string) *process {
	t.Helper()
	s := &process{t: t, dir: t.TempDir(), token: rand.Text(), log: &output{}}
	api, health := freePort(t), freePort(t)
	s.api, s.ready = "http://"+api, "http://"+health
	s.write("token", s.token)
	s.write("playbooks.yaml", books)
	s.write("models.yaml", probeModel)
	s.write("config.yaml", fmt.Sprintf(`apiVersion: firebreak.io/v1alpha1
kind: Config
metadata: {name: e2e}
spec:
  cluster: e2e
  data: data
  kubernetes: {kubeconfig: kubeconfig}
  listen: {address: %q, health: %q}
  sources:
    falco: {token: {file: token}}
    audit: {path: {file: token}}
    log: {directory: logs}
  no_shipped: false
  rules: [models.yaml]
  playbooks: [playbooks.yaml]
  respond:
    mode: %s
    # What is tested here goes faster and further than one would let it; the limits have tests of their own.
    guards:
      canary: 0s
      cooldown: 0s
      release: 1
      budgets: {pods: 1000, pods_per_namespace: 1000, replicas: 1, nodes: 1, nodes_left: 0, effects_per_minute: 10000, burst: 1000, runs_per_hour: 1000, share: 1}
      steering: {targets: 1000}
      health: {lag: 10m}
`, api, health, mode))
	if err := os.Mkdir(filepath.Join(s.dir, "logs"), 0o700); err != nil {
		t.Fatal(err)
	}
	return s
}

func (s *process) write(name, text string) string {
	s.t.Helper()
	path := filepath.Join(s.dir, name)
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		s.t.Fatal(err)
	}
	return path
}

func freePort(t *testing.T) string {
	t.Helper()
	address, err := port.Free()
	if err != nil {
		t.Fatal(err)
	}
	return address
}

// webhook is the kubeconfig by which the API server posts audit events to an
// address of Firebreak's. The
// secret stands in the path: without TLS the API server sends no token.
func (s *process) webhook(to string) string {
	return s.write("webhook.kubeconfig", fmt.Sprintf(`apiVersion: v1
kind: Config
clusters: [{name: firebreak, cluster: {server: %s/v1/audit/%s}}]
contexts: [{name: firebreak, context: {cluster: firebreak}}]
current-context: firebreak
`, to, s.token))
}

// start runs the service and waits until it says that it is ready.
func (s *process) start() {
	s.t.Helper()
	s.cmd = exec.Command(command.Path(s.t), "run", "--config", filepath.Join(s.dir, "config.yaml"))
	s.cmd.Stderr = s.log
	if err := s.cmd.Start(); err != nil {
		s.t.Fatal(err)
	}
	defer func() {
		if s.t.Failed() {
			s.t.Logf("log of firebreak:\n%s", s.log.text())
		}
	}()
	eventually(s.t, "firebreak is ready", func(ctx context.Context) error {
		req, err := http.NewRequestWithContext(ctx, http.MethodGet, s.ready+"/readyz", nil)
		if err != nil {
			return err
		}
		resp, err := http.DefaultClient.Do(req)
		if err != nil {
			return err
		}
		defer resp.Body.Close()
		if resp.StatusCode != http.StatusOK {
			body, err := io.ReadAll(resp.Body)
			return fmt.Errorf("%s: %s (%w)", resp.Status, body, err)
		}
		return nil
	})
}

// kill ends the process as a power cut would, stop as Kubernetes does.
func (s *process) kill() {
	_ = s.cmd.Process.Kill() // it may have ended
	_ = s.cmd.Wait()
	s.cmd = nil
}

func (s *process) stop() {
	if s.cmd == nil {
		return
	}
	_ = s.cmd.Process.Signal(os.Interrupt)
	if err := s.cmd.Wait(); err != nil {
		s.t.Errorf("firebreak ended with %v", err)
	}
	s.cmd = nil
	if s.t.Failed() {
		s.t.Logf("log of firebreak:\n%s", s.log.text())
	}
}

// call asks the API as whom the token names.
func (s *process) call(ctx context.Context, method, path, token string, body, into any) (int, error) {
	data, err := json.Marshal(body)
	if err != nil {
		return 0, err
	}
	req, err := http.NewRequestWithContext(ctx, method, s.api+path, bytes.NewReader(data))
	if err != nil {
		return 0, err
	}
	req.Header.Set("Authorization", "Bearer "+token)
	req.Header.Set("Content-Type", "application/json")
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return 0, err
	}
	defer resp.Body.Close()
	answer, err := io.ReadAll(resp.Body)
	if err != nil {
		return resp.StatusCode, err
	}
	if resp.StatusCode >= 300 {
		return resp.StatusCode, fmt.Errorf("%s %s: %s: %s", method, path, resp.Status, answer)
	}
	if into == nil {
		return resp.StatusCode, nil
	}
	return resp.StatusCode, json.Unmarshal(answer, into)
}

// alert posts a Falco alert about a pod's container and returns when it is
// stored.
func (s *process) alert(ctx context.Context, rule, namespace, pod, container string) error {
	body := map[string]any{
		"hostname": "node-1", "priority": "Critical", "rule": rule, "source": "syscall", "time": time.Now().UTC().Format(time.RFC3339Nano),
		"tags":   []string{"container", "mitre_execution", "shell"},
		"output": "A shell was spawned in a container with an attached terminal (user=root k8s.ns=" + namespace + " k8s.pod=" + pod + ")",
		"output_fields": map[string]any{
			"container.id": container, "container.image.repository": nil, "evt.time": time.Now().UnixNano(), "k8s.ns.name": namespace,
			"k8s.pod.name": pod, "proc.cmdline": "sh -i", "proc.name": "sh", "proc.tty": 34816, "user.name": "root",
		},
	}
	_, err := s.call(ctx, http.MethodPost, "/v1/falco", s.token, body, nil)
	return err
}

// run waits for the run of a playbook on a pod to come to a state.
func (s *process) run(admin, playbook, pod string, states ...event.RunState) event.Run {
	s.t.Helper()
	var found event.Run
	eventually(s.t, fmt.Sprintf("run of %s on %s is %v", playbook, pod, states), func(ctx context.Context) error {
		var runs []event.Run
		if _, err := s.call(ctx, http.MethodGet, "/v1/runs", admin, nil, &runs); err != nil {
			return err
		}
		for _, r := range runs {
			if r.Playbook != playbook || r.Target.Name != pod {
				continue
			}
			found = r
			for _, state := range states {
				if r.State == state {
					return nil
				}
			}
			return fmt.Errorf("it is %s: %s", r.State, r.Reason)
		}
		return errors.New("there is none")
	})
	return found
}

// containerID is what Falco calls the pod's first container.
func containerID(id string) string {
	_, hex, _ := strings.Cut(id, "://")
	return hex[:min(len(hex), 12)]
}
