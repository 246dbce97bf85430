//go:build linux

package torture

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/watch"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/tools/clientcmd"

	"github.com/firebreak-io/firebreak/internal/bus"
	"github.com/firebreak-io/firebreak/internal/event"
	"github.com/firebreak-io/firebreak/respond/runlog"
	"github.com/firebreak-io/firebreak/test/controlplane"
)

// stormBound is what one process may take, of the 512 MiB that are promised.
const stormBound = 350 << 20

// stormRules and stormBook are the rules and playbooks of a storm: each pod is found once, however often it matches, and
// some pods are found for something graver.
const stormRules = `apiVersion: firebreak.io/v1alpha1
kind: Rule
metadata: {name: shell}
spec:
  title: A shell
  severity: medium
  source: falco
  when: 'rule == "Shell"'
  suppress: {by: [object.namespace, object.name], for: 1h}
---
apiVersion: firebreak.io/v1alpha1
kind: Rule
metadata: {name: breakout}
spec:
  title: Somebody breaks out of a container
  severity: critical
  source: falco
  when: 'rule == "Breakout"'
  suppress: {by: [object.namespace, object.name], for: 1h}
`

const stormBook = `apiVersion: firebreak.io/v1alpha1
kind: Playbook
metadata: {name: contain}
spec:
  when: finding.rule in ["shell", "breakout"]
  mode: act
  approve: {within: 1h}
  steps:
    - {name: isolate, action: pod.quarantine, undo_after: 24h, at_end: restore}
`

// storm is a Firebreak in five processes, a cluster full of pods, and many alerts about each.
type storm struct {
	t          *testing.T
	plane      *controlplane.Cluster
	admin      kubernetes.Interface
	broker     *broker
	bus        *bus.Bus
	gate       *firebreak
	responders []*firebreak
	pods       []corev1.Pod

	mu sync.Mutex
	// held are the pods that are quarantined, by UID and what they count in; most is the highest count at
	// any write, rss the most that any life of a process took, by its kind.
	held map[string]corev1.Pod
	most map[string]int
	rss  map[string]int64
}

// TestStormOfProcesses lets alerts about every pod of a cluster rain on ingest, detectors and four responders,
// each a process of its own, while responders are killed: at each write of the API server the budgets hold,
// every pod has its run, which holds or waits for people, the gravest have their places, and no process
// grows.
func TestStormOfProcesses(t *testing.T) {
	if testing.Short() {
		t.Skip("starts a control plane, and builds it if the cache is cold")
	}
	pods, matches, kills := size(t, "FIREBREAK_STORM_PODS", 60, 1000), size(t, "FIREBREAK_STORM", 3000, 100_000), size(t, "FIREBREAK_KILLS", 2, 50)
	s := newStorm(t, size(t, "FIREBREAK_STORM_NODES", 5, 50), pods)
	go s.watchHolds()
	go s.watchMemory()
	began := time.Now()
	var all sync.WaitGroup
	all.Go(func() { s.rain(matches) })
	for range kills {
		<-time.After(time.Duration(500+rand.IntN(1500)) * time.Millisecond)
		r := s.responders[rand.IntN(len(s.responders))]
		s.mu.Lock()
		r.p.kill()
		r.start()
		s.mu.Unlock()
	}
	all.Wait()
	rained := time.Since(began)
	runs := s.rest()
	s.check(runs)
	s.mu.Lock()
	defer s.mu.Unlock()
	t.Logf("%d alerts in %s, all runs at rest after %s, %d kills; at any time at most %v held; at most %v MiB in one process",
		matches, rained.Round(time.Second), time.Since(began).Round(time.Second), kills, s.most["cluster"], mebibytes(s.rss))
	for what, n := range s.most {
		if bound := map[bool]int{true: 10, false: 3}[what == "cluster"]; n > bound {
			t.Errorf("%d pods were held at a time in %s, the budget is %d", n, what, bound)
		}
	}
	for what, n := range s.rss {
		if n > stormBound {
			t.Errorf("%s took %d MiB, the bound is %d", what, n>>20, stormBound>>20)
		}
	}
}

func mebibytes(bytes map[string]int64) map[string]int64 {
	all := map[string]int64{}
	for what, n := range bytes {
		all[what] = n >> 20
	}
	return all
}

