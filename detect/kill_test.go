package detect

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"maps"
	"math/rand/v2"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/firebreak-io/firebreak/internal/bus"
	"github.com/firebreak-io/firebreak/internal/event"
	"github.com/firebreak-io/firebreak/internal/telemetry"
)

var errKilled = errors.New("killed")

// mortal dies after so many writes: nothing that comes later is stored. Of the
// one at which it dies nobody knows whether it was.
type mortal struct {
	*bus.Bus
	kept   *bus.Snapshots
	mu     sync.Mutex // snapshots are stored beside findings
	left   int
	stores bool
	// piece is how much of a snapshot is written after a frame.
	piece int
}

func (m *mortal) write(do func() error) error {
	m.mu.Lock()
	m.left--
	left := m.left
	m.mu.Unlock()
	if left >= 0 {
		return do()
	}
	if left == -1 && m.stores {
		_ = do()
	}
	return fmt.Errorf("%w: %w", errKilled, bus.ErrClosed)
}

func (m *mortal) Create(ctx context.Context, subject string, data []byte) (seq uint64, err error) {
	err = m.write(func() (err error) { seq, err = m.Bus.Create(ctx, subject, data); return err })
	return seq, err
}

func (m *mortal) CreateAll(ctx context.Context, records []bus.Record) error {
	return m.write(func() error { return m.Bus.CreateAll(ctx, records) })
}

func (m *mortal) Publish(ctx context.Context, subject string, data []byte) (seq uint64, err error) {
	err = m.write(func() (err error) { seq, err = m.Bus.Publish(ctx, subject, data); return err })
	return seq, err
}

func (m *mortal) Get(ctx context.Context, key string) ([]byte, error) { return m.kept.Get(ctx, key) }

func (m *mortal) Put(ctx context.Context, key string, value []byte) error {
	return m.write(func() error { return m.kept.Put(ctx, key, value) })
}

// PutParts may die before any of the parts, and before the end.
func (m *mortal) PutParts(ctx context.Context, key string, parts iter.Seq2[[]byte, error]) error {
	return m.kept.PutParts(ctx, key, func(yield func([]byte, error) bool) {
		for part, err := range parts {
			if err == nil {
				err = m.write(func() error { return nil })
			}
			if !yield(part, err) || err != nil {
				return
			}
		}
		if err := m.write(func() error { return nil }); err != nil {
			yield(nil, err)
		}
	})
}

// mortalOptions let detectors remember little, so that they take room from one
// another.
var mortalOptions = EngineOptions{Horizon: 50, Memory: 36 << 10}

// mortalRules remember something in every way that there is.
func mortalRules(t testing.TB) *RuleSet {
	t.Helper()
	named := func(name, text string) string { return strings.Replace(text, "mine", name, 1) + "---\n" }
	set, err := ruleSet(t, named("swept", swept)+named("chain", chain)+
		named("alone", strings.Replace(chain, "secrets\"}", "secrets\", not: true}", 1))+
		named("any", strings.Replace(chain, "within: 10m", "within: 1m\n    order: any", 1))+
		named("storm", ruleStart+"  source: falco\n  when: rule == \"shell\"\n  suppress: {by: [object.uid], for: 1m}\n")+
		named("new", ruleStart+"  source: audit\n  when: first_seen(\"1h/2m\", actor.user, object.namespace)\n")+
		named("plain", ruleStart+"  source: falco\n  when: object.uid == \"p1\"\n")+
		named("burst", ruleStart+"  sources: [falco, audit]\n  when: \"true\"\n  window: {by: [object.uid], over: 10s, having: \"baseline_ratio() > 2 or quantile(len(object.uid), 0.5) > 9\"}\n"))
	if err != nil {
		t.Fatal(err)
	}
	return set
}

// mortalFrames are events that the rules look at, late and in disorder, some of
// them twice, and the time and a silence between them.
func mortalFrames(t testing.TB, random *rand.Rand, frames int) []bus.Message {
	t.Helper()
	var all []bus.Message
	at := dawn
	for i := range frames {
		var events []event.Event
		for j := range 1 + random.IntN(12) {
			at = at.Add(time.Duration(random.IntN(3000)) * time.Millisecond)
			pod := fmt.Sprint("p", random.IntN(4))
			e := alert(pick(random, []string{"shell", "other"}), pod)
			if random.IntN(2) == 0 {
				e = ofPod(pod)
				e.Actor.User, e.Object.Namespace = fmt.Sprint("u", random.IntN(3)), fmt.Sprint("n", random.IntN(6))
			}
			e.ID = fmt.Sprint("e", i, "-", j)
			if random.IntN(8) == 0 {
				e.ID = fmt.Sprint("e", max(0, i-1), "-0")
			}
			e.Received, e.Time = at, at.Add(-time.Duration(random.IntN(60))*time.Second)
			events = append(events, e)
		}
		if random.IntN(10) == 0 {
			at = at.Add(time.Duration(random.IntN(900)) * time.Second)
			events = append(events, event.Control(event.VerbTick, at, fmt.Sprint("tick", i), nil))
		}
		if i == frames/3 {
			events = append(events, event.Silence{ID: "s", When: `rule == "storm"`, Until: at.Add(10 * time.Minute)}.Event(at))
		}
		all = append(all, frame(t, uint64(i+1), events...))
	}
	return all
}

