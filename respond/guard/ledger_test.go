package guard

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/firebreak-io/firebreak/internal/bus"
	"github.com/firebreak-io/firebreak/internal/event"
)

// memory is a store with compare-and-set, shared by any number of responders.
type memory struct {
	mu       sync.Mutex
	value    []byte
	revision uint64
	err      error
	writes   int
	// written is called with each value, in order.
	written func([]byte)
}

func (m *memory) Get(context.Context, string) ([]byte, uint64, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	switch {
	case m.err != nil:
		return nil, 0, m.err
	case m.revision == 0:
		return nil, 0, bus.ErrNotFound
	}
	return m.value, m.revision, nil
}

func (m *memory) CompareAndSet(_ context.Context, _ string, value []byte, revision uint64) (uint64, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	switch {
	case m.err != nil:
		return 0, m.err
	case revision != m.revision:
		return 0, bus.ErrConflict
	}
	m.value, m.revision = value, m.revision+1
	m.writes++
	if m.written != nil {
		m.written(value)
	}
	return m.revision, nil
}

// written is a ledger with this book.
func written(t *testing.T, b Book) *Ledger {
	t.Helper()
	data, err := json.Marshal(b)
	if err != nil {
		t.Fatal(err)
	}
	return NewLedger(&memory{value: data, revision: 1})
}

func read(t interface{ Fatal(...any) }, m *memory) *Book {
	b, err := NewLedger(m).load(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// attempt is a run that wants to act on a pod of its own.
func attempt(w *world, n int) Check {
	c := w.check
	c.Run.ID, c.Run.Record = fmt.Sprintf("run%d", n), 2
	c.Plan.Target.UID, c.Plan.Target.Name = fmt.Sprintf("uid%d", n), fmt.Sprintf("pod%d", n)
	c.Plan.Target.Namespace = fmt.Sprintf("ns%d", n%40)
	c.Plan.Target.Node = fmt.Sprintf("n%d", n%50)
	c.Run.Target = c.Plan.Target
	c.Run.Finding.Source = event.Source(fmt.Sprintf("s%d", n%7))
	c.Run.Version = fmt.Sprint("v", n)
	c.Plan.Writes = []event.Write{{Verb: "patch", Resource: "pods", Namespace: c.Plan.Target.Namespace, Name: c.Plan.Target.Name, UID: c.Plan.Target.UID, ResourceVersion: "1"}}
	return c
}

// TestEnginesRace lets many responders, each with a ledger of its own over the
// same store, go for the same places at once: at no write are there more than
// the budget has, and none of the places is left.
func TestEnginesRace(t *testing.T) {
	const engines, each = 8, 60
	w := good()
	store := &memory{}
	most := 0
	store.written = func(data []byte) {
		var b Book
		if err := json.Unmarshal(data, &b); err != nil {
			t.Error(err)
		}
		most = max(most, b.count(func(e Entry) bool { return e.stands() }))
	}
	w.o.Limits = DefaultLimits()
	w.o.Limits.Budgets.EffectsPerMinute, w.o.Limits.Budgets.Burst = 1_000_000, 1_000_000
	var won [engines]int
	var all sync.WaitGroup
	for i := range engines {
		all.Go(func() {
			o := w.o
			o.Ledger = NewLedger(store)
			s := New(o)
			for n := range each {
				c := attempt(w, i*each+n)
				if _, r := s.Take(t.Context(), c, s.Judge(t.Context(), c)); r != nil {
					won[i]++
				}
			}
		})
	}
	all.Wait()
	b := read(t, store)
	if most != 10 || len(b.Entries) != 10 {
		t.Errorf("%d places were taken at a time, %d at last; want 10", most, len(b.Entries))
	}
	t.Logf("%d writes, places by engine %v", store.writes, won)
}

// TestBudgetsHold takes and gives back in any order, with the standard limits:
// the bounds hold after each move, and whoever has a place keeps it.
func TestBudgetsHold(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		w := good()
		store := &memory{}
		w.o.Limits = DefaultLimits()
		at := now
		engines := []*Set{}
		for range 3 {
			o := w.o
			o.Ledger = NewLedger(store)
			engines = append(engines, New(o))
		}
		for range rapid.IntRange(1, 60).Draw(t, "moves") {
			at = at.Add(time.Duration(rapid.IntRange(0, 20).Draw(t, "seconds")) * time.Second)
			c := attempt(w, rapid.IntRange(0, 30).Draw(t, "run"))
			c.Now, c.Run.Finding.Time, c.Run.Finding.Received = at, at, at
			s := engines[rapid.IntRange(0, 2).Draw(t, "engine")]
			if rapid.IntRange(0, 3).Draw(t, "end") == 0 {
				c.Run.State = event.RunClosed
				if err := s.Settle(context.Background(), c.Run, at); err != nil {
					t.Fatal(err)
				}
				continue
			}
			s.Take(context.Background(), c, s.Judge(context.Background(), c))
			b := read(t, store)
			by := map[string]int{}
			for _, e := range b.Entries {
				if e.stands() {
					by["all"]++
					by["ns "+e.Namespace]++
					by["node "+e.Node]++
					by["source "+string(e.Source)]++
				}
			}
			for key, n := range by {
				if bound := 3; key != "all" && n > bound || n > 10 {
					t.Fatalf("%d standing for %s", n, key)
				}
			}
			if n := b.count(func(e Entry) bool { return at.Sub(e.Taken) < time.Minute }); n > 15 {
				t.Fatalf("%d effects within a minute", n)
			}
		}
	})
}