func newStorm(t *testing.T, nodes, pods int) *storm {
	t.Helper()
	plane, err := controlplane.Start(t.Context(), controlplane.Options{Nodes: nodes, Log: os.Stderr})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := plane.Stop(); err != nil {
			t.Error(err)
		}
	})
	s := &storm{t: t, plane: plane, held: map[string]corev1.Pod{}, most: map[string]int{}, rss: map[string]int64{}}
	config, err := clientcmd.BuildConfigFromFlags("", plane.Kubeconfig)
	if err != nil {
		t.Fatal(err)
	}
	config.QPS, config.Burst = 200, 400
	if s.admin, err = kubernetes.NewForConfig(config); err != nil {
		t.Fatal(err)
	}
	s.fill(pods)
	s.broker = newBroker(t, t.TempDir())
	if s.bus, err = bus.Open(t.Context(), bus.Options{URL: s.broker.url(), Replicas: 1, Name: "tests"}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.bus.Close() })
	s.gate = s.process("gate", "ingest,detect")
	for n := range 4 {
		s.responders = append(s.responders, s.process(fmt.Sprint("respond", n), "respond"))
	}
	s.gate.ready()
	return s
}

// process starts a Firebreak with some of the roles.
func (s *storm) process(name, roles string) *firebreak {
	s.t.Helper()
	f := newFirebreak(s.t, setup{name: name, roles: roles, data: filepath.Join(s.t.TempDir(), "data"), nats: s.broker.url()})
	for file, text := range map[string]string{
		"rules.yaml": stormRules, "book.yaml": stormBook,
		// How fast is bound by default, too, and tested elsewhere; here they race for what there is at a time.
		"config.yaml": fmt.Sprintf(`apiVersion: firebreak.io/v1alpha1
kind: Config
metadata: {name: storm}
spec:
  data: %q
  kubernetes: {kubeconfig: %q, qps: 100, burst: 200}
  listen: {address: %q, health: %q}
  nats: {url: %q, replicas: 1}
  sources: {falco: {token: {file: token}}}
  no_shipped: true
  rules: [rules.yaml]
  playbooks: [book.yaml]
  respond:
    mode: act
    guards:
      canary: 0s
      health: {lag: 30m, errors: 1}
      breaker: {failures: 1000}
      budgets: {effects_per_minute: 100000, burst: 100000, runs_per_hour: 100000, share: 1, replicas: 1}
`, f.data, s.plane.Kubeconfig, f.api, f.health, s.broker.url()),
	} {
		if err := os.WriteFile(filepath.Join(f.dir, file), []byte(text), 0o600); err != nil {
			s.t.Fatal(err)
		}
	}
	f.start()
	return f
}

// spaces is how many namespaces the pods are in: two for each place of the budget at least.
const spaces = 20

func (s *storm) fill(pods int) {
	s.t.Helper()
	ctx := s.t.Context()
	for n := range spaces {
		ns := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: fmt.Sprint("storm", n)}}
		if _, err := s.admin.CoreV1().Namespaces().Create(ctx, ns, metav1.CreateOptions{}); err != nil {
			s.t.Fatal(err)
		}
	}
	for n := range spaces {
		eventually(s.t, "a namespace has its account", func() bool {
			_, err := s.admin.CoreV1().ServiceAccounts(fmt.Sprint("storm", n)).Get(ctx, "default", metav1.GetOptions{})
			return err == nil
		})
	}
	for i := range pods {
		space := fmt.Sprint("storm", i%spaces)
		pod, err := s.admin.CoreV1().Pods(space).Create(ctx, &corev1.Pod{
			ObjectMeta: metav1.ObjectMeta{Name: fmt.Sprint("p", i), Labels: map[string]string{"app": "web"}},
			Spec:       corev1.PodSpec{Containers: []corev1.Container{{Name: "web", Image: "web"}}},
		}, metav1.CreateOptions{})
		if err != nil {
			s.t.Fatal(err)
		}
		s.pods = append(s.pods, *pod)
	}
}

// grave says of which pods the graver thing is found: of one in each hundred, and one at least.
func (s *storm) grave(i int) bool { return i%100 == min(len(s.pods)-1, 99) }

// rain posts the alerts, the same number about each pod, those of graver things last.
func (s *storm) rain(matches int) {
	var small, grave []any
	for n := range matches {
		i := n % len(s.pods)
		if s.grave(i) {
			grave = append(grave, s.alert(i, n, "Breakout"))
		} else {
			small = append(small, s.alert(i, n, "Shell"))
		}
	}
	sender := newSender(s.t, "f0", s.gate.api, nil, 1)
	for all := append(small, grave...); len(all) > 0; {
		n := min(len(all), 400)
		if !sender.deliver(sender.body(all[:n])) {
			return
		}
		all = all[n:]
	}
}

