//go:build linux

package torture

import (
	"encoding/json"
	"os"
	"path/filepath"
	"testing"

	"github.com/firebreak-io/firebreak/detect"
	"github.com/firebreak-io/firebreak/internal/bus"
	"github.com/firebreak-io/firebreak/internal/event"
)

// books is what the streams hold at the end.
type books struct {
	frames uint64
	// events are all of EVENTS, folded those that an engine let pass, findings those of the live detector.
	events, folded, findings *tally
	dead                     []bus.DeadLetter
}

// audit reads the streams from their beginning.
func audit(t *testing.T, o bus.Options) *books {
	t.Helper()
	ctx := t.Context()
	b, err := bus.Open(ctx, o)
	if err != nil {
		t.Fatal(err)
	}
	defer b.Close()
	s := &books{events: newTally(), folded: newTally(), findings: newTally()}
	s.readEvents(t, b)
	for m, err := range b.LastPerSubject(ctx, "find.*") {
		if err != nil {
			t.Fatal(err)
		}
		var f event.Finding
		if err := json.Unmarshal(m.Data, &f); err != nil {
			t.Fatal(err)
		}
		s.findings.add(f.Explanation, f.ID)
	}
	for letter, err := range b.DeadLetters(ctx, 10) {
		if err != nil {
			t.Fatal(err)
		}
		s.dead = append(s.dead, letter)
	}
	return s
}

// readEvents reads all frames, and folds their events as a detector does that is never interrupted.
func (s *books) readEvents(t *testing.T, b *bus.Bus) {
	t.Helper()
	ctx := t.Context()
	st, err := b.State(ctx, bus.Events)
	if err != nil {
		t.Fatal(err)
	}
	if st.First > 1 {
		t.Errorf("the stream begins at %d: it was too small for the test", st.First)
	}
	r, err := b.Read(ctx, bus.Events, 1)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close(ctx)
	engine := detect.NewEngine(ruleSet(t), detect.EngineOptions{})
	for r.Position() < st.Last {
		m, err := r.Next(ctx)
		if err != nil {
			t.Fatal(err)
		}
		s.frames++
		events, err := event.DecodeFrame(m.Data)
		if err != nil {
			t.Errorf("frame %d: %v", m.Sequence, err)
			continue
		}
		for i := range events {
			e := &events[i]
			s.events.add(textOf(e), e.ID)
			_, fresh, err := engine.Fold(e, event.Address{Sequence: m.Sequence, Index: i, ID: e.ID})
			if err != nil {
				t.Errorf("frame %d event %d: %v", m.Sequence, i, err)
			}
			if fresh {
				s.folded.add(textOf(e), e.ID)
			}
		}
	}
}

func ruleSet(t *testing.T) *detect.RuleSet {
	t.Helper()
	path := filepath.Join(t.TempDir(), "rules.yaml")
	if err := os.WriteFile(path, []byte(rules(false)), 0o600); err != nil {
		t.Fatal(err)
	}
	set, err := detect.LoadRules(path)
	if err != nil {
		t.Fatal(err)
	}
	return set
}

// stored fails the test unless all that was accepted is in the stream, each event under one id, once
// after the duplicates are dropped.
func (s *books) stored(t *testing.T, want map[string]source) {
	t.Helper()
	s.events.agrees(t, "the stream", want, whole)
	s.folded.agrees(t, "the fold", want, whole)
	if s.folded.again > 0 {
		t.Errorf("%d events were folded twice", s.folded.again)
	}
	for _, letter := range s.dead {
		t.Errorf("a dead letter: %s: %s", letter.From, letter.Reason)
	}
	t.Logf("accepted %d; the stream has %d events in %d frames, %d of them again under the same id",
		all(want), s.events.seen, s.frames, s.events.again)
}

// found fails the test unless the live detector has seen the sample, each once.
func (s *books) found(t *testing.T, want map[string]source) {
	t.Helper()
	s.findings.agrees(t, "FINDINGS", want, hundredth)
	if s.findings.again > 0 {
		t.Errorf("%d events have two findings", s.findings.again)
	}
	t.Logf("the live detector has %d findings, one for each hundredth event", s.findings.distinct())
}

// agrees fails the test when something is missing, or has another id than before.
func (t *tally) agrees(tt *testing.T, where string, want map[string]source, which func(mark) bool) {
	tt.Helper()
	if n, first := t.missing(want, which); n > 0 {
		tt.Errorf("%s lacks %d of what was accepted, the first is %s", where, n, first)
	}
	for _, fault := range t.faults {
		tt.Errorf("%s: %s", where, fault)
	}
}
