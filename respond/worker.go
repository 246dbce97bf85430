package respond

import (
	"cmp"
	"context"
	"errors"
	"log/slog"
	"maps"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/firebreak-io/firebreak/internal/bus"
	"github.com/firebreak-io/firebreak/internal/event"
	"github.com/firebreak-io/firebreak/internal/telemetry"
	"github.com/firebreak-io/firebreak/respond/incident"
	"github.com/firebreak-io/firebreak/respond/runlog"
)

const (
	// maxEffects is how many steps are planned or carried out at a time, of
	// those with an effect, and as many again of those that only tell people; see
	// [lanes].
	maxEffects = 16
	// maxInputs is how many inputs may wait for one run.
	maxInputs = 256
)

// Worker is the responder: it turns findings into incidents and runs, and
// moves the runs. Of several one is active, by a lease; the others stand by and
// take over when it ends. Make one with [NewWorker] and call [Worker.Run] once.
type Worker struct {
	lease      *lease
	rules      TrustRules
	people     PeopleRules
	archiving  runlog.ArchiveRules
	importance func(event.Ref) event.Importance
	standby    atomic.Bool
	beside     []func(context.Context) error
	reconcile  time.Duration
	orphan     time.Duration

	bus       *bus.Bus
	books     []*Playbook
	executor  *Executor
	control   *Control
	tel       *telemetry.Telemetry
	logger    *slog.Logger
	clock     func() time.Time
	log       *runlog.Log
	incidents *incident.Store
	lanes     lanes
	rush      rush
	ready     atomic.Bool
	reader    atomic.Pointer[bus.Reader]

	mu      sync.Mutex
	runners map[string]*runner
	booksOf compiled
	// live are the newest records of the runs that runners move, about their ids
	// by the UID of what they are about.
	live  map[string]event.Run
	about map[string]map[string]bool
	// claims are runs that are not stored yet, by the same; firstFor is [firstFor].
	claims   map[string]*early
	firstFor time.Duration
	states   map[event.RunState]int
	group    *errgroup.Group
}

// NewWorker makes a responder that does nothing yet.
func NewWorker(_ context.Context, o WorkerOptions) (*Worker, error) {
	if o.Bus == nil || o.Executor == nil || o.Control == nil {
		return nil, errors.New("start responder: a store, an executor and a control are needed")
	}
	w := &Worker{
		bus: o.Bus, books: o.Books, executor: o.Executor, control: o.Control, tel: o.Telemetry, logger: o.Logger,
		clock: o.Now, beside: o.Beside, rules: cmp.Or(o.Trust, DefaultTrustRules()), archiving: cmp.Or(o.Archive, runlog.DefaultArchiveRules()), people: cmp.Or(o.People, DefaultPeopleRules()), importance: o.Importance, reconcile: cmp.Or(o.Reconcile, reconcileEvery), orphan: cmp.Or(o.Orphan, orphanAge), lanes: newLanes(), firstFor: firstFor,
	}
	w.books = slices.SortedStableFunc(slices.Values(o.Books), func(a, b *Playbook) int {
		return cmp.Or(cmp.Compare(a.Order, b.Order), cmp.Compare(a.Name, b.Name))
	})
	if w.clock == nil {
		w.clock = func() time.Time { return time.Now().UTC() }
	}
	if o.Executor.Asked == nil {
		o.Executor.Asked = w.asked
	}
	w.lease = &lease{kv: o.Bus.Control(), alone: o.Alone, clock: w.now}
	w.begin(0)
	return w, nil
}

// begin empties the worker for a term under the given epoch. Nothing of a term
// before may be running.
func (w *Worker) begin(epoch uint64) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.runners, w.states, w.live = map[string]*runner{}, map[event.RunState]int{}, map[string]event.Run{}
	w.about, w.claims = map[string]map[string]bool{}, map[string]*early{}
	w.log = runlog.New(w.bus, epoch)
	w.incidents = incident.NewStore(w.bus)
}

func (w *Worker) now() time.Time { return w.clock() }

// Ready says that the open runs have been read and findings are being taken, or
// that another responder does so. It is a health check.
func (w *Worker) Ready(context.Context) error {
	if !w.ready.Load() && !w.standby.Load() {
		return errors.New("reading the open runs")
	}
	return nil
}

// Active says whether this responder is the one that acts.
func (w *Worker) Active() bool { return w.ready.Load() }

// Lag is how many findings are not taken yet.
func (w *Worker) Lag(ctx context.Context) (uint64, error) {
	if r := w.reader.Load(); r != nil {
		return r.Pending(ctx)
	}
	return 0, nil
}

// Counts are how many runs are in each state.
func (w *Worker) Counts() map[event.RunState]int {
	w.mu.Lock()
	defer w.mu.Unlock()
	return maps.Clone(w.states)
}

func (w *Worker) count(from, to event.RunState) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if from != "" {
		w.states[from]--
	}
	w.states[to]++
}

// liveRun is the newest record of a run that is moved here.
func (w *Worker) liveRun(id string) (event.Run, bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	run, ok := w.live[id]
	return run, ok
}

func (w *Worker) liveRuns() []event.Run {
	w.mu.Lock()
	defer w.mu.Unlock()
	return slices.Collect(maps.Values(w.live))
}
