package respond

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math/rand/v2"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"sync"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"

	"github.com/firebreak-io/firebreak/internal/bus"
	"github.com/firebreak-io/firebreak/internal/event"
	"github.com/firebreak-io/firebreak/internal/kube"
	"github.com/firebreak-io/firebreak/internal/telemetry"
	"github.com/firebreak-io/firebreak/respond/action"
	"github.com/firebreak-io/firebreak/respond/guard"
)

// childDir and childSocket tell the child of a kill test where its data and its
// cluster are.
const (
	childDir    = "FIREBREAK_TEST_DIR"
	childSocket = "FIREBREAK_TEST_SOCKET"
)

const killBook = `apiVersion: firebreak.io/v1alpha1
kind: Playbook
metadata: {name: mark}
spec:
  when: finding.rule == "shell"
  mode: act
  steps:
    - parallel:
        - {name: label, action: pod.label, with: {labels: {suspect: "yes"}}, undo_after: 2s}
        - {name: twin, action: pod.label, target: 'pod("shop", target.name + "-twin")', with: {labels: {suspect: "yes"}}, undo_after: 1s}
        - name: others
          action: pod.label
          for_each: '[pod("shop", target.name + "-b"), pod("shop", target.name + "-c")]'
          with: {labels: {suspect: "yes"}}
          undo_after: 2s
`

// killTwins end the names of the pods that a step of [killBook] is about, beside
// the one of the finding.
var killTwins = []string{"", "-twin", "-b", "-c"}

// TestKilledResponder kills a responder with SIGKILL at random instants, some
// of them in the middle of a request to the cluster, while findings come in
// and holds end. Each finding's run has four steps that go side by side. The
// cluster lives on in this process: each pod is labelled once and unlabelled
// once, and every history is chained.
func TestKilledResponder(t *testing.T) {
	kills, pods := 15, 30
	if os.Getenv("FIREBREAK_TORTURE") != "" {
		kills, pods = 200, 400
	}
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	k := newKiller(t, pods, rand.New(rand.NewPCG(seed, 0)))
	for n := range kills {
		k.release(pods * (n + 1) / kills)
		k.round()
	}
	k.finish()
	k.check()
}

// killer holds the cluster, and starts and kills responders over one directory.
type killer struct {
	t      *testing.T
	dir    string
	socket string
	random *rand.Rand
	// names are the pods that findings are about, pods all that are written to.
	names, pods []string
	plane       *cluster

	mu       sync.Mutex
	released *sync.Cond
	findings []event.Finding
	closed   int
	child    *exec.Cmd
	// calls counts down to the request at which the child is killed; late says
	// that the request is carried out first.
	calls int
	late  bool
	// sets and unsets count what happened to the label, by pod.
	sets, unsets map[string]int
	inside       int
}

func newKiller(t *testing.T, pods int, random *rand.Rand) *killer {
	// The path of a socket must be short.
	dir, err := os.MkdirTemp("", "fb")
	if err != nil {
		t.Fatal(err)
	}
	k := &killer{t: t, dir: t.TempDir(), socket: filepath.Join(dir, "s"), random: random, sets: map[string]int{}, unsets: map[string]int{}}
	k.released = sync.NewCond(&k.mu)
	for i := range pods {
		k.names = append(k.names, fmt.Sprintf("p%d", i))
		for _, twin := range killTwins {
			k.pods = append(k.pods, fmt.Sprintf("p%d%s", i, twin))
		}
	}
	k.plane = newCluster(k.pods...)
	listener, err := (&net.ListenConfig{}).Listen(t.Context(), "unix", k.socket)
	if err != nil {
		t.Fatal(err)
	}
	server := &http.Server{Handler: k.handler(), ReadHeaderTimeout: time.Minute}
	go func() { _ = server.Serve(listener) }()
	t.Cleanup(func() {
		k.kill()
		_ = server.Close()
		_ = os.RemoveAll(dir)
	})
	return k
}

