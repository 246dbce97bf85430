package runlog

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/firebreak-io/firebreak/internal/bus"
	"github.com/firebreak-io/firebreak/internal/event"
	"github.com/firebreak-io/firebreak/respond/receipt"
)

// TestArchiveSetsAside: runs whose record somebody changed, or of which nothing is
// left, keep no other from the archive. What there is of them is kept to the byte,
// the part says how many they are, and the log may forget them as any other.
func TestArchiveSetsAside(t *testing.T) {
	s := newStacks(t)
	at := time.Now().UTC()
	s.run("before", "", event.RunClosed, at)
	id := event.HashID("run", "forged")
	for n, text := range []string{
		`{"id":%q,"record":1,"state":"guarding","updated":"2026-01-01T00:00:00Z"}`,
		`{"id":%q,"record":7,"previous":"made up","state":"closed","updated":"2026-01-01T00:00:00Z"}`,
	} {
		data, last := fmt.Appendf(nil, text, id), uint64(0)
		if n > 0 {
			m, err := s.bus.Last(t.Context(), bus.SubjectRun(id))
			if err != nil {
				t.Fatal(err)
			}
			last = m.Sequence
		}
		if _, err := s.bus.Append(t.Context(), bus.SubjectRun(id), data, last); err != nil {
			t.Fatal(err)
		}
		s.want[id] = append(s.want[id], data)
	}
	s.index()
	// Of the one there is nothing in the log, and what is said of the other can't be read.
	for name, text := range map[string]string{"gone": `{"id":"gone","state":"closed"}`, "odd": "{"} {
		if _, err := s.bus.Create(t.Context(), bus.SubjectEnded(name), []byte(text)); err != nil {
			t.Fatal(err)
		}
	}
	s.run("after", "", event.RunClosed, at)
	s.index()
	for range 3 { // they are of three months
		if err := s.a.Pass(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	runs, aside := 0, 0
	for _, p := range s.parts() {
		runs, aside = runs+p.Runs, aside+p.Aside
		body, err := s.log.Part(t.Context(), p.Name)
		if err != nil {
			t.Fatal(err)
		}
		proof, err := receipt.VerifyArchive(body, p.Head)
		if err != nil || proof.Aside != p.Aside {
			t.Errorf("%s receipt.Proves %+v, %v", p.Name, proof, err)
		}
	}
	if runs != 2 || aside != 3 {
		t.Errorf("%d runs are archived and %d set aside", runs, aside)
	}
	have, err := s.log.archived(t.Context(), id)
	if err != nil || !slices.EqualFunc(have, s.want[id], bytes.Equal) {
		t.Errorf("of the forged run is kept %q, %v", have, err)
	}
	if none, err := s.log.archived(t.Context(), "gone"); err != nil || len(none) != 0 {
		t.Errorf("of nothing is kept %q, %v", none, err)
	}
}

// TestArchiveOrphans: what killed writers left in the object store goes, what is
// listed stays, and a writer that was overtaken lists nothing.
func TestArchiveOrphans(t *testing.T) {
	s := newStacks(t)
	s.run("a", "", event.RunClosed, time.Now().UTC())
	s.index()
	if err := s.a.Pass(t.Context()); err != nil {
		t.Fatal(err)
	}
	s.run("b", "", event.RunClosed, time.Now().UTC())
	s.index()
	store, err := s.bus.Objects(t.Context(), archiveStore, -1)
	if err != nil {
		t.Fatal(err)
	}
	// One writes a part, and before it is listed another one tidies up.
	other := newTestArchiver(s.log)
	s.a.at = func(place string) error {
		if place != "read back" {
			return nil
		}
		return other.sweep(t.Context())
	}
	if err := s.a.Pass(t.Context()); !errors.Is(err, bus.ErrConflict) {
		t.Fatalf("a part whose object is gone was listed: %v", err)
	}
	s.a.at = nil
	listed := func(name string) bool {
		return slices.ContainsFunc(s.parts(), func(p Part) bool { return p.Object == name })
	}
	if err := store.Put(t.Context(), "stray", strings.NewReader("stray")); err != nil {
		t.Fatal(err)
	}
	if orphans, err := store.Orphans(t.Context(), listed); err != nil || len(orphans) != 1 || orphans[0].Name != "stray" {
		t.Errorf("%+v is nobody's, %v", orphans, err)
	}
	if err := s.a.Pass(t.Context()); err != nil {
		t.Fatal(err)
	}
	if orphans, err := store.Orphans(t.Context(), listed); err != nil || len(orphans) != 0 {
		t.Errorf("%+v is nobody's still, %v", orphans, err)
	}
	if len(s.parts()) != 2 {
		t.Errorf("there are %d parts", len(s.parts()))
	}
	s.whole()
	for _, p := range s.parts() {
		if err := s.a.prove(context.WithoutCancel(t.Context()), p); err != nil {
			t.Error(err)
		}
	}
}
