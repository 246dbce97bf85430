package ingest

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"pgregory.net/rapid"

	"github.com/firebreak-io/firebreak/ingest/summary"
	"github.com/firebreak-io/firebreak/internal/conf"
	"github.com/firebreak-io/firebreak/internal/event"
	"github.com/firebreak-io/firebreak/internal/sketch"
)

// kindFor makes a source that takes its sink out to the test.
func kindFor(source event.Source, sink *Sink) Kind {
	return Kind{Name: "test", Source: source, Open: func(d Deps, _ any) (Source, error) {
		*sink = d.Sink
		return Source{Endpoints: []Endpoint{{Name: "test"}}}, nil
	}}
}

// thinned opens a source with a filter and summaries over a store.
func thinned(t *testing.T, store *fakeStore, tally *tally, filter string) (Sink, Source) {
	t.Helper()
	config := &HTTPConfig{Volume: Volume{Store: conf.Expression{Text: filter}, Summarise: &summary.Config{}}}
	var sink Sink
	s, err := openThrough(kindFor(event.SourceLog, &sink), Deps{Sink: direct{store}, Metrics: tally}, config)
	if err != nil {
		t.Fatal(err)
	}
	return sink, s
}

var lineNumber int

func logLine(pod, class string) event.Event {
	lineNumber++
	return event.Event{
		ID: fmt.Sprint("line-", lineNumber), Source: event.SourceLog, Class: class, Time: time.Now(), Received: time.Now(),
		Object: event.PodRef("shop", pod), Message: "m",
	}
}

// pass lets time go by in a bubble.
func pass(d time.Duration) {
	<-time.After(d)
	synctest.Wait()
}

// counted is how many lines the stored summaries count, and which other events
// are stored.
func counted(t *testing.T, store *fakeStore) (lines uint64, others []event.Event) {
	t.Helper()
	for _, e := range store.events() {
		if e.Class != event.ClassLogSummary {
			others = append(others, e)
			continue
		}
		s, err := sketch.Read(&e)
		if err != nil {
			t.Fatal(err)
		}
		lines += s.Lines
	}
	return lines, others
}

func start(t *testing.T, s Source) (stop func()) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- s.Run(ctx) }()
	return func() {
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
	}
}

func TestFilterAndSummary(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store, tally := &fakeStore{}, newTally()
		sink, s := thinned(t, store, tally, `class in ["auth.login", "log.error"]`)
		stop := start(t, s)
		for i := range 100 {
			class := event.ClassLogLine
			if i%10 == 0 {
				class = event.ClassLogError
			}
			if err := sink.Put(t.Context(), []event.Event{logLine("web", class)}); err != nil {
				t.Fatal(err)
			}
		}
		if lines, others := counted(t, store); lines != 0 || len(others) != 10 {
			t.Errorf("%d lines counted early, %d stored", lines, len(others))
		}
		pass(2 * time.Minute)
		if lines, others := counted(t, store); lines != 100 || len(others) != 10 {
			t.Errorf("%d lines counted, %d stored", lines, len(others))
		}
		for _, e := range store.events() {
			if (e.Class != event.ClassLogSummary) != slices.Contains(e.Tags, event.TagSummarised) {
				t.Errorf("%s of class %s has tags %v", e.ID, e.Class, e.Tags)
			}
		}
		if n := tally.events["unstored log"]; n != 90 {
			t.Errorf("%d were said not to be stored", n)
		}
		if n := tally.events["log log.summary"]; n != 1 {
			t.Errorf("%d summaries were said to be stored", n)
		}
		stop()
	})
}

// A line that is stored and counted says so, once, and has the id that it had;
// where nothing is counted it says nothing.
func TestStoredLinesSayThatTheyAreCounted(t *testing.T) {
	for _, counts := range []bool{true, false} {
		config := &HTTPConfig{Volume: Volume{Store: conf.Expression{Text: "true"}}}
		if counts {
			config.Summarise = &summary.Config{}
		}
		store := &fakeStore{}
		var sink Sink
		if _, err := openThrough(kindFor(event.SourceLog, &sink), Deps{Sink: direct{store}, Metrics: newTally()}, config); err != nil {
			t.Fatal(err)
		}
		line := logLine("web", event.ClassLogLine)
		line.Tags = []string{"firebreak:x"}
		batch, want := []event.Event{line}, []string{"firebreak:x"}
		for range 2 { // what could not be stored is put again
			if err := sink.Put(t.Context(), batch); err != nil {
				t.Fatal(err)
			}
		}
		if counts {
			want = append(want, event.TagSummarised)
		}
		for _, e := range store.events() {
			if !slices.Equal(e.Tags, want) || e.ID != line.ID {
				t.Errorf("counts %v: tags %v, id %s", counts, e.Tags, e.ID)
			}
		}
		if len(line.Tags) != 1 {
			t.Errorf("tags of the caller's are %v", line.Tags)
		}
	}
}

