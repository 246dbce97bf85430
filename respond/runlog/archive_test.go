package runlog

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/firebreak-io/firebreak/internal/bus"
	"github.com/firebreak-io/firebreak/internal/event"
	"github.com/firebreak-io/firebreak/internal/telemetry"
	"github.com/firebreak-io/firebreak/respond/receipt"
	"github.com/firebreak-io/firebreak/test/wait"
)

// stacks is a run log with an Archiver whose clock is months ahead.
type stacks struct {
	t    *testing.T
	bus  *bus.Bus
	log  *Log
	a    *Archiver
	x    Index
	want map[string][][]byte
}

func newStacks(t *testing.T) *stacks {
	t.Helper()
	s := &stacks{t: t, x: newIndex(), want: map[string][][]byte{}}
	s.open(bus.Options{Dir: t.TempDir()})
	return s
}

// open opens the store.
func (s *stacks) open(o bus.Options) {
	s.t.Helper()
	b := openPatiently(s.t, o)
	s.t.Cleanup(func() { _ = b.Close() })
	s.bus, s.log = b, New(b, 1)
	s.a = newTestArchiver(s.log)
}

// openPatiently opens a store; a server of its own may need more than the two
// seconds that its client gives it, on a machine that does much else.
func openPatiently(t *testing.T, o bus.Options) *bus.Bus {
	t.Helper()
	var b *bus.Bus
	var err error
	wait.Until(t, "the store is open", func() bool {
		b, err = bus.Open(t.Context(), o)
		if err != nil && o.URL == "" {
			t.Fatal(err)
		}
		return err == nil
	})
	return b
}

func newTestArchiver(log *Log) *Archiver {
	now := func() time.Time { return time.Now().UTC().Add(70 * day) }
	return NewArchiver(log, ArchiveRules{}, now, telemetry.Nop(), slog.New(slog.DiscardHandler))
}

// run writes a run of some records that ends in a state; one that is not
// terminal stays open.
func (s *stacks) run(name, incident string, state event.RunState, at time.Time) string {
	s.t.Helper()
	run := event.Run{
		ID: event.HashID("run", name), Playbook: "contain", Version: "v1", Spec: "text", State: event.RunGuarding, Target: event.PodRef("shop", name),
		Incident: event.Incident{ID: incident}, Created: at, Updated: at,
	}
	rec, err := s.log.Create(s.t.Context(), run)
	for _, next := range []event.RunState{event.RunRunning, event.RunHolding, state} {
		if err != nil {
			s.t.Fatal(err)
		}
		rec.Run.State = next
		rec, err = s.log.Append(s.t.Context(), rec, rec.Run)
	}
	if err != nil {
		s.t.Fatal(err)
	}
	if s.want[run.ID], err = s.log.stored(s.t.Context(), run.ID); err != nil {
		s.t.Fatal(err)
	}
	return run.ID
}

// index brings the index, and ENDED, to the end of the log.
func (s *stacks) index() {
	s.t.Helper()
	if _, err := s.x.Advance(s.t.Context(), s.bus); err != nil {
		s.t.Fatal(err)
	}
	if err := s.x.prune(s.t.Context(), s.log, time.Now().Add(time.Hour)); err != nil {
		s.t.Fatal(err)
	}
	if err := s.x.keep(s.t.Context(), s.bus); err != nil {
		s.t.Fatal(err)
	}
}

// whole holds every run that was written against what people find of it.
func (s *stacks) whole() {
	s.t.Helper()
	fresh := New(s.bus, 0)
	for id, want := range s.want {
		have, err := fresh.Receipt(s.t.Context(), id)
		if err != nil || !slices.EqualFunc(have, want, bytes.Equal) {
			s.t.Fatalf("run %s has %d records, want %d: %v", id, len(have), len(want), err)
		}
		rec, err := fresh.Find(s.t.Context(), id)
		if err != nil || rec.Hash != receipt.Hash(want[len(want)-1]) {
			s.t.Fatalf("run %s is found as %+v, %v", id, rec.Run, err)
		}
		n := 0
		for _, err := range fresh.History(s.t.Context(), id) {
			if n++; err != nil {
				s.t.Fatal(err)
			}
		}
		if n != len(want) {
			s.t.Fatalf("the history of run %s has %d records, want %d", id, n, len(want))
		}
	}
	if got := s.list(fresh, Query{}, 7); len(got) != len(s.want) {
		s.t.Fatalf("%d runs are listed, want %d", len(got), len(s.want))
	}
}