// TestPlacesAreFreed: a place is free again only when the records say that
// nothing stands, and that whoever took it can't use it any more.
func TestPlacesAreFreed(t *testing.T) {
	for name, tt := range map[string]struct {
		change func(*event.Run)
		free   bool
	}{
		"taken, and nothing recorded since":      {func(*event.Run) {}, false},
		"recorded since, and not begun":          {func(r *event.Run) { r.Record = 3 }, true},
		"the intent":                             {func(r *event.Run) { r.Record = 3; r.Steps[0].State, r.Steps[0].Begun = event.StepIntent, true }, false},
		"to be tried again":                      {func(r *event.Run) { r.Record = 4; r.Steps[0].State, r.Steps[0].Begun = event.StepPlanned, true }, false},
		"holding":                                {func(r *event.Run) { r.Record = 4; r.Steps[0].State, r.Steps[0].Until = event.StepDone, &now }, false},
		"done, and it has no end":                {func(r *event.Run) { r.Record = 4; r.Steps[0].State = event.StepDone }, true},
		"reverting":                              {func(r *event.Run) { r.Record = 5; r.Steps[0].State = event.StepReverting }, false},
		"reverted":                               {func(r *event.Run) { r.Record = 6; r.Steps[0].State = event.StepReverted }, true},
		"over":                                   {func(r *event.Run) { r.State = event.RunFailed }, true},
		"another run":                            {func(r *event.Run) { r.ID, r.Record, r.State = "other", 9, event.RunClosed }, false},
		"a step that the playbook no longer has": {func(r *event.Run) { r.Record, r.Steps[0].Name = 3, "gone" }, true},
	} {
		t.Run(name, func(t *testing.T) {
			w, store := good(), &memory{}
			w.o.Ledger = NewLedger(store)
			s, c := New(w.o), attempt(w, 1)
			if _, r := s.Take(t.Context(), c, s.Judge(t.Context(), c)); r == nil {
				t.Fatal("no place")
			}
			run := c.Run
			run.Steps = slices.Clone(run.Steps)
			tt.change(&run)
			if err := s.Settle(t.Context(), run, now); err != nil {
				t.Fatal(err)
			}
			kept, err := s.Kept(t.Context(), c)
			if err != nil || kept == tt.free {
				t.Errorf("kept is %v (%v), want free %v", kept, err, tt.free)
			}
		})
	}
}