// A filter that can't be evaluated stores, and nothing is summarised where that
// was not asked for.
func TestFilterStoresInDoubt(t *testing.T) {
	store, tally := &fakeStore{}, newTally()
	config := &HTTPConfig{Volume: Volume{Store: conf.Expression{Text: `any(fields.list, # == "x")`}}}
	var sink Sink
	s, err := openThrough(kindFor(event.SourceAudit, &sink), Deps{Sink: direct{store}, Metrics: tally}, config)
	if err != nil {
		t.Fatal(err)
	}
	if s.Run != nil {
		t.Error("a filter alone runs something")
	}
	long, short := logLine("web", event.ClassLogLine), logLine("web", event.ClassLogLine)
	long.Fields = event.Fields{"list": make([]any, 10_000)} // more than an expression may go through
	if err := sink.Put(t.Context(), []event.Event{long, short}); err != nil {
		t.Fatal(err)
	}
	if stored := store.events(); len(stored) != 1 || stored[0].ID != long.ID || tally.events["unstored audit"] != 1 {
		t.Errorf("%d stored, counted %v", len(stored), tally.events)
	}
}

// TestFilterKeepsWhatItLetsThrough, in its order, whatever is in between.
func TestFilterKeepsWhatItLetsThrough(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		program, err := conf.Compile(event.Event{}, `class == "log.error"`, conf.Bool)
		if err != nil {
			t.Fatal(err)
		}
		var events []event.Event
		var want []string
		for i, keep := range rapid.SliceOf(rapid.Bool()).Draw(t, "keep") {
			e := event.Event{ID: fmt.Sprint(i), Class: event.ClassLogLine}
			if keep {
				e.Class = event.ClassLogError
				want = append(want, e.ID)
			}
			events = append(events, e)
		}
		var got []string
		for _, e := range (&thinner{filter: program}).keeps(events) {
			got = append(got, e.ID)
		}
		if !slices.Equal(got, want) {
			t.Fatalf("kept %v, want %v", got, want)
		}
		for i := range events {
			if events[i].ID != fmt.Sprint(i) {
				t.Fatal("the caller's events were moved")
			}
		}
	})
}

// TestSettled: a position may be saved only when the counts of all lines before
// it are stored.
func TestSettled(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := &fakeStore{}
		sink, s := thinned(t, store, newTally(), `false`)
		settler := SettlerOf(sink)
		defer start(t, s)()
		var marks []uint64
		for range 4 {
			for _, pod := range []string{"a", "b"} {
				if err := sink.Put(t.Context(), []event.Event{logLine(pod, event.ClassLogLine)}); err != nil {
					t.Fatal(err)
				}
				marks = append(marks, settler.Mark())
			}
			if lines, _ := counted(t, store); settler.Settled() > lines {
				t.Errorf("settled %d, stored are the counts of %d lines", settler.Settled(), lines)
			}
			pass(30 * time.Second)
		}
		if settler.Settled() >= marks[len(marks)-1] {
			t.Error("settled before the interval's end")
		}
		if settler.Settled() < marks[0] {
			t.Errorf("settled is %d long after the first interval", settler.Settled())
		}
		if err := settler.Flush(t.Context()); err != nil {
			t.Fatal(err)
		}
		lines, _ := counted(t, store)
		if settler.Settled() != settler.Mark() || lines != 8 {
			t.Errorf("after a flush %d of %d, %d lines", settler.Settled(), settler.Mark(), lines)
		}
	})
}