func (s *stacks) list(log *Log, q Query, limit int) []event.Run {
	s.t.Helper()
	var all []event.Run
	for after := ""; ; {
		page, next, err := log.List(s.t.Context(), q, after, limit)
		if err != nil || len(page) > limit {
			s.t.Fatalf("a page of %d, %v", len(page), err)
		}
		all = append(all, page...)
		if after = next; next == "" {
			return Newest(all)
		}
	}
}

func (s *stacks) parts() []Part {
	s.t.Helper()
	parts, err := s.log.Archive(s.t.Context())
	if err != nil {
		s.t.Fatal(err)
	}
	return parts
}

// TestArchive: runs of three months go to three parts, one month being too large
// for one; all that is over is found and listed as before, the parts prove, and
// each names the one before.
func TestArchive(t *testing.T) {
	s := newStacks(t)
	s.a.most = 15_000
	now := time.Now().UTC()
	month := func(n int) time.Time {
		return time.Date(now.Year(), now.Month()-time.Month(n), 10, 0, 0, 0, 0, time.UTC)
	}
	for i := range 3 {
		s.run(fmt.Sprint("a", i), "", event.RunClosed, month(3))
	}
	for i := range 8 {
		s.run(fmt.Sprint("b", i), "", event.RunDenied, month(2))
	}
	kept := s.run("kept", "", event.RunHolding, month(2))
	s.run("c", "", event.RunFailed, month(0))
	s.index()
	s.a.now = func() time.Time { return month(0) }
	if err := s.a.Pass(t.Context()); err != nil {
		t.Fatal(err)
	}
	parts := s.parts()
	var names []string
	runs, previous := 0, ""
	for _, p := range parts {
		names = append(names, p.Name)
		runs += p.Runs
		body, err := s.log.Part(t.Context(), p.Name)
		if err != nil {
			t.Fatal(err)
		}
		data, err := io.ReadAll(body)
		if err != nil || !receipt.IsArchive(data) {
			t.Fatal(err)
		}
		proof, err := receipt.VerifyArchive(bytes.NewReader(data), p.Head)
		if err != nil || proof.Previous != previous || proof.Runs != p.Runs {
			t.Errorf("%s receipt.Proves %+v, %v", p.Name, proof, err)
		}
		previous = proof.Head
		damaged(t, data)
	}
	want := []string{month(3).Format("2006-01") + ".1", month(2).Format("2006-01") + ".1", month(2).Format("2006-01") + ".2"}
	if !slices.Equal(names, want) || runs != 11 {
		t.Errorf("parts %v of %d runs, want %v of 11", names, runs, want)
	}
	s.whole()

	if got := s.list(s.log, Query{States: []event.RunState{event.RunDenied}, Since: month(2)}, 3); len(got) != 8 {
		t.Errorf("%d were denied", len(got))
	}
	if got := s.list(s.log, Query{Since: month(1)}, 3); len(got) != 2 {
		t.Errorf("%d are open, or ended since a month", len(got))
	}
	if got := s.list(s.log, Query{Prefix: event.HashID("run", "a1")[:6]}, 3); len(got) != 1 || got[0].Spec != "" || got[0].Target.Name != "a1" {
		t.Errorf("by its beginning: %+v", got)
	}
	if open, err := s.log.Open(t.Context()); err != nil || len(open) != 1 || open[0].Run.ID != kept {
		t.Errorf("open are %d, %v", len(open), err)
	}
	if _, _, err := s.log.List(t.Context(), Query{}, "else.1", 3); !errors.Is(err, ErrNoPage) {
		t.Errorf("a place that there is not: %v", err)
	}
	if _, err := s.log.Find(t.Context(), event.HashID("none")); !errors.Is(err, bus.ErrNotFound) {
		t.Errorf("a run that there is not: %v", err)
	}
}

// TestArchiveForgets: what is archived leaves the log, up to the first run that is
// not over, and no more. For a moment the server bounds the age of what it holds
// meanwhile; where that moment was longer than what goes is older than what stays,
// the machine was too slow to tell, and all is done anew.
func TestArchiveForgets(t *testing.T) {
	const within = 500 * time.Millisecond
	for range 20 {
		s := newStacks(t)
		for i := range 3 {
			s.run(fmt.Sprint("a", i), "", event.RunClosed, time.Now().UTC())
		}
		<-time.After(within + 100*time.Millisecond)
		kept := s.run("kept", "", event.RunHolding, time.Now().UTC())
		after := s.run("c", "", event.RunFailed, time.Now().UTC())
		s.index()
		if err := s.a.Pass(t.Context()); err != nil {
			t.Fatal(err)
		}
		s.a.rules.Keep, s.a.within = 1, within
		began := time.Now()
		if err := s.a.forget(t.Context(), s.parts()); err != nil && time.Since(began) < within {
			t.Fatal(err)
		}
		if time.Since(began) >= within {
			continue
		}
		if left := s.left(); !slices.Equal(left, sorted(kept, after)) {
			t.Errorf("%d runs are left in the log: %v", len(left), left)
		}
		s.whole()
		return
	}
	t.Error("the log never forgot anything in time")
}

