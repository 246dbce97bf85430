//go:build linux

package torture

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/tools/clientcmd"

	"github.com/firebreak-io/firebreak/internal/bus"
	"github.com/firebreak-io/firebreak/internal/event"
	"github.com/firebreak-io/firebreak/respond/runlog"
	"github.com/firebreak-io/firebreak/test/controlplane"
	"github.com/firebreak-io/firebreak/test/wire"
)

// stage is a real control plane, a NATS server and several responders, and sees all that goes between them.
type stage struct {
	t         *testing.T
	plane     *controlplane.Cluster
	admin     kubernetes.Interface
	namespace string
	broker    *broker
	bus       *bus.Bus
	log       *runlog.Log
	actors    []*actor
	began     time.Time

	mu    sync.Mutex
	armed *fault
	// last is the newest record of each run that was sent, ops what was asked of the run log.
	last map[string]event.Run
	ops  map[string]*op
	done []*op
	// writes are the patches of pods that were carried out.
	writes []write
	epoch  uint64
	// struck is when the active responder was last struck; takeovers how long it took until another wrote.
	struck    time.Time
	takeovers []time.Duration
	pods      []string
	findings  int
}

// actor is one responder over all its lives.
type actor struct {
	s    *stage
	n    int
	wire *wire.Wire
	gate *gateway
	env  []string
	logs string
	p    *process
}

func newStage(t *testing.T, responders int) *stage {
	t.Helper()
	plane, err := controlplane.Start(t.Context(), controlplane.Options{Nodes: 1, Log: os.Stderr})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := plane.Stop(); err != nil {
			t.Error(err)
		}
	})
	s := &stage{
		t: t, plane: plane, namespace: "shop", began: time.Now(), last: map[string]event.Run{}, ops: map[string]*op{},
	}
	config, err := clientcmd.BuildConfigFromFlags("", plane.Kubeconfig)
	if err != nil {
		t.Fatal(err)
	}
	config.QPS, config.Burst = 200, 400
	if s.admin, err = kubernetes.NewForConfig(config); err != nil {
		t.Fatal(err)
	}
	ns := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: s.namespace}}
	if _, err := s.admin.CoreV1().Namespaces().Create(t.Context(), ns, metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the namespace has its account", func() bool {
		_, err := s.admin.CoreV1().ServiceAccounts(s.namespace).Get(t.Context(), "default", metav1.GetOptions{})
		return err == nil
	})
	var logs []string
	for range responders {
		logs = append(logs, t.TempDir())
	}
	// Before the directories are removed.
	t.Cleanup(func() {
		for _, a := range s.actors {
			if text := a.p.tail(); t.Failed() {
				t.Logf("responder %d:\n%s", a.n, text[max(0, len(text)-12<<10):])
			}
		}
	})
	s.broker = newBroker(t, t.TempDir())
	s.open()
	books := filepath.Join(t.TempDir(), "books.yaml")
	if err := os.WriteFile(books, []byte(runBooks), 0o600); err != nil {
		t.Fatal(err)
	}
	for n := range responders {
		a := &actor{s: s, n: n, logs: logs[n]}
		a.wire = newWire(t, s.broker.addr, a)
		a.gate = newGateway(t, plane, n, a.before, a.after)
		a.env = []string{urlVar + "=nats://" + a.wire.Address, kubeVar + "=" + a.gate.kubeconfig(t), booksVar + "=" + books}
		s.actors = append(s.actors, a)
		a.start()
	}
	return s
}

func (s *stage) open() {
	s.t.Helper()
	b, err := bus.Open(s.t.Context(), bus.Options{URL: s.broker.url(), Replicas: 1, Name: "tests"})
	if err != nil {
		s.t.Fatal(err)
	}
	s.t.Cleanup(func() { _ = b.Close() })
	s.bus, s.log = b, runlog.New(b, 0)
}

func (a *actor) start() {
	a.p = child(a.s.t, "responder", a.logs, nil, a.env...)
}

// strike ends or stops an actor; the time until another writes counts when it was the active one.
func (a *actor) strike(signal syscall.Signal) {
	if signal == syscall.SIGKILL {
		a.p.mean()
	}
	a.p.signal(signal)
}

// revive starts those that were killed, and fails when one ended by itself.
func (s *stage) revive() {
	for _, a := range s.actors {
		if a.p.died() {
			s.t.Fatalf("responder %d ended by itself:\n%s", a.n, a.p.tail())
		}
		if !a.p.alive() {
			a.start()
		}
	}
}

// release makes n pods and lets the findings about them come in, three for each.
func (s *stage) release(n int, rule string) {
	s.t.Helper()
	for range n {
		name := fmt.Sprintf("p%d", len(s.pods))
		pod, err := s.admin.CoreV1().Pods(s.namespace).Create(s.t.Context(), &corev1.Pod{
			ObjectMeta: metav1.ObjectMeta{Name: name, Labels: map[string]string{"app": "web"}},
			Spec:       corev1.PodSpec{Containers: []corev1.Container{{Name: "web", Image: "web"}}},
		}, metav1.CreateOptions{})
		if err != nil {
			s.t.Fatal(err)
		}
		s.pods = append(s.pods, name)
		now := time.Now().UTC()
		subject := event.PodRef(s.namespace, name)
		subject.UID = string(pod.UID)
		for i := range 3 {
			s.publish(event.Finding{
				ID: event.FindingID(rule, name, strconv.Itoa(i)), Rule: rule, Severity: event.SeverityHigh, Trust: event.TrustRuntime,
				Source: event.SourceFalco, Subject: subject, Time: now, Received: now,
			})
		}
	}
}