// TestSummariesOfAStoreThatIsDown: nothing is taken while counts can't be
// stored, what was refused is not counted, and nothing is counted twice.
func TestSummariesOfAStoreThatIsDown(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := &fakeStore{}
		sink, s := thinned(t, store, newTally(), `class == "log.error"`)
		defer start(t, s)()
		put := func(e event.Event) error { return sink.Put(t.Context(), []event.Event{e}) }
		if err := put(logLine("web", event.ClassLogLine)); err != nil {
			t.Fatal(err)
		}
		down := errors.New("down")
		store.fail(down)
		again := logLine("web", event.ClassLogError)
		if err := put(again); !errors.Is(err, down) {
			t.Errorf("an event that is to be stored: %v", err)
		}
		pass(2 * time.Minute)
		late := logLine("web", event.ClassLogLine)
		if err := put(late); !errors.Is(err, down) {
			t.Errorf("while counts wait: %v", err)
		}
		store.fail(nil)
		for _, e := range []event.Event{again, late, again} { // the last one is a retry after a lost answer
			if err := put(e); err != nil {
				t.Fatal(err)
			}
		}
		pass(2 * time.Minute)
		if lines, others := counted(t, store); lines != 3 || len(others) != 2 {
			t.Errorf("%d lines counted, want 3; %d stored", lines, len(others))
		}
	})
}

// TestSummariesOfAnOrderlyStop: what was counted is stored when the source
// stops, and what comes after that is stored before it is accepted.
func TestSummariesOfAnOrderlyStop(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := &fakeStore{}
		sink, s := thinned(t, store, newTally(), `false`)
		stop := start(t, s)
		for range 10 {
			if err := sink.Put(t.Context(), []event.Event{logLine("web", event.ClassLogLine)}); err != nil {
				t.Fatal(err)
			}
		}
		stop()
		if lines, _ := counted(t, store); lines != 10 {
			t.Errorf("%d lines after the stop", lines)
		}
		if err := sink.Put(t.Context(), []event.Event{logLine("web", event.ClassLogLine)}); err != nil {
			t.Fatal(err)
		}
		if lines, _ := counted(t, store); lines != 11 {
			t.Errorf("%d lines after a late one", lines)
		}
	})
}

// TestSummariesOfManySenders: requests come side by side while counts are
// stored and a reader asks what is settled.
func TestSummariesOfManySenders(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := &fakeStore{}
		sink, s := thinned(t, store, newTally(), `class == "log.error"`)
		stop := start(t, s)
		var wg sync.WaitGroup
		for n := range 8 {
			wg.Go(func() {
				for i := range 200 {
					e := event.Event{
						ID: fmt.Sprint(n, "-", i), Source: event.SourceLog, Class: event.ClassLogLine, Time: time.Now(), Received: time.Now(),
						Object: event.PodRef("shop", fmt.Sprint("web-", i%3)),
					}
					if err := sink.Put(t.Context(), []event.Event{e}); err != nil {
						t.Error(err)
					}
					if settler := SettlerOf(sink); settler.Settled() > settler.Mark() {
						t.Error("settled is ahead")
					}
					<-time.After(time.Duration(n+1) * 100 * time.Millisecond)
				}
			})
		}
		wg.Wait()
		stop()
		if lines, _ := counted(t, store); lines != 1600 {
			t.Errorf("%d lines of 1600", lines)
		}
	})
}

// marking is what enrichment looks like from here.
type marking struct{ Sink }

func (m marking) Put(ctx context.Context, events []event.Event) error {
	for i := range events {
		events[i].Object.Workload.Name = "web"
	}
	return m.Sink.Put(ctx, events)
}

func (m marking) Unwrap() Sink { return m.Sink }

// TestOrderOfSinks: the filter sees what the cluster knows, summaries carry it,
// and the settler is found behind it.
func TestOrderOfSinks(t *testing.T) {
	store := &fakeStore{}
	config := &HTTPConfig{Volume: Volume{Store: conf.Expression{Text: `object.workload.name != "web"`}, Summarise: &summary.Config{By: []string{"workload"}}}}
	var sink Sink
	s, err := openThrough(kindFor(event.SourceLog, &sink), Deps{
		Sink: direct{store}, Metrics: newTally(), Enrich: func(s Sink) Sink { return marking{s} },
	}, config)
	if err != nil {
		t.Fatal(err)
	}
	if s.Endpoints[0].Sink != sink {
		t.Error("the endpoint has another sink")
	}
	if err := s.Endpoints[0].Sink.Put(t.Context(), []event.Event{logLine("web-1", event.ClassLogLine)}); err != nil {
		t.Fatal(err)
	}
	if err := SettlerOf(sink).Flush(t.Context()); err != nil {
		t.Fatal(err)
	}
	events := store.events()
	if len(events) != 1 || events[0].Class != event.ClassLogSummary || events[0].Object.Name != "web" {
		t.Errorf("stored %+v", events)
	}
}