// TestLostLedger: what stands by the records has its place again, also when it
// is more than the budget; and what can't be read or written holds back.
func TestLostLedger(t *testing.T) {
	w, store := good(), &memory{}
	w.o.Ledger = NewLedger(store)
	s := New(w.o)
	var runs []event.Run
	for n := range 12 {
		c := attempt(w, n)
		plan := c.Plan
		c.Run.Steps = []event.Step{{
			Name: "isolate", State: event.StepDone, Begun: true, Until: &now, Plan: &plan,
			Reserved: &event.Reservation{Budget: BudgetPods, Taken: now.Add(-time.Hour), Controller: "rs"},
		}}
		runs = append(runs, c.Run)
	}
	for range 2 { // a second time changes nothing
		if err := s.Restore(t.Context(), runs, now); err != nil {
			t.Fatal(err)
		}
	}
	if b := read(t, store); len(b.Entries) != 12 || b.Entries[0].Controller != "rs" || store.writes != 1 {
		t.Fatalf("%d entries after %d writes", len(b.Entries), store.writes)
	}
	c := attempt(w, 20)
	if v, r := s.Take(t.Context(), c, s.Judge(t.Context(), c)); r != nil {
		t.Errorf("a place was taken: %v", v)
	}
	c.Approved, c.Yes = true, 1
	if _, r := s.Take(t.Context(), c, s.Judge(t.Context(), c)); r != nil {
		t.Error("one person let it be over a budget, which takes two")
	}
	c.Yes = 2
	if _, r := s.Take(t.Context(), c, s.Judge(t.Context(), c)); r == nil || !r.Approved {
		t.Error("what people approved has no place")
	}
	store.err = errors.New("away")
	o := w.o
	o.Ledger = NewLedger(store)
	s = New(o)
	verdicts := s.Judge(t.Context(), c)
	if stands(verdicts, c) {
		t.Error("passes although the ledger can't be read")
	}
	if kept, err := s.Kept(t.Context(), c); kept || err == nil {
		t.Errorf("kept is %v, %v", kept, err)
	}
}

// TestBookIsBounded: what is over is forgotten, what stands never is.
func TestBookIsBounded(t *testing.T) {
	b := &Book{Canaries: map[string]*Canary{}}
	for n := range 3 * maxEntries {
		e := Entry{Key: fmt.Sprint(n), Taken: now}
		if n%10 != 0 {
			e.Ended = &now
		}
		b.Entries = append(b.Entries, e)
		b.Canaries[fmt.Sprint(n)] = &Canary{Since: now.Add(time.Duration(n))}
	}
	b.tidy(now)
	if n := b.count(Entry.stands); n != (3*maxEntries+9)/10 || len(b.Entries) != maxEntries || len(b.Canaries) != maxCanaries {
		t.Errorf("%d entries, %d of them stand; %d canaries", len(b.Entries), n, len(b.Canaries))
	}
	b.tidy(now.Add(2 * time.Hour))
	if len(b.Entries) != b.count(Entry.stands) {
		t.Errorf("%d entries after two hours", len(b.Entries))
	}
}

// TestLimitsCheck: nonsense has the name of its key.
func TestLimitsCheck(t *testing.T) {
	if err := errors.Join(DefaultLimits().Check(), Unlimited().Check()); err != nil {
		t.Fatal(err)
	}
	for key, change := range map[string]func(*Limits){
		"budgets.pods:":               func(l *Limits) { l.Budgets.Pods = 0 },
		"budgets.pods_per_namespace:": func(l *Limits) { l.Budgets.PodsPerNamespace = 11 },
		"budgets.share:":              func(l *Limits) { l.Budgets.Share = 1.5 },
		"budgets.burst:":              func(l *Limits) { l.Budgets.Burst = -1 },
		"budgets.reserve:":            func(l *Limits) { l.Budgets.Reserve = 1 },
		"eyes.need:":                  func(l *Limits) { l.Eyes.Need = 0 },
		"eyes.pods:":                  func(l *Limits) { l.Eyes.Pods = -1 },
		"eyes.production:":            func(l *Limits) { l.Eyes.Production = []string{"prod"} },
		"health.lag:":                 func(l *Limits) { l.Health.Lag = 0 },
		"hold:":                       func(l *Limits) { l.Hold = l.Hold * 2 },
		"cooldown:":                   func(l *Limits) { l.Cooldown = -1 },
		"release:":                    func(l *Limits) { l.Release = 3 },
	} {
		l := DefaultLimits()
		change(&l)
		if err := l.Check(); err == nil || err.Error()[:len(key)] != key {
			t.Errorf("%s %v", key, err)
		}
	}
}
