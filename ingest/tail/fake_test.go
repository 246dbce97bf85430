package tail

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
)

// store keeps what is stored; it fails or blocks when told to.
type store struct {
	mu     sync.Mutex
	texts  []string // all that came, in order
	err    error
	faults map[Fault]int64
	marks  uint64
}

func (s *store) fail(err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.err = err
}

func (s *store) all() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.texts)
}

func (s *store) fault(f Fault) int64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.faults[f]
}

// handler makes a text of each line; a line that ends with \ goes on in the
// next one.
type handler struct {
	store *store
	batch []string
	max   int
}

func (h *handler) Open(group, _, _, state string) Reader {
	return &reader{h: h, group: group, state: state}
}

func (h *handler) Full() bool { return len(h.batch) >= h.max }

func (h *handler) Take() func(context.Context) error {
	if len(h.batch) == 0 {
		return nil
	}
	batch := h.batch
	h.batch = nil
	return func(context.Context) error {
		h.store.mu.Lock()
		defer h.store.mu.Unlock()
		if h.store.err != nil {
			return h.store.err
		}
		h.store.texts = append(h.store.texts, batch...)
		h.store.marks++
		return nil
	}
}

type reader struct {
	h     *handler
	group string
	state string
	text  string
	mark  Mark
	open  bool
}

func (r *reader) Line(l Line) {
	if l.Truncated {
		r.h.batch = append(r.h.batch, fmt.Sprintf("<truncated %d>", l.Lost))
	}
	if !r.open {
		r.mark, r.text = l.Mark, ""
	}
	text := string(l.Text)
	if l.Cut {
		text += "<cut>"
	}
	piece, more := strings.CutSuffix(text, `\`)
	r.text += piece
	if r.open = more; !more {
		r.give()
	}
}

func (r *reader) give() {
	r.open = false
	r.h.batch = append(r.h.batch, r.text)
}

func (r *reader) Idle(time.Time) time.Time { return time.Time{} }

func (r *reader) End() {
	if r.open {
		r.give()
	}
}

func (r *reader) Held() (Mark, string, bool) { return r.mark, "held", r.open }

func (r *reader) State() string { return r.state }

// bench is a directory with a follower that is driven pass by pass.
type bench struct {
	testing.TB
	dir, state string
	store      *store
	o          Options
	t          *Follower
	now        time.Time
}

func newBench(t testing.TB) *bench {
	t.Helper()
	dir := t.TempDir()
	b := &bench{TB: t, dir: filepath.Join(dir, "logs"), state: filepath.Join(dir, "state.json"), store: &store{faults: map[Fault]int64{}}}
	if err := os.MkdirAll(b.dir, 0o755); err != nil {
		t.Fatal(err)
	}
	b.now = time.Now()
	b.o = Options{
		Places: []Place{{Dir: b.dir, Depth: 1, Match: func(rel string) (string, bool) {
			live, _ := Live(rel)
			return live, strings.HasSuffix(live, ".log")
		}}},
		Checkpoint: b.state, PollOnly: true, MaxLine: 1000,
	}
	return b
}

// start opens the follower, as after a start of the process.
func (b *bench) start() {
	b.Helper()
	o := b.o
	o.Handler = &handler{store: b.store, max: 3}
	o.Now = func() time.Time { return b.now }
	o.Count = func(_ context.Context, f Fault, n int64) {
		b.store.mu.Lock()
		defer b.store.mu.Unlock()
		b.store.faults[f] += n
	}
	t, err := New(o)
	if err != nil {
		b.Fatal(err)
	}
	t.ctx = b.Context()
	b.t = t
}

// pass reads all that is there. A truncation takes more than one look.
func (b *bench) pass() {
	b.Helper()
	for range 3 {
		b.look()
		b.t.keep()
	}
}

// look makes one pass, with a look at everything.
func (b *bench) look() {
	b.Helper()
	b.now = b.now.Add(3 * time.Second)
	if err := b.t.pass(b.Context()); err != nil {
		b.Fatal(err)
	}
}

// stop ends the follower: in order, or as a crash does.
func (b *bench) stop(save bool) {
	b.Helper()
	if save {
		b.t.keepLast()
		if b.t.keeper.failed > 0 {
			b.Fatal("the checkpoint was not written")
		}
	}
	b.t.close()
}

func (b *bench) path(name string) string { return filepath.Join(b.dir, name) }

func (b *bench) write(name, text string) {
	b.Helper()
	if err := os.MkdirAll(filepath.Dir(b.path(name)), 0o755); err != nil {
		b.Fatal(err)
	}
	f, err := os.OpenFile(b.path(name), os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o644)
	if err != nil {
		b.Fatal(err)
	}
	defer f.Close()
	if _, err := f.WriteString(text); err != nil {
		b.Fatal(err)
	}
}

func (b *bench) must(err error) {
	b.Helper()
	if err != nil {
		b.Fatal(err)
	}
}

func (b *bench) rename(from, to string) { b.Helper(); b.must(os.Rename(b.path(from), b.path(to))) }

func (b *bench) truncate(name string) { b.Helper(); b.must(os.Truncate(b.path(name), 0)) }

func (b *bench) copy(from, to string) {
	b.Helper()
	data, err := os.ReadFile(b.path(from))
	b.must(err)
	b.must(os.WriteFile(b.path(to), data, 0o644))
}

func (b *bench) want(texts ...string) {
	b.Helper()
	if got := b.store.all(); !slices.Equal(got, texts) {
		b.Errorf("stored %q\nwant   %q", got, texts)
	}
}

var errDown = errors.New("down")

func contextWithCancel(t testing.TB) (context.Context, context.CancelFunc) {
	return context.WithCancel(t.Context())
}