// TestEverySourceHasAFilter: a new source embeds [Volume], and reads it.
func TestEverySourceHasAFilter(t *testing.T) {
	for _, k := range Kinds() {
		config := k.Config()
		if _, ok := config.(thins); !ok {
			t.Errorf("source %s has no store", k.Name)
			continue
		}
		var raw struct {
			Source conf.Raw `yaml:"source"`
		}
		if err := conf.Decode("config.yaml", []byte("source: {store: class == \"x\"}"), &raw); err != nil {
			t.Fatal(err)
		}
		if err := raw.Source.Decode(config); err != nil || FilterOf(config).Text != `class == "x"` {
			t.Errorf("source %s: store is %q: %v", k.Name, FilterOf(config).Text, err)
		}
	}
}

func TestCheckVolume(t *testing.T) {
	for name, c := range map[string]struct {
		source event.Source
		volume Volume
	}{
		"summaries of audit": {event.SourceAudit, Volume{Summarise: &summary.Config{}}},
		"interval":           {event.SourceLog, Volume{Summarise: &summary.Config{Interval: 1}}},
		"unknown name":       {event.SourceLog, Volume{Store: conf.Expression{Text: `klass == "x"`}}},
		"not a truth":        {event.SourceLog, Volume{Store: conf.Expression{Text: `message`}}},
		"unbounded":          {event.SourceLog, Volume{Store: conf.Expression{Text: `len(1..1000000) > 0`}}},
	} {
		if CheckVolume(Kind{Source: c.source}, &HTTPConfig{Volume: c.volume}) == nil {
			t.Errorf("%s: taken", name)
		}
	}
	if err := CheckVolume(Kind{Source: event.SourceFalco}, &struct{}{}); err != nil {
		t.Error(err)
	}
}

// nothing is a sink that stores nothing.
type nothing struct{}

func (nothing) Put(context.Context, []event.Event) error { return nil }

// BenchmarkThinner is the filter and the counting of batches of 400 lines: of a
// filter that looks at the class, and of one with the patterns of the shipped
// rules (ingest/summary/README.md).
func BenchmarkThinner(b *testing.B) {
	guide, err := os.ReadFile("summary/README.md")
	if err != nil {
		b.Fatal(err)
	}
	_, rest, _ := strings.Cut(string(guide), "store: >-")
	patterns, _, _ := strings.Cut(rest, "summarise:")
	events := make([]event.Event, 400)
	for i := range events {
		e := logLine(fmt.Sprint("web-", i%20), event.ClassHTTP)
		e.Message = `10.0.0.1 - - [02/Jan/2026:03:04:05 +0000] "GET /item/1?page=2&sort=price HTTP/1.1" 200 1312 "-" "curl/8.1"`
		e.HTTP = event.HTTP{Method: "GET", Path: "/item/1?page=2&sort=price", Status: 200, Duration: .012, Bytes: 1312}
		e.Actor = event.Actor{Address: fmt.Sprint("10.0.0.", i%200), UserAgent: "curl/8.1"}
		events[i] = e
	}
	for name, filter := range map[string]string{"class": `class in ["auth.login", "log.error"]`, "patterns": patterns, "none": "true"} {
		b.Run(name, func(b *testing.B) {
			var sink Sink
			config := &HTTPConfig{Volume: Volume{Store: conf.Expression{Text: filter}, Summarise: &summary.Config{}}}
			if _, err := openThrough(kindFor(event.SourceLog, &sink), Deps{Sink: nothing{}, Metrics: newTally()}, config); err != nil {
				b.Fatal(err)
			}
			b.ReportAllocs()
			for n := 0; b.Loop(); n++ {
				for i := range events {
					events[i].ID = fmt.Sprint(n, "-", i)
				}
				if err := sink.Put(b.Context(), events); err != nil {
					b.Fatal(err)
				}
			}
			b.ReportMetric(float64(b.N*len(events))/b.Elapsed().Seconds(), "events/s")
		})
	}
}