func sorted(ids ...string) []string {
	slices.Sort(ids)
	return ids
}

// left are the runs of which the log holds something.
func (s *stacks) left() []string {
	s.t.Helper()
	subjects, err := s.bus.Subjects(s.t.Context(), bus.SubjectRun("*"))
	if err != nil {
		s.t.Fatal(err)
	}
	var ids []string
	for subject := range subjects {
		ids = append(ids, subject[len("run."):])
	}
	return sorted(ids...)
}

// damaged changes, cuts and lengthens a part: none of it receipt.Proves.
func damaged(t *testing.T, data []byte) {
	t.Helper()
	random := rand.New(rand.NewPCG(1, 2))
	for range 200 {
		bad := bytes.Clone(data)
		switch i := 10 + random.IntN(len(data)-10); random.IntN(3) {
		case 0:
			bad[i] ^= byte(1 + random.IntN(255))
		case 1:
			bad = bad[:i]
		default:
			bad = append(bad, bad[i:]...)
		}
		if _, err := receipt.VerifyArchive(bytes.NewReader(bad), ""); err == nil {
			t.Fatal("a damaged part receipt.Proves")
		}
	}
}

// TestArchiveOfOpenIncident: the log does not forget runs of an incident that is
// not over, for it may begin the next of them.
func TestArchiveOfOpenIncident(t *testing.T) {
	s := newStacks(t)
	in := event.HashID("incident")
	id := s.run("a", in, event.RunClosed, time.Now().UTC())
	s.index()
	put := func(state event.IncidentState) {
		data := fmt.Appendf(nil, `{"id":%q,"state":%q}`, in, state)
		if _, err := s.bus.Publish(t.Context(), bus.SubjectIncident(in), data); err != nil {
			t.Fatal(err)
		}
	}
	s.a.rules.Keep = 1
	put(event.IncidentContained)
	if err := s.a.Pass(t.Context()); err != nil || !slices.Equal(s.left(), []string{id}) || len(s.parts()) != 1 {
		t.Errorf("the log has %v, the archive %d parts, %v", s.left(), len(s.parts()), err)
	}
	put(event.IncidentResolved)
	if err := s.a.Pass(t.Context()); err != nil {
		t.Fatal(err)
	}
	s.whole()
}

// TestArchiveCutOff ends the Archiver at each of its places, again and again,
// while runs go on ending: nothing is ever lost, and in the end all is archived
// once.
func TestArchiveCutOff(t *testing.T) {
	s := newStacks(t)
	s.a.most = 20_000
	s.a.rules.Keep = 1
	random := rand.New(rand.NewPCG(5, 6))
	cut := errors.New("cut off")
	places := map[string]int{}
	base := time.Now().UTC().Add(-time.Hour)
	for round := range 12 {
		for i := range 1 + random.IntN(3) {
			s.run(fmt.Sprint(round, "-", i), "", event.RunClosed, base.Add(time.Duration(round)*time.Second))
		}
		s.index()
		ctx, cancel := context.WithCancel(t.Context())
		end := archivePlaces[round%len(archivePlaces)]
		s.a.at = func(place string) error {
			if place == end {
				places[place]++
				cancel() // so that nothing is mended on the way out that a kill would not
				return cut
			}
			return nil
		}
		if err := s.a.Pass(ctx); err != nil && !errors.Is(err, cut) && ctx.Err() == nil {
			t.Fatal(err)
		}
		cancel()
		s.whole()
	}
	s.a.at = nil
	if err := s.a.Pass(t.Context()); err != nil {
		t.Fatal(err)
	}
	s.whole()
	runs, next := 0, uint64(1)
	for _, p := range s.parts() {
		if p.From != next {
			t.Errorf("part %s begins at %d, want %d", p.Name, p.From, next)
		}
		runs, next = runs+p.Runs, p.To+1
	}
	if runs != len(s.want) {
		t.Errorf("%d runs are in the archive, want %d", runs, len(s.want))
	}
	if len(places) < 5 { // where nothing is left over nothing is swept
		t.Errorf("it was ended at %v alone", places)
	}
}