// TestFindingsSurviveKills kills the worker at random places between what it
// stores, and compares what is there in the end with what an engine finds
// undisturbed: all findings to the byte, and how often each came again.
func TestFindingsSurviveKills(t *testing.T) {
	most := 20
	if os.Getenv("FIREBREAK_TORTURE") != "" {
		most = 100
	}
	ctx, cancel := context.WithTimeout(t.Context(), 4*time.Minute)
	defer cancel()
	b, err := bus.Open(ctx, bus.Options{Dir: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	defer b.Close()
	set, random := mortalRules(t), rand.New(rand.NewPCG(1, 2))
	frames := mortalFrames(t, random, 300)
	want, engine := map[string]string{}, NewEngine(set, mortalOptions)
	for _, m := range frames {
		if _, err := b.Publish(ctx, bus.SubjectEvents, m.Data); err != nil {
			t.Fatal(err)
		}
		undisturbed(t, engine, m, want)
	}
	kills, resumed, apart := 0, 0, 0
	for {
		store := &mortal{Bus: b, kept: b.Snapshots(), left: 1 << random.IntN(8), stores: random.IntN(2) == 0, piece: []int{1, 1000, 0}[random.IntN(3)]}
		if kills >= most {
			store.left = 1 << 30
		}
		if run(ctx, t, b, set, store, uint64(len(frames))) {
			break
		}
		kills++
		w := &Worker{Engine: NewEngine(set, EngineOptions{}), Snapshots: b.Snapshots(), Telemetry: telemetry.Nop()}
		if s, err := w.load(ctx); err == nil && len(s.state) > 0 {
			resumed++
			if w.Engine.from > s.Sequence+1 {
				apart++
			}
		}
	}
	compare(t, stored(ctx, t, b), want)
	rules := map[string]int{}
	for subject, data := range want {
		for _, d := range set.Detectors() {
			if strings.Contains(data, `"rule":"`+d.Name()+`"`) && !bus.IsFindingCount(subject) {
				rules[d.Name()]++
			}
		}
	}
	t.Logf("%d kills, %d times with a state, %d with detectors of different frames, %d records, memory %+v, findings %v",
		kills, resumed, apart, len(want), engine.Memory(), rules)
	if kills < most || resumed == 0 || apart == 0 || engine.Memory().Evicted == 0 || len(rules) != len(set.Detectors()) {
		t.Errorf("only %d kills, or findings of %v only", kills, rules)
	}
}

// undisturbed folds a frame and adds what a worker would have stored.
func undisturbed(t testing.TB, engine *Engine, m bus.Message, into map[string]string) {
	t.Helper()
	events, err := event.DecodeFrame(m.Data)
	if err != nil {
		t.Fatal(err)
	}
	for j := range events {
		found, _, err := engine.Fold(&events[j], address(m, j, &events[j]))
		if err != nil {
			t.Fatal(err)
		}
		for _, f := range found {
			into[bus.SubjectFinding(f.ID)] = jsonOf(t, f)
		}
	}
	for _, c := range engine.Counts() {
		into[bus.SubjectFindingCount(c.Finding)] = jsonOf(t, c)
	}
}

func stored(ctx context.Context, t testing.TB, b *bus.Bus) map[string]string {
	t.Helper()
	got := map[string]string{}
	for m, err := range b.LastPerSubject(ctx, "find.>") {
		if err != nil {
			t.Fatal(err)
		}
		got[m.Subject] = string(m.Data)
	}
	return got
}

func compare(t *testing.T, got, want map[string]string) {
	t.Helper()
	for _, subject := range slices.Sorted(maps.Keys(want)) {
		if got[subject] != want[subject] {
			t.Errorf("%s is\n%s, want\n%s", subject, got[subject], want[subject])
		}
	}
	for _, subject := range slices.Sorted(maps.Keys(got)) {
		if _, has := want[subject]; !has {
			t.Errorf("%s should not be there: %s", subject, got[subject])
		}
	}
}

// run runs a worker until it has folded all frames or is killed.
func run(ctx context.Context, t *testing.T, b *bus.Bus, set *RuleSet, store *mortal, frames uint64) bool {
	t.Helper()
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	w := &Worker{Engine: NewEngine(set, mortalOptions), Store: store, Snapshots: store}
	w.saves.always = true
	w.saves.piece = store.piece
	w.Open = func(ctx context.Context, from uint64) (Reader, error) {
		r, err := b.Read(ctx, bus.Events, from)
		return until{r, frames, cancel, w}, err
	}
	err := w.Run(ctx)
	if err != nil && !errors.Is(err, errKilled) {
		t.Fatal(err)
	}
	return err == nil
}

// until ends the run when the last frame was folded.
type until struct {
	*bus.Reader
	last uint64
	end  func()
	w    *Worker
}

func (u until) Next(ctx context.Context) (bus.Message, error) {
	if u.w.Stats().Sequence >= u.last {
		u.end()
		return bus.Message{}, context.Canceled
	}
	return u.Reader.Next(ctx)
}
