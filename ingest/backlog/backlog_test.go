package backlog

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/firebreak-io/firebreak/ingest"
	"github.com/firebreak-io/firebreak/internal/bus"
	"github.com/firebreak-io/firebreak/internal/event"
)

const maxBytes = 2 << 20

// fixture is a small stream, with a flood and a neighbour in front of it.
type fixture struct {
	t       *testing.T
	bus     *bus.Bus
	backlog *Backlog
	log     bytes.Buffer
	n       int
}

func newFixture(t *testing.T, dir string) *fixture {
	t.Helper()
	f := &fixture{t: t}
	var err error
	if f.bus, err = bus.Open(t.Context(), bus.Options{Dir: dir, MaxEventBytes: maxBytes}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { f.bus.Close() })
	batcher := ingest.NewBatcher(f.bus, 0)
	go batcher.Run(t.Context())
	f.backlog = New(Options{
		Stream: f.bus, Sink: batcher, Logger: slog.New(slog.NewTextHandler(&f.log, nil)),
		Sources: map[string]event.Source{"falco": event.SourceFalco, "log-http": event.SourceLog},
	})
	f.ask()
	return f
}

func (f *fixture) ask() {
	f.t.Helper()
	if err := f.backlog.ask(f.t.Context()); err != nil {
		f.t.Fatal(err)
	}
}

// put stores about 20 KB.
func (f *fixture) put(source string) error {
	f.t.Helper()
	events := make([]event.Event, 10)
	for i := range events {
		f.n++
		events[i] = event.Event{
			ID: fmt.Sprint(f.n), Source: f.backlog.o.Sources[source], From: source + " http 192.0.2.1:1", Message: strings.Repeat("x", 2000),
		}
	}
	err := f.backlog.For(source).Put(f.t.Context(), events)
	if err != nil && !errors.Is(err, ingest.ErrBehind) {
		f.t.Fatal(err)
	}
	return err
}

// flood puts until it is refused, and says how many bytes were taken.
func (f *fixture) flood(source string) int {
	f.t.Helper()
	for n := range 1000 {
		if f.put(source) != nil {
			return n * 20_000
		}
		if n%20 == 0 {
			f.ask()
		}
	}
	f.t.Fatalf("%s is never refused", source)
	return 0
}

func (f *fixture) progress() bus.Progress {
	f.t.Helper()
	p, err := f.bus.Progress(f.t.Context())
	if err != nil {
		f.t.Fatal(err)
	}
	return p
}

// While the detector is away, a flood is refused at its share and its
// neighbour is not; when it reads on, both are taken.
func TestFloodLeavesRoom(t *testing.T) {
	f := newFixture(t, t.TempDir())
	half := int64(maxBytes * 4 / 10)
	f.flood("falco")
	if got := f.backlog.Unread()["falco"]; got < half || got > half+50_000 {
		t.Errorf("%d bytes of the flood were taken, its share is %d", got, half)
	}
	for range 10 {
		if err := f.put("log-http"); err != nil {
			t.Errorf("the neighbour is refused: %v", err)
		}
	}
	if f.put("falco") == nil {
		t.Error("the flood is taken again, and nothing was read")
	}
	f.flood("log-http")
	if p := f.progress(); p.First != 1 || p.Bytes > maxBytes*9/10 {
		t.Errorf("with nothing read: %+v", p)
	}
	if unread := f.backlog.Unread(); unread["falco"] < half || unread["log-http"] < half*9/10 {
		t.Errorf("unread: %v", unread)
	}
	if err := f.bus.SetRead(t.Context(), "detect", f.progress().Last); err != nil {
		t.Fatal(err)
	}
	f.ask()
	for _, source := range []string{"falco", "log-http"} {
		if err := f.put(source); err != nil {
			t.Errorf("%s, after all was read: %v", source, err)
		}
	}
	if log := f.log.String(); strings.Count(log, "is refused until") != 2 || strings.Count(log, "is taken again") != 2 {
		t.Errorf("log:\n%s", log)
	}
}

// After a restart the share of the flood is about what it was.
func TestRestartKeepsShares(t *testing.T) {
	dir := t.TempDir()
	f := newFixture(t, dir)
	f.flood("falco")
	for range 5 {
		f.put("log-http")
	}
	before := f.backlog.Unread()
	f.bus.Close()
	f = newFixture(t, dir)
	after := f.backlog.Unread()
	for _, source := range []string{"falco", "log-http"} {
		if d := after[source] - before[source]; d > maxBytes/10 || d < -maxBytes/10 {
			t.Errorf("unread of %s: %d before, %d after the restart", source, before[source], after[source])
		}
	}
	if err := f.put("log-http"); err != nil {
		t.Errorf("the neighbour is refused: %v", err)
	}
	if got := f.flood("falco"); got > maxBytes/10 {
		t.Errorf("%d more bytes of the flood were taken", got)
	}
}

