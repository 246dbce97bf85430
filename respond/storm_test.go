package respond

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"os"
	"runtime"
	"sync"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/firebreak-io/firebreak/internal/bus"
	"github.com/firebreak-io/firebreak/internal/event"
	"github.com/firebreak-io/firebreak/internal/telemetry"
	"github.com/firebreak-io/firebreak/respond/action"
	"github.com/firebreak-io/firebreak/respond/guard"
	"github.com/firebreak-io/firebreak/respond/runlog"
	"github.com/firebreak-io/firebreak/test/wait"
)

const stormBook = `apiVersion: firebreak.io/v1alpha1
kind: Playbook
metadata: {name: contain}
spec:
  when: finding.rule == "shell"
  mode: act
  approve: {within: 1h}
  steps:
    - {name: isolate, action: pod.quarantine, undo_after: 24h, at_end: restore}
`

// storm is many responders, each of which believes to be the only one, on one
// store and one cluster.
type storm struct {
	t       *testing.T
	bus     *bus.Bus
	plane   *plane
	control *Control
	book    *Playbook
	stops   []context.CancelFunc
	ended   sync.WaitGroup

	mu sync.Mutex
	// most are the highest counts at any write, by what is counted.
	most   map[string]int
	writes int
}

// TestStorm lets hostile findings about every pod of a cluster rain on four
// responders, of which some die and others begin: at each write to the cluster
// the budgets hold, and every finding has a run that waits for people or holds. Those
// that wait are asked one by one up to a bound, and all others once, in sum: an answer
// to that is one to each of them, and to no other.
func TestStorm(t *testing.T) {
	pods, again, kills := 120, 10, 6
	if os.Getenv("FIREBREAK_TORTURE") != "" {
		pods, again, kills = 1000, 100, 50
	}
	s := newStorm(t, pods)
	for range 4 {
		s.begin()
	}
	random := rand.New(rand.NewPCG(5, 6))
	for i := range pods {
		s.publish(i, again)
		if i%(pods/kills) == pods/kills-1 {
			s.end(random.IntN(len(s.stops)))
			s.begin()
		}
	}
	states := s.rest(pods)
	s.check(pods, states)
	s.asked(states[event.RunAwaiting])
}

// StormDesk asks people as the desk does that is built on this package: it gives how
// many questions are asked one by one and how many in sum, and a no to the sum.
var StormDesk func(ctx context.Context, b *bus.Bus, c *Control) (alone, summed int, deny func() (told int, err error), err error)

// asked is that of those that wait each is in one question, and none is lost by the
// answer to the sum.
func (s *storm) asked(waiting int) {
	s.t.Helper()
	alone, summed, deny, err := StormDesk(s.t.Context(), s.bus, s.control)
	if err != nil || alone != 100 || summed != waiting-100 || summed < 1 {
		s.t.Fatalf("of %d that wait %d are asked one by one, %d in sum (%v)", waiting, alone, summed, err)
	}
	told, err := deny()
	if err != nil || told != summed {
		s.t.Fatalf("the answer to %d in sum is one to %d (%v)", summed, told, err)
	}
	wait.Until(s.t, "just those of the sum are denied", func() bool {
		states := s.states()
		return states[event.RunAwaiting] == alone && states[event.RunDenied] == summed && states[event.RunHolding] == 10
	})
}

