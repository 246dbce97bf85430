package detect

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/firebreak-io/firebreak/detect/pack"
	"github.com/firebreak-io/firebreak/internal/bus"
)

// SnapshotKey is where the worker keeps its place, in the snapshots bucket.
const SnapshotKey = "detect"

// snapshot is how far a worker has come, and what it remembers then, in one
// record: every finding of the frames up to Sequence is stored. It is written
// as a line of JSON and the state.
type snapshot struct {
	Version  int    `json:"version"`
	Sequence uint64 `json:"sequence"`
	// Horizon is the frame of the oldest event that the engine remembered.
	// The ids themselves are not kept: reading again from there gives them
	// back.
	Horizon uint64 `json:"horizon"`
	// Rules is the version of the rule set that evaluated up to here, Bundle
	// its documents.
	Rules  string `json:"rules"`
	Bundle []byte `json:"bundle,omitempty"`
	state  []byte
}

const snapshotVersion = 2

func (s *snapshot) encode() ([]byte, error) {
	head, err := json.Marshal(s)
	if err != nil {
		return nil, err
	}
	return append(append(head, '\n'), s.state...), nil
}

func (s *snapshot) decode(data []byte) error {
	head, state, _ := bytes.Cut(data, []byte("\n"))
	s.state = state
	if err := json.Unmarshal(head, s); err != nil {
		return err
	}
	if s.Version != snapshotVersion && s.Version != 1 || s.Horizon > s.Sequence {
		return fmt.Errorf("version %d is not known", s.Version)
	}
	return nil
}

// saves is when snapshots are due.
type saves struct {
	last time.Time
	cost time.Duration
	// frames are those since the last one.
	frames int
	// always is for tests.
	always bool
	// wanted are the rules of the files, when the snapshot had others.
	wanted *RuleSet
}

// Snapshots are saved when the last one is a second old, and so rarely that
// they take no more than a twentieth of the time.
const (
	saveEvery = time.Second
	saveShare = 20
)

func (s *saves) every() time.Duration {
	if s.always {
		return 0
	}
	return max(saveEvery, saveShare*s.cost)
}

func (s *saves) due(now time.Time) bool { return s.frames > 0 && now.Sub(s.last) >= s.every() }

// load reads the snapshot, and waits for a bus that is away. None, and one that
// is of no use, is the beginning: to evaluate events again does no harm.
func (w *Worker) load(ctx context.Context) (snapshot, error) {
	var data []byte
	err := w.retry(ctx, func() (err error) {
		if data, err = w.Snapshots.Get(ctx, SnapshotKey); errors.Is(err, bus.ErrNotFound) {
			err = nil
		}
		return err
	})
	if err != nil {
		return snapshot{}, fmt.Errorf("load snapshot: %w", err)
	}
	if data == nil {
		return snapshot{}, nil
	}
	var s snapshot
	if err := s.decode(data); err != nil {
		w.Telemetry.Logger().WarnContext(ctx, "snapshot is not usable, starting at the first event", "error", err)
		return snapshot{}, nil
	}
	if len(s.state) == 0 {
		return s, nil
	}
	if err := w.resume(ctx, s); err != nil {
		w.Telemetry.Logger().ErrorContext(ctx, "snapshot is not usable, starting at the first event", "error", err)
		return snapshot{}, nil
	}
	return s, nil
}

// resume makes the engine what it was when the snapshot was saved: with the
// rules of that time, if there is a way to tell where in the stream others take
// their place.
func (w *Worker) resume(ctx context.Context, s snapshot) error {
	set := w.Engine.set
	if w.Publish != nil && s.Rules != set.Version() {
		before, err := Unbundle(s.Bundle)
		if err != nil {
			return err
		}
		set = before
	}
	next := NewEngine(set, w.Engine.o)
	fresh, err := next.Load(pack.NewReader(s.state))
	if err != nil {
		return err
	}
	if len(fresh) > 0 {
		w.Telemetry.Logger().InfoContext(ctx, "rules begin with nothing remembered", "rules", fresh)
	}
	w.saves.wanted = w.Engine.set
	w.Engine = next
	return nil
}

func (w *Worker) save(ctx context.Context, sequence uint64) error {
	began := time.Now()
	if err := w.publishCounts(ctx); err != nil {
		return err
	}
	var state pack.Writer
	w.Engine.Save(&state)
	set := w.Engine.Rules()
	s := snapshot{
		Version: snapshotVersion, Sequence: sequence, Horizon: min(w.Engine.Oldest(), sequence), Rules: set.Version(), state: state.Data,
	}
	if w.Publish != nil {
		s.Bundle = set.bundled()
	}
	data, err := s.encode()
	if err != nil {
		return fmt.Errorf("save snapshot: %w", err)
	}
	if err := w.Snapshots.Put(ctx, SnapshotKey, data); err != nil {
		return fmt.Errorf("save snapshot: %w", err)
	}
	w.saves.last, w.saves.cost, w.saves.frames = time.Now(), time.Since(began), 0
	m := w.Engine.Memory()
	w.memory.Store(&m)
	w.tell(ctx, sequence)
	return nil
}
