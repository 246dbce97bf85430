package respond

import (
	"cmp"
	"context"
	"errors"
	"fmt"
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
)

const (
	// maxEffects is how many steps are planned or carried out at a time, of
	// those with an effect, and as many again of those that only tell people; see
	// [lanes].
	maxEffects = 16
	// maxInputs is how many inputs may wait for one run.
	maxInputs = 256
)

// WorkerOptions are what a responder works with.
type WorkerOptions struct {
	Bus       *bus.Bus
	Books     []*Playbook
	Executor  *Executor
	Control   *Control
	Telemetry *telemetry.Telemetry
	Logger    *slog.Logger
	// Alone says that no other responder can be there, since the store is
	// embedded: the lease is taken without waiting for another's to run out.
	Alone bool
	// Trust are the rules by which playbooks are raised and lowered; the zero
	// value is [DefaultTrustRules].
	Trust TrustRules
	// People are what is asked of people who decide; the zero value is
	// [DefaultPeopleRules].
	People PeopleRules
	// Archive says when runs that are over leave the run log; the zero value is
	// [DefaultArchiveRules].
	Archive ArchiveRules
	// Importance is what the config says of a finding's subject; nil says
	// nothing.
	Importance func(event.Ref) event.Importance
	// Reconcile is how often the cluster is compared with the record (0 is
	// 10 s), Orphan how long what no run holds is left (0 is a minute).
	Reconcile, Orphan time.Duration
	// Beside are what runs while this responder is the active one. One that ends
	// is begun again: it takes nothing else with it.
	Beside []func(context.Context) error
	// Now is the clock; nil is time.Now in UTC.
	Now func() time.Time
}

// Worker is the responder: it turns findings into incidents and runs, and
// moves the runs. Of several one is active, by a lease; the others stand by and
// take over when it ends. Make one with [NewWorker] and call [Worker.Run] once.
type Worker struct {
	lease      *lease
	rules      TrustRules
	people     PeopleRules
	archiving  ArchiveRules
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
	log       *RunLog
	incidents *incidents
	lanes     lanes
	rush      rush
	ready     atomic.Bool
	reader    atomic.Pointer[bus.Reader]

	mu      sync.Mutex
	runners map[string]*runner
	booksOf compiled
	// live are the newest records of the runs that runners move, about their ids
	// by the UID of what they are about.
	live   map[string]event.Run
	about  map[string]map[string]bool
	states map[event.RunState]int
	group  *errgroup.Group
}