func (s *stage) publish(f event.Finding) {
	s.t.Helper()
	data, err := json.Marshal(f)
	if err != nil {
		s.t.Fatal(err)
	}
	eventually(s.t, "a finding is stored", func() bool {
		_, err := s.bus.Create(s.t.Context(), bus.SubjectFinding(f.ID), data)
		return err == nil || strings.Contains(err.Error(), bus.ErrExists.Error())
	})
	s.findings++
}

// runs are all runs as they stand.
func (s *stage) runs(ctx context.Context) []event.Run {
	var list []event.Run
	for rec, err := range s.log.All(ctx) {
		if err != nil {
			return nil
		}
		list = append(list, rec.Run)
	}
	return list
}

// vote says yes to what waits, twice each time, as a chat that sends again does.
func (s *stage) vote() {
	for _, run := range s.runs(s.t.Context()) {
		if run.State != event.RunAwaiting || run.Approval == nil {
			continue
		}
		now := time.Now().UTC()
		in := event.Input{ID: run.Approval.ID, Run: run.ID, Kind: event.InputVote, User: "ann", Time: now, Vote: &event.Vote{
			User: "ann", Approve: true, Digest: run.Approval.Digest, Time: now,
		}}
		data, err := json.Marshal(in)
		if err != nil {
			s.t.Fatal(err)
		}
		for range 2 {
			_, _ = s.bus.Publish(s.t.Context(), bus.SubjectInput(run.ID), data) // it is said again in the next round
		}
	}
}

// sent sees what a responder says to NATS.
func (a *actor) sent(m message) bool {
	s := a.s
	if id, ok := strings.CutPrefix(m.subject, "$JS.API.STREAM.MSG.GET.RUNS"); ok && id == "" {
		s.read(a.n, m)
		return true
	}
	if m.subject == "$KV.CTL.lease" {
		var lease struct{ Epoch uint64 }
		if json.Unmarshal(m.body, &lease) == nil {
			s.mu.Lock()
			s.ops[m.reply] = &op{client: a.n, epoch: lease.Epoch, call: time.Since(s.began)}
			s.mu.Unlock()
		}
		return true
	}
	id, ok := strings.CutPrefix(m.subject, "run.")
	if !ok {
		return true
	}
	var run event.Run
	if json.Unmarshal(m.body, &run) != nil {
		return true
	}
	o := &op{client: a.n, run: id, nonce: run.Nonce, call: time.Since(s.began)}
	if _, text, ok := bytes.Cut(m.header, []byte("Nats-Expected-Last-Subject-Sequence:")); ok {
		line, _, _ := strings.Cut(string(text), "\r\n")
		o.expected, _ = strconv.ParseUint(strings.TrimSpace(line), 10, 64)
	}
	s.mu.Lock()
	o.kinds = kinds(s.last[id], run)
	o.record = run
	s.ops[m.reply] = o
	s.done = append(s.done, o)
	f := s.take(a, false, o.kinds...)
	s.mu.Unlock()
	if f == nil {
		return true
	}
	f.run = id
	switch f.how {
	case killBefore:
		a.strike(syscall.SIGKILL)
		close(f.fired)
		return false
	case holdBack:
		a.strike(syscall.SIGSTOP)
		close(f.fired)
		<-f.release // it arrives when all is over
		return true
	default:
		s.mu.Lock()
		o.then = f
		s.mu.Unlock()
	}
	return true
}

// came sees what NATS answers.
func (a *actor) came(m message) bool {
	s := a.s
	s.mu.Lock()
	o := s.ops[m.subject]
	if o == nil {
		s.mu.Unlock()
		return true
	}
	delete(s.ops, m.subject)
	o.answer(m.body, time.Since(s.began))
	switch {
	case o.epoch > 0 && o.stored > 0:
		s.leased(o.epoch)
	case !o.reads && o.stored > 0:
		s.stored(o)
	}
	f := o.then
	s.mu.Unlock()
	if f == nil {
		return true
	}
	switch f.how {
	case killAfter:
		a.strike(syscall.SIGKILL)
	case pauseAfter:
		a.strike(syscall.SIGSTOP)
	}
	close(f.fired)
	return f.how == pauseAfter
}

// stored notes a record that is in the log. The lock is held.
func (s *stage) stored(o *op) {
	s.last[o.record.ID] = o.record
}

// leased notes that a responder has taken the lease. The lock is held.
func (s *stage) leased(epoch uint64) {
	if epoch <= s.epoch {
		return
	}
	if s.epoch = epoch; !s.struck.IsZero() {
		s.takeovers = append(s.takeovers, time.Since(s.struck))
		s.struck = time.Time{}
	}
}

// before and after see the patches of pods.
func (a *actor) before(w write) bool {
	s := a.s
	s.mu.Lock()
	f := s.take(a, true, patchKind(w))
	s.mu.Unlock()
	if f == nil {
		return true
	}
	f.pod = w.pod
	switch f.how {
	case killBefore:
		a.strike(syscall.SIGKILL)
		close(f.fired)
		return false
	case holdBack:
		close(f.fired)
		<-f.release
	default:
		s.mu.Lock()
		s.armed, f.late = f, true // it fires when the answer is there
		s.mu.Unlock()
	}
	return true
}

func (a *actor) after(w write) bool {
	s := a.s
	s.mu.Lock()
	s.writes = append(s.writes, w)
	f := s.armed
	if f == nil || !f.late || f.pod != w.pod || f.by != a.n {
		s.mu.Unlock()
		return true
	}
	s.armed = nil
	s.mu.Unlock()
	if f.how == killAfter {
		a.strike(syscall.SIGKILL)
	}
	close(f.fired)
	return false
}