func (k *killer) handler() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /pod/{namespace}/{name}", func(w http.ResponseWriter, r *http.Request) {
		k.interrupt(func() {
			pod, err := k.plane.Pod(r.Context(), r.PathValue("namespace"), r.PathValue("name"))
			if err != nil {
				http.Error(w, err.Error(), http.StatusNotFound)
				return
			}
			_ = json.NewEncoder(w).Encode(pod)
		})
	})
	mux.HandleFunc("POST /apply", func(w http.ResponseWriter, r *http.Request) {
		k.interrupt(func() { k.apply(w, r) })
	})
	mux.HandleFunc("GET /findings/{from}", func(w http.ResponseWriter, r *http.Request) {
		from, err := strconv.Atoi(r.PathValue("from"))
		if err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
		_ = json.NewEncoder(w).Encode(k.after(r.Context(), from))
	})
	mux.HandleFunc("POST /closed/{n}", func(_ http.ResponseWriter, r *http.Request) {
		k.mu.Lock()
		defer k.mu.Unlock()
		k.closed, _ = strconv.Atoi(r.PathValue("n"))
		k.released.Broadcast()
	})
	return mux
}

// interrupt serves one request, unless it is the one at which the child dies.
func (k *killer) interrupt(serve func()) {
	k.mu.Lock()
	k.calls--
	die, late := k.calls == 0, k.late
	k.mu.Unlock()
	if !die {
		serve()
		return
	}
	if late {
		serve()
	}
	k.mu.Lock()
	k.inside++
	k.mu.Unlock()
	k.kill()
	panic(http.ErrAbortHandler)
}

func (k *killer) apply(w http.ResponseWriter, r *http.Request) {
	var write event.Write
	if err := json.NewDecoder(r.Body).Decode(&write); err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	before, _ := k.plane.label(write.Name, "suspect")
	uid, version, err := k.plane.Apply(r.Context(), write, kube.ApplyOptions{})
	after, _ := k.plane.label(write.Name, "suspect")
	switch {
	case errors.Is(err, kube.ErrConflict):
		http.Error(w, err.Error(), http.StatusConflict)
		return
	case err != nil:
		http.Error(w, err.Error(), http.StatusNotFound)
		return
	case before == "" && after != "":
		k.sets[write.Name]++
	case before != "" && after == "":
		k.unsets[write.Name]++
	}
	_ = json.NewEncoder(w).Encode([]string{uid, version})
}

// after waits for findings past the first n.
func (k *killer) after(ctx context.Context, n int) []event.Finding {
	stop := context.AfterFunc(ctx, k.released.Broadcast)
	defer stop()
	k.mu.Lock()
	defer k.mu.Unlock()
	for len(k.findings) <= n && ctx.Err() == nil {
		k.released.Wait()
	}
	return k.findings[min(n, len(k.findings)):]
}

// release lets the findings of the first n pods come in, three for each.
func (k *killer) release(n int) {
	k.mu.Lock()
	defer k.mu.Unlock()
	for i := len(k.findings) / 3; i < n; i++ {
		for j := range 3 {
			k.findings = append(k.findings, finding("shell", k.names[i], j))
		}
	}
	k.released.Broadcast()
}

func (k *killer) start() *exec.Cmd {
	k.t.Helper()
	cmd := exec.Command(os.Args[0], "-test.run=^TestChildResponder$", "-test.count=1")
	cmd.Env = append(os.Environ(), childDir+"="+k.dir, childSocket+"="+k.socket)
	cmd.Stdout, cmd.Stderr = io.Discard, os.Stderr
	if err := cmd.Start(); err != nil {
		k.t.Fatal(err)
	}
	k.mu.Lock()
	k.child = cmd
	k.mu.Unlock()
	return cmd
}

func (k *killer) kill() {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.child != nil {
		_ = k.child.Process.Kill()
	}
}

// round starts a responder and kills it: after a while, or at a request.
func (k *killer) round() {
	k.mu.Lock()
	limit := 2 * time.Second
	if k.random.IntN(2) == 0 {
		k.calls, limit = -1, time.Duration(k.random.IntN(500))*time.Millisecond
	} else {
		k.calls, k.late = 1+k.random.IntN(24), k.random.IntN(2) == 0
	}
	k.mu.Unlock()
	cmd := k.start()
	timer := time.AfterFunc(limit, k.kill)
	defer timer.Stop()
	if err := cmd.Wait(); err == nil {
		k.t.Fatal("the responder ended by itself")
	}
	k.mu.Lock()
	k.child = nil
	k.mu.Unlock()
}