func newStorm(t *testing.T, pods int) *storm {
	b, err := bus.Open(t.Context(), bus.Options{Dir: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	s := &storm{t: t, bus: b, plane: newPlane(), control: NewControl(b, event.ModeAct), book: parse(t, stormBook), most: map[string]int{}}
	for i := range 50 {
		s.plane.node(fmt.Sprint("n", i), nil)
	}
	for i := range pods {
		s.plane.pod(fmt.Sprint("ns", i%40), fmt.Sprint("p", i), func(p *corev1.Pod) { p.Spec.NodeName = fmt.Sprint("n", i%50) })
	}
	s.plane.landed = s.landed
	t.Cleanup(func() {
		for _, stop := range s.stops {
			stop()
		}
		s.ended.Wait()
		_ = b.Close()
	})
	return s
}

// landed counts what stands after each write. The plane is locked.
func (s *storm) landed(w event.Write) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.writes++
	by := map[string]int{}
	for _, p := range s.plane.pods {
		if p.Labels[action.HoldKey] == "" {
			continue
		}
		by["cluster"]++
		by["namespace "+p.Namespace]++
		by["node "+p.Spec.NodeName]++
		by["source "+p.Annotations["test-source"]]++
	}
	for what, n := range by {
		s.most[what] = max(s.most[what], n)
	}
}

// begin starts a responder with guards and a ledger of its own.
func (s *storm) begin() {
	s.t.Helper()
	ctx, stop := context.WithCancel(s.t.Context())
	limits := guard.DefaultLimits()
	// How fast is tested elsewhere; here they race for what there is at a time.
	limits.Canary, limits.Budgets.EffectsPerMinute, limits.Budgets.Burst, limits.Budgets.RunsPerHour = 0, 100_000, 100_000, 100_000
	logger := slog.New(slog.DiscardHandler)
	w, err := NewWorker(ctx, WorkerOptions{
		Bus: s.bus, Books: []*Playbook{s.book}, Control: s.control, Telemetry: telemetry.Nop(), Logger: logger, Alone: true,
		Executor: &Executor{Deps: action.Deps{Cluster: s.plane, Logger: logger}, Guards: guard.New(guard.Options{
			Control: s.control, Cluster: s.plane, Ledger: guard.NewLedger(s.bus.Control()), Limits: limits,
		})},
	})
	if err != nil {
		s.t.Fatal(err)
	}
	s.stops = append(s.stops, stop)
	s.ended.Go(func() {
		if err := w.Run(ctx); err != nil && !errors.Is(err, context.Canceled) {
			s.t.Errorf("responder: %v", err)
		}
	})
}

func (s *storm) end(i int) {
	s.stops[i]()
	s.stops = append(s.stops[:i], s.stops[i+1:]...)
}

// publish stores the finding about one pod, and that it came so often again.
func (s *storm) publish(i, again int) {
	s.t.Helper()
	sources := []event.Source{event.SourceFalco, event.SourceAudit, "a", "b", "c"}
	f := finding("shell", fmt.Sprint("p", i), i)
	f.Subject.Namespace, f.Subject.UID = fmt.Sprint("ns", i%40), string(types.UID(fmt.Sprintf("uid-ns%d-p%d", i%40, i)))
	f.Severity = event.SeverityCritical
	f.Source, f.ID = sources[i%len(sources)], event.FindingID("shell", fmt.Sprint(i), "storm")
	s.plane.mu.Lock()
	pod := s.plane.pods[f.Subject.Namespace+"/"+f.Subject.Name]
	pod.Annotations = map[string]string{"test-source": string(f.Source)}
	s.plane.mu.Unlock()
	store := func(subject string, v any) {
		data, err := json.Marshal(v)
		if err != nil {
			s.t.Fatal(err)
		}
		if _, err := s.bus.Publish(s.t.Context(), subject, data); err != nil {
			s.t.Fatal(err)
		}
	}
	store(bus.SubjectFinding(f.ID), f)
	for n := range min(again, 3) {
		store(bus.SubjectFindingCount(f.ID), event.FindingCount{Finding: f.ID, Count: uint64((n + 1) * again), Last: f.Time})
	}
}

// rest waits until every run either holds or waits for people.
func (s *storm) rest(pods int) map[event.RunState]int {
	s.t.Helper()
	limit := time.After(10 * time.Minute)
	tick := time.NewTicker(200 * time.Millisecond)
	defer tick.Stop()
	for {
		states := s.states()
		if states[event.RunHolding]+states[event.RunAwaiting] == pods {
			return states
		}
		select {
		case <-tick.C:
		case <-limit:
			s.t.Fatalf("runs are %v after ten minutes", states)
		}
	}
}

// states are how many runs are in each.
func (s *storm) states() map[event.RunState]int {
	s.t.Helper()
	states := map[event.RunState]int{}
	for rec, err := range runlog.New(s.bus, 0).All(s.t.Context()) {
		if err != nil {
			s.t.Fatal(err)
		}
		states[rec.Run.State]++
	}
	return states
}

func (s *storm) check(pods int, states map[event.RunState]int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for what, n := range s.most {
		if bound := 3; what != "cluster" && n > bound || n > 10 {
			s.t.Errorf("%d pods were held at a time for %s", n, what)
		}
	}
	if s.most["cluster"] != 10 || states[event.RunHolding] != 10 {
		s.t.Errorf("at most %d were held, %d are: want 10", s.most["cluster"], states[event.RunHolding])
	}
	var m runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&m)
	s.t.Logf("%d pods: runs %v; %d writes, at most %d held at a time; heap %d MiB", pods, states, s.writes, s.most["cluster"], m.HeapAlloc>>20)
}