// NewWorker makes a responder that does nothing yet.
func NewWorker(_ context.Context, o WorkerOptions) (*Worker, error) {
	if o.Bus == nil || o.Executor == nil || o.Control == nil {
		return nil, errors.New("start responder: a store, an executor and a control are needed")
	}
	w := &Worker{
		bus: o.Bus, books: o.Books, executor: o.Executor, control: o.Control, tel: o.Telemetry, logger: o.Logger,
		clock: o.Now, beside: o.Beside, rules: cmp.Or(o.Trust, DefaultTrustRules()), archiving: cmp.Or(o.Archive, DefaultArchiveRules()), people: cmp.Or(o.People, DefaultPeopleRules()), importance: o.Importance, reconcile: cmp.Or(o.Reconcile, reconcileEvery), orphan: cmp.Or(o.Orphan, orphanAge), lanes: newLanes(),
	}
	w.books = slices.SortedStableFunc(slices.Values(o.Books), func(a, b *Playbook) int {
		return cmp.Or(cmp.Compare(a.Order, b.Order), cmp.Compare(a.Name, b.Name))
	})
	if w.clock == nil {
		w.clock = func() time.Time { return time.Now().UTC() }
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
	w.about = map[string]map[string]bool{}
	w.log = NewRunLog(w.bus, epoch)
	w.incidents = &incidents{bus: w.bus}
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

// Run waits for the lease, goes on with all open runs, and then takes findings
// and inputs until ctx ends. What is under way then is gone on with at the next
// start. When the lease is lost, everything stops and it waits for it again. So
// it does, after a while, when the store could not be read or written: a
// responder that ends is of no use to anybody. It returns an error only when the
// store was closed.
func (w *Worker) Run(ctx context.Context) error {
	wait := minRest
	for {
		w.standby.Store(!w.lease.alone)
		epoch, err := w.lease.take(ctx, w.logger)
		w.standby.Store(false)
		if err != nil {
			return ended(ctx, err)
		}
		began := time.Now()
		err = w.term(ctx, epoch)
		w.ready.Store(false)
		switch {
		case errors.Is(err, errLeaseLost):
			w.logger.Warn("no longer the active responder", "epoch", epoch, "error", err)
			continue
		case err == nil || ctx.Err() != nil || errors.Is(err, bus.ErrClosed):
			w.lease.let(ctx)
			return ended(ctx, err)
		}
		w.lease.let(ctx) // somebody else may fare better
		if time.Since(began) > maxRest {
			wait = minRest
		}
		w.logger.Error("the responder begins anew", "epoch", epoch, "in", wait.String(), "error", err)
		if err := sleep(ctx, wait); err != nil {
			return nil
		}
		wait = min(2*wait, maxRest)
	}
}

// minRest and maxRest are how long a responder rests before it begins anew.
const minRest, maxRest = 500 * time.Millisecond, 30 * time.Second

// ended is err, but nothing where it only says that ctx has ended.
func ended(ctx context.Context, err error) error {
	if ctx.Err() != nil && errors.Is(err, context.Canceled) {
		return nil
	}
	return err
}

// term works under one lease, and ends with it.
func (w *Worker) term(ctx context.Context, epoch uint64) error {
	began := time.Now()
	w.begin(epoch)
	group, ctx := errgroup.WithContext(ctx)
	w.group = group
	group.Go(func() error { return w.lease.hold(ctx) })
	err := w.resume(ctx)
	group.Go(func() error { return w.tidy(ctx) })
	group.Go(func() error { return w.trust(ctx) })
	group.Go(func() error { return w.reviews(ctx) })
	group.Go(func() error { return w.archive(ctx) })
	if err == nil {
		err = w.follow(ctx, "cursor.inputs", w.inputs)
	}
	if err == nil {
		err = w.follow(ctx, "cursor.findings", w.findings)
	}
	if err != nil {
		group.Go(func() error { return err }) // which ends what runs already
	} else {
		group.Go(func() error { return w.tend(ctx) })
		for _, run := range w.beside {
			group.Go(func() error { return w.again(ctx, run) })
		}
		group.Go(func() error { return newReconciler(w, w.orphan).run(ctx, w.reconcile) })
		w.logger.Info("the active responder", "epoch", epoch, "after", time.Since(began).String())
	}
	w.ready.Store(err == nil)
	return group.Wait()
}

// again runs what goes beside, and begins it again when it ends.
func (w *Worker) again(ctx context.Context, run func(context.Context) error) error {
	for {
		err := run(ctx)
		if ctx.Err() != nil {
			return nil
		}
		w.logger.Warn("what runs beside the responder ended; beginning it again", "error", err)
		if sleep(ctx, 2*time.Second) != nil {
			return nil
		}
	}
}

// tend keeps the incidents in line with their runs and with the time.
func (w *Worker) tend(ctx context.Context) error {
	const often, whole = 200 * time.Millisecond, 30 * time.Second
	swept := time.Now()
	for {
		if err := sleep(ctx, often); err != nil {
			return nil
		}
		w.rush.yield(ctx, maxYield)
		all := time.Since(swept) >= whole
		if all {
			swept = time.Now()
		}
		if err := w.incidents.sweep(ctx, w.now(), all); err != nil && ctx.Err() == nil {
			w.logger.Warn("incidents do not show the newest of their runs yet", "error", err)
		}
	}
}

// follow works off a stream from where its cursor stands.
func (w *Worker) follow(ctx context.Context, key string, work func(context.Context, *cursor) error) error {
	at, err := openCursor(ctx, w.bus.Control(), key)
	if err != nil {
		return err
	}
	w.group.Go(func() error {
		at.keep(ctx, func(err error) { w.logger.Warn("the position was not saved", "error", err) })
		return nil
	})
	w.group.Go(func() error { return work(ctx, at) })
	return nil
}

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

func (w *Worker) resume(ctx context.Context) error {
	if err := w.incidents.load(ctx); err != nil {
		return err
	}
	open, recs := 0, []Record{}
	var runs []event.Run
	index, read, err := readIndex(ctx, w.bus)
	if err != nil {
		return fmt.Errorf("resume runs: %w", err)
	}
	w.mu.Lock()
	for state, n := range index.Over {
		w.states[state] += n
	}
	w.mu.Unlock()
	records, err := index.load(ctx, w.log)
	if err != nil {
		return fmt.Errorf("resume runs: %w", err)
	}
	for _, rec := range records {
		w.count("", rec.Run.State)
		w.incidents.note(rec.Run)
		if rec.Run.State.Terminal() {
			continue
		}
		open++
		recs, runs = append(recs, rec), append(runs, rec.Run)
	}
	// The places of what stands come first: nothing may begin in them.
	if err := w.executor.Guards.Restore(ctx, runs, w.now()); err != nil {
		return fmt.Errorf("resume runs: %w", err)
	}
	for _, rec := range recs {
		w.start(ctx, rec)
	}
	w.group.Go(func() error { return w.index(ctx, index) })
	w.logger.Info("resumed", "open_runs", open, "records_read", read+len(index.Runs), "open_incidents", len(w.incidents.open), "epoch", w.log.epoch)
	return nil
}

// adopt gives the runner of a run, which may have been begun by another
// responder, or by a write of ours whose answer was lost. It is nil for a run
// that is over; [bus.ErrNotFound] says that there is none, [ErrStale] that a
// newer responder has it.
func (w *Worker) adopt(ctx context.Context, id string) (*runner, error) {
	w.mu.Lock()
	r := w.runners[id]
	w.mu.Unlock()
	if r != nil {
		return r, nil
	}
	rec, err := w.log.Load(ctx, id)
	if err != nil {
		return nil, err
	}
	if rec.Run.Epoch > w.log.epoch {
		return nil, fmt.Errorf("run %s: %w", id, ErrStale)
	}
	return w.start(ctx, rec), nil
}

// start begins to move a run, unless this process does so already. It gives
// the run's runner, or nil when it is over.
func (w *Worker) start(ctx context.Context, rec Record) *runner {
	w.mu.Lock()
	defer w.mu.Unlock()
	if r := w.runners[rec.Run.ID]; r != nil || rec.Run.State.Terminal() {
		return r
	}
	r := newRunner(w, rec)
	w.runners[rec.Run.ID] = r
	w.attend(rec.Run)
	ctx = rec.message.Context(ctx)
	w.group.Go(func() error {
		defer w.forget(r)
		return w.move(ctx, r)
	})
	return r
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

// tellLost tells a run of a hold that was taken off. One that is busy is told
// in the next round.
func (w *Worker) tellLost(id string, l Lost) {
	w.mu.Lock()
	r := w.runners[id]
	w.mu.Unlock()
	if r == nil {
		return
	}
	select {
	case r.lost <- l:
	default:
	}
}

// forget ends a runner. What was said to a run that is over needs no answer;
// what was said to one that somebody else moves stays unread for the next start.
func (w *Worker) forget(r *runner) {
	w.mu.Lock()
	delete(w.runners, r.rec.Run.ID)
	w.unattend(r.rec.Run)
	w.mu.Unlock()
	close(r.over)
	for {
		select {
		case d := <-r.inputs:
			r.late(d)
		default:
			return
		}
	}
}

// late is for an input that came when its runner had ended.
func (r *runner) late(d delivery) {
	if r.rec.Run.State.Terminal() {
		d.taken()
	}
}

// move moves one run to its end. A run that can't be moved now (the store is
// away) is tried again; one that another responder owns is left alone.
func (w *Worker) move(ctx context.Context, r *runner) error {
	book, err := w.booksOf.read(r.rec.Run)
	if err != nil {
		w.logger.Error("a run's own playbook can't be read; it stays where it is", "run", r.rec.Run.ID, "error", err)
		return nil
	}
	r.book = book
	ctx, cancel := context.WithCancel(ctx)
	defer r.join()
	defer cancel()
	for wait := 100 * time.Millisecond; ; wait = min(2*wait, 10*time.Second) {
		err := r.run(ctx)
		switch {
		case err == nil:
			return nil
		case ctx.Err() != nil:
			return ctx.Err()
		case errors.Is(err, ErrStale):
			w.logger.Warn("left to another responder", "run", r.rec.Run.ID)
			return nil
		}
		w.logger.Error("move run", "run", r.rec.Run.ID, "error", err)
		if err := sleep(ctx, wait); err != nil {
			return err
		}
	}
}

func sleep(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-t.C:
		return nil
	}
}