// alert is Falco's about a pod; no two are the same.
func (s *storm) alert(i, n int, rule string) any {
	pod := s.pods[i]
	return map[string]any{
		"hostname": "node-1", "priority": "Warning", "rule": rule, "source": "syscall", "time": time.Now().UTC().Format(time.RFC3339Nano),
		"output": "$(reboot) ${params.x} {{.}} <b>", "tags": []string{"container"},
		"output_fields": map[string]any{
			"container.id": fmt.Sprintf("%012x", i), "k8s.ns.name": pod.Namespace, "k8s.pod.name": pod.Name, "k8s.pod.uid": string(pod.UID),
			"evt.type": "execve", "proc.cmdline": fmt.Sprint("sh -c 'x' ; ", n), "proc.name": "sh", "user.name": "root",
		},
	}
}

// watchHolds counts what is held after each write of the API server, in its own order.
func (s *storm) watchHolds() {
	ctx := s.t.Context()
	for ctx.Err() == nil {
		w, err := s.admin.CoreV1().Pods("").Watch(ctx, metav1.ListOptions{LabelSelector: "firebreak.io/hold"})
		if err != nil {
			shortly(100 * time.Millisecond)
			continue
		}
		s.mu.Lock()
		s.held = map[string]corev1.Pod{}
		s.mu.Unlock()
		for e := range w.ResultChan() {
			if pod, ok := e.Object.(*corev1.Pod); ok {
				s.landed(e.Type, *pod)
			}
		}
	}
}

func (s *storm) landed(what watch.EventType, pod corev1.Pod) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if what == watch.Deleted {
		delete(s.held, string(pod.UID))
		return
	}
	s.held[string(pod.UID)] = pod
	spaces := map[string]int{}
	for _, p := range s.held {
		spaces[p.Namespace]++
		s.most[p.Namespace] = max(s.most[p.Namespace], spaces[p.Namespace])
	}
	s.most["cluster"] = max(s.most["cluster"], len(s.held))
}

func (s *storm) watchMemory() {
	for s.t.Context().Err() == nil {
		s.mu.Lock()
		for _, r := range s.responders {
			s.rss["a responder"] = max(s.rss["a responder"], r.p.rss())
		}
		s.rss["ingest and detectors"] = max(s.rss["ingest and detectors"], s.gate.p.rss())
		s.mu.Unlock()
		shortly(100 * time.Millisecond)
	}
}

// rest waits until every pod has a run that holds or waits for people, and gives the runs by pod.
func (s *storm) rest() map[string]event.Run {
	s.t.Helper()
	log := runlog.New(s.bus, 0)
	runs := map[string]event.Run{}
	limit := time.After(patience)
	for {
		for _, r := range append([]*firebreak{s.gate}, s.responders...) {
			if r.p.died() {
				s.t.Fatalf("%s ended by itself:\n%s", r.name, r.p.tail())
			}
		}
		resting := 0
		for rec, err := range log.All(s.t.Context()) {
			if err != nil {
				s.t.Fatal(err)
			}
			runs[rec.Run.Target.UID] = rec.Run
		}
		states := map[event.RunState]int{}
		for _, run := range runs {
			states[run.State]++
			if run.State == event.RunHolding || run.State == event.RunAwaiting {
				resting++
			}
		}
		if resting == len(s.pods) {
			return runs
		}
		select {
		case <-limit:
			s.t.Fatalf("runs are %v for %d pods after %s", states, len(s.pods), patience)
		case <-time.After(time.Second):
		}
	}
}

func (s *storm) check(runs map[string]event.Run) {
	graves, held, states := 0, 0, map[event.RunState]int{}
	for i, pod := range s.pods {
		run, ok := runs[string(pod.UID)]
		if !ok {
			s.t.Errorf("pod %s has no run", pod.Name)
			continue
		}
		states[run.State]++
		if run.State == event.RunAwaiting && (run.Approval == nil || len(run.Approval.Reasons) == 0) {
			s.t.Errorf("the run of pod %s waits, and nothing says why", pod.Name)
		}
		if s.grave(i) {
			graves++
			if run.State == event.RunHolding {
				held++
			}
		}
	}
	if held == 0 || states[event.RunHolding] > 10 {
		s.t.Errorf("of %d grave ones %d are held, of all %d", graves, held, states[event.RunHolding])
	}
	// Each match is in a finding, or counted with it.
	findings, counted := 0, uint64(0)
	for m, err := range s.bus.LastPerSubject(s.t.Context(), "find.>") {
		if err != nil {
			s.t.Fatal(err)
		}
		if !bus.IsFindingCount(m.Subject) {
			findings++
			continue
		}
		var c event.FindingCount
		if err := json.Unmarshal(m.Data, &c); err != nil {
			s.t.Fatal(err)
		}
		counted += c.Count - 1
	}
	if findings != len(s.pods) {
		s.t.Errorf("%d findings about %d pods", findings, len(s.pods))
	}
	s.t.Logf("%d pods, %d findings and %d matches more counted with them by now; runs are %v; of %d grave ones %d are held", len(s.pods), findings, counted, states, graves, held)
}