// finish lets a last responder work everything off.
func (k *killer) finish() {
	k.t.Helper()
	k.mu.Lock()
	k.calls, k.closed = -1, 0
	k.mu.Unlock()
	cmd := k.start()
	limit := time.AfterFunc(10*time.Minute, func() {
		k.t.Error("the last responder did not come to rest in ten minutes")
		k.kill()
		k.mu.Lock()
		k.closed = len(k.names)
		k.mu.Unlock()
		k.released.Broadcast()
	})
	k.mu.Lock()
	for k.closed < len(k.names) {
		k.released.Wait()
	}
	k.mu.Unlock()
	limit.Stop()
	k.kill()
	_ = cmd.Wait()
	k.mu.Lock()
	k.child = nil
	k.mu.Unlock()
}

func (k *killer) check() {
	for _, name := range k.pods {
		if v, _ := k.plane.label(name, "suspect"); v != "" || k.sets[name] != 1 || k.unsets[name] != 1 {
			k.t.Errorf("%s: label %q, set %d times and unset %d times", name, v, k.sets[name], k.unsets[name])
		}
	}
	r := &rig{t: k.t, dir: k.dir}
	r.open()
	defer r.bus.Close()
	if !r.all(len(k.names), event.RunClosed)() {
		k.t.Errorf("%d runs, not all closed", len(r.runs()))
	}
	r.chained()
	k.t.Logf("%d of the kills were in a request to the cluster", k.inside)
}

// TestChildResponder is the responder that the kill test starts.
func TestChildResponder(t *testing.T) {
	dir := os.Getenv(childDir)
	if dir == "" {
		t.Skip("is started by the kill test")
	}
	b, err := bus.Open(t.Context(), bus.Options{Dir: dir})
	if err != nil {
		t.Fatal(err)
	}
	c := remote{client: &http.Client{Transport: &http.Transport{
		DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			return (&net.Dialer{}).DialContext(ctx, "unix", os.Getenv(childSocket))
		},
	}}}
	logger := slog.New(slog.DiscardHandler)
	control := NewControl(b, event.ModeAct)
	w, err := NewWorker(t.Context(), WorkerOptions{
		Alone: true, Bus: b, Books: []*Playbook{parse(t, killBook)}, Control: control, Telemetry: telemetry.Nop(), Logger: logger,
		Executor: &Executor{Deps: action.Deps{Cluster: c, Logger: logger}, Guards: guard.New(guard.Options{Control: control, Cluster: c})},
	})
	if err != nil {
		t.Fatal(err)
	}
	go c.publish(t, b)
	go c.report(t, w)
	t.Fatal(w.Run(t.Context()))
}

// remote is the cluster of the parent.
type remote struct {
	action.Offline
	client *http.Client
}

func (c remote) do(ctx context.Context, method, path string, body, into any) error {
	data, err := json.Marshal(body)
	if err != nil {
		return err
	}
	req, err := http.NewRequestWithContext(ctx, method, "http://cluster"+path, bytes.NewReader(data))
	if err != nil {
		return err
	}
	resp, err := c.client.Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	switch resp.StatusCode {
	case http.StatusOK:
	case http.StatusConflict:
		return kube.ErrConflict
	default:
		return kube.ErrNotFound
	}
	if into == nil {
		return nil
	}
	return json.NewDecoder(resp.Body).Decode(into)
}

func (c remote) Pod(ctx context.Context, namespace, name string) (*corev1.Pod, error) {
	pod := &corev1.Pod{}
	return pod, c.do(ctx, http.MethodGet, "/pod/"+namespace+"/"+name, nil, pod)
}

func (c remote) Apply(ctx context.Context, w event.Write, _ kube.ApplyOptions) (string, string, error) {
	var answer [2]string
	err := c.do(ctx, http.MethodPost, "/apply", w, &answer)
	return answer[0], answer[1], err
}

// publish stores the findings as they come in; those of before are there.
func (c remote) publish(t *testing.T, b *bus.Bus) {
	for n := 0; ; {
		var list []event.Finding
		if err := c.do(t.Context(), http.MethodGet, "/findings/"+strconv.Itoa(n), nil, &list); err != nil {
			return
		}
		for _, f := range list {
			data, err := json.Marshal(f)
			if err != nil {
				t.Error(err)
				return
			}
			if _, err := b.Create(t.Context(), bus.SubjectFinding(f.ID), data); err != nil && !errors.Is(err, bus.ErrExists) {
				return
			}
			n++
		}
	}
}

// report tells the parent how many runs are closed.
func (c remote) report(t *testing.T, w *Worker) {
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for range tick.C {
		n := w.Counts()[event.RunClosed]
		if err := c.do(t.Context(), http.MethodPost, "/closed/"+strconv.Itoa(n), nil, nil); err != nil {
			return
		}
	}
}