// Whatever is put and read, and whenever the stream is asked: nothing unread
// leaves the stream, who is refused finds room once all is read.
func TestNothingUnreadIsPushedOut(t *testing.T) {
	f := newFixture(t, t.TempDir())
	read := uint64(0)
	rapid.Check(t, func(r *rapid.T) {
		for range rapid.IntRange(1, 8).Draw(r, "puts") {
			f.put(rapid.SampledFrom([]string{"falco", "falco", "log-http"}).Draw(r, "source"))
		}
		p := f.progress()
		if p.First > read+1 {
			r.Fatalf("read up to %d, the stream begins at %d", read, p.First)
		}
		if rapid.Bool().Draw(r, "reads") {
			read = rapid.Uint64Range(read, p.Last).Draw(r, "read")
			if err := f.bus.SetRead(t.Context(), "detect", read); err != nil {
				r.Fatal(err)
			}
		}
		if rapid.Bool().Draw(r, "asks") {
			f.ask()
		}
	})
	if err := f.bus.SetRead(t.Context(), "detect", f.progress().Last); err != nil {
		t.Fatal(err)
	}
	f.ask()
	if err := f.put("falco"); err != nil {
		t.Error(err)
	}
}

// What others put counts for everybody, once.
func TestOthersCount(t *testing.T) {
	f := newFixture(t, t.TempDir())
	for range 28 {
		if _, err := f.bus.Publish(t.Context(), bus.SubjectEvents, make([]byte, 40_000)); err != nil {
			t.Fatal(err)
		}
		f.put("log-http")
	}
	f.ask()
	unread, p := f.backlog.Unread(), f.progress()
	if got := unread[other] + unread["log-http"]; got != int64(p.Bytes) {
		t.Errorf("unread %v of %d bytes", unread, p.Bytes)
	}
	if err := f.put("falco"); !errors.Is(err, ingest.ErrBehind) {
		t.Errorf("the stream is full of what others put, and it takes more: %v", err)
	}
}

// broken is a stream that does not answer.
type broken struct{ Stream }

func (broken) Progress(context.Context) (bus.Progress, error) {
	return bus.Progress{}, errors.New("away")
}

// While the stream does not answer, what was put since is not forgotten.
func TestAwayForgetsNothing(t *testing.T) {
	f := newFixture(t, t.TempDir())
	f.put("falco")
	before := f.backlog.Unread()["falco"]
	f.backlog.o.Stream = broken{}
	for range 3 {
		if f.backlog.ask(t.Context()) == nil {
			t.Fatal("no error")
		}
	}
	if got := f.backlog.Unread()["falco"]; got != before || got < 20_000 {
		t.Errorf("unread %d, before %d", got, before)
	}
}

func TestRunEnds(t *testing.T) {
	f := newFixture(t, t.TempDir())
	ctx, cancel := context.WithTimeout(t.Context(), 2*askEvery)
	defer cancel()
	f.put("falco")
	if err := f.backlog.Run(ctx); err != nil {
		t.Error(err)
	}
	if f.backlog.Unread()["falco"] == 0 {
		t.Error("it has lost what was put")
	}
}

func TestSections(t *testing.T) {
	rapid.Check(t, func(r *rapid.T) {
		var s sections
		last, all := uint64(0), int64(0)
		for range rapid.IntRange(1, 2000).Draw(r, "sections") {
			n := rapid.Int64Range(0, 1000).Draw(r, "bytes")
			s = s.add(last+1, last, map[string]int64{"a": n})
			last, all = last+1, all+n
		}
		if got := s.weigh(0)["a"]; len(s) > maxSections || got != all {
			r.Fatalf("%d sections weigh %d of %d", len(s), got, all)
		}
		read := rapid.Uint64Range(0, last).Draw(r, "read")
		if got := s.read(read).weigh(read)["a"]; got != s.weigh(read)["a"] {
			r.Fatalf("dropping what was read changes the weight: %d", got)
		}
		if got := s.read(last); len(got) != 0 {
			r.Fatalf("%d sections are left when all is read", len(got))
		}
	})
}

func TestShares(t *testing.T) {
	c := Config{Shares: map[string]float64{"a": .7}}
	for _, x := range []struct {
		name string
		n    int
		want float64
	}{{"a", 5, .7}, {"b", 1, 1}, {"b", 2, .5}, {"b", 4, .3}, {"b", 9, .3}} {
		if got := c.share(x.name, x.n); got != x.want {
			t.Errorf("%s of %d: %g", x.name, x.n, got)
		}
	}
	for _, bad := range []Config{{Limit: 1}, {Limit: -1}, {Shares: map[string]float64{"a": 0}}, {Shares: map[string]float64{"a": 2}}, {Shares: map[string]float64{"x": .5}}} {
		if bad.Check([]string{"a"}) == nil {
			t.Errorf("%+v passes", bad)
		}
	}
	if err := c.Check([]string{"a", "b"}); err != nil {
		t.Error(err)
	}
}
