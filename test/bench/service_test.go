package bench

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"

	"github.com/firebreak-io/firebreak/internal/bus"
	"github.com/firebreak-io/firebreak/internal/event"
	"github.com/firebreak-io/firebreak/respond/runlog"
	"github.com/firebreak-io/firebreak/test/command"
	"github.com/firebreak-io/firebreak/test/controlplane"
	"github.com/firebreak-io/firebreak/test/wait"
)

const shellBook = `apiVersion: firebreak.io/v1alpha1
kind: Playbook
metadata: {name: hold-shell}
spec:
  when: finding.rule == "container-shell" and target.resource == "pods"
  mode: act
  steps:
    - {name: isolate, action: pod.quarantine, undo_after: 1h}
`

const serviceConfig = `apiVersion: firebreak.io/v1alpha1
kind: Config
metadata: {name: bench}
spec:
  cluster: bench
  data: data
  kubernetes: {kubeconfig: %q}
  listen: {address: %q, health: %q}
  sources:
    falco: {token: {file: token}}
  playbooks: [playbooks.yaml]
  respond:
    mode: act
    # What is measured is how fast it goes, not how it is held back.
    guards:
      canary: 0s
      cooldown: 0s
      budgets: {pods: 1000, pods_per_namespace: 1000, replicas: 1, effects_per_minute: 10000, burst: 1000, runs_per_hour: 1000, share: 1}
      steering: {targets: 1000}
      eyes: {need: 1, pods: 1000}
`

// benchToken lets alerts in.
const benchToken = "bench-bench-bench-bench"

func TestMain(m *testing.M) {
	os.Exit(command.Remove(m.Run()))
}

// served is a Firebreak in a process of its own.
type served struct {
	dir, api, health string
	log              bytes.Buffer
	cmd              *exec.Cmd
}

// serve starts a service and waits until it is ready.
func serve(b *testing.B, plane *controlplane.Cluster) *served {
	b.Helper()
	path := os.Getenv("FIREBREAK_BINARY") // an older one, to be measured beside this tree's
	if path == "" {
		path = command.Path(b)
	}
	s := &served{dir: b.TempDir(), api: freePort(b), health: freePort(b)}
	for name, text := range map[string]string{
		"token": benchToken, "playbooks.yaml": shellBook, "config.yaml": fmt.Sprintf(serviceConfig, plane.Kubeconfig, s.api, s.health),
	} {
		if err := os.WriteFile(filepath.Join(s.dir, name), []byte(text), 0o600); err != nil {
			b.Fatal(err)
		}
	}
	s.cmd = exec.Command(path, "run", "--config", filepath.Join(s.dir, "config.yaml"))
	s.cmd.Stderr = &s.log
	if err := s.cmd.Start(); err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { s.stop(b) })
	wait.Until(b, "the service is ready", func() bool {
		resp, err := http.Get("http://" + s.health + "/readyz")
		if err != nil {
			return false
		}
		defer resp.Body.Close()
		return resp.StatusCode == http.StatusOK
	})
	return s
}

// stop ends the service as Kubernetes does.
func (s *served) stop(b *testing.B) {
	b.Helper()
	if s.cmd == nil {
		return
	}
	_ = s.cmd.Process.Signal(os.Interrupt)
	if err := s.cmd.Wait(); err != nil {
		b.Errorf("the service ended with %v", err)
	}
	s.cmd = nil
	if b.Failed() {
		b.Log(s.log.String())
	}
}

// cpu is the processor time that the service has had; 0 where there is no /proc.
func (s *served) cpu() time.Duration {
	data, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", s.cmd.Process.Pid))
	if err != nil {
		return 0
	}
	fields := strings.Fields(string(data[bytes.LastIndexByte(data, ')')+1:]))
	const user, system, hertz = 11, 12, 100
	var ticks int
	for _, i := range []int{user, system} {
		n, err := strconv.Atoi(fields[i])
		if err != nil {
			return 0
		}
		ticks += n
	}
	return time.Duration(ticks) * time.Second / hertz
}

// alert posts a Falco alert about a pod; it returns when that is stored.
func (s *served) alert(ctx context.Context, pod corev1.Pod) error {
	_, id, _ := strings.Cut(pod.Status.ContainerStatuses[0].ContainerID, "://")
	body, err := json.Marshal(map[string]any{
		"hostname": "node-1", "priority": "Critical", "rule": "Terminal shell in container", "source": "syscall",
		"time": time.Now().UTC().Format(time.RFC3339Nano), "tags": []string{"container", "mitre_execution", "shell"},
		"output": "A shell was spawned in a container with an attached terminal (user=root k8s.pod=" + pod.Name + ")",
		"output_fields": map[string]any{
			"container.id": id[:min(len(id), 12)], "evt.time": time.Now().UnixNano(), "k8s.ns.name": pod.Namespace, "k8s.pod.name": pod.Name,
			"proc.cmdline": "sh -i", "proc.name": "sh", "proc.tty": 34816, "user.name": "root",
		},
	})
	if err != nil {
		return err
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, "http://"+s.api+"/v1/falco", bytes.NewReader(body))
	if err != nil {
		return err
	}
	req.Header.Set("Authorization", "Bearer "+benchToken)
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	if text, err := io.ReadAll(resp.Body); err != nil || resp.StatusCode >= 300 {
		return fmt.Errorf("alert: %s: %s (%w)", resp.Status, text, err)
	}
	return nil
}

// settled waits until the log says of as many runs that they hold.
func (s *served) settled(b *testing.B, n int) {
	b.Helper()
	wait.Until(b, "all runs hold", func() bool {
		resp, err := http.Get("http://" + s.health + "/metrics")
		if err != nil {
			return false
		}
		defer resp.Body.Close()
		text, err := io.ReadAll(resp.Body)
		if err != nil {
			return false
		}
		for line := range strings.Lines(string(text)) {
			if strings.HasPrefix(line, "firebreak_runs{") && strings.Contains(line, `state="holding"`) {
				return strings.HasSuffix(strings.TrimSpace(line), fmt.Sprintf(" %d", n))
			}
		}
		return false
	})
}

// durations are the times from the posting of each alert until its finding, the first record of its run, and its
// intent were stored, each sorted.
func durations(b *testing.B, store *bus.Bus, posted map[string]time.Time) (found, begun, intended []time.Duration) {
	b.Helper()
	for rec, err := range runlog.New(store, 0).All(b.Context()) {
		if err != nil {
			b.Fatal(err)
		}
		at, ours := posted[rec.Run.Target.Name]
		if !ours || rec.Run.Playbook != "hold-shell" {
			continue
		}
		m, err := store.Last(b.Context(), bus.SubjectFinding(rec.Run.Finding.ID))
		if err != nil {
			b.Fatal(err)
		}
		found = append(found, m.Time.Sub(at))
		first := true
		for h, err := range store.History(b.Context(), bus.SubjectRun(rec.Run.ID)) {
			if err != nil {
				b.Fatal(err)
			}
			var run event.Run
			if err := json.Unmarshal(h.Data, &run); err != nil {
				b.Fatal(err)
			}
			if run.Record == 1 {
				begun = append(begun, h.Time.Sub(at))
			}
			if first && run.Steps[0].State == event.StepIntent {
				first = false
				intended = append(intended, h.Time.Sub(at))
			}
		}
	}
	for _, list := range [][]time.Duration{found, begun, intended} {
		slices.Sort(list)
	}
	return found, begun, intended
}

func freePort(b *testing.B) string {
	b.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		b.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}
