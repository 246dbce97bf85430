package detect

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/firebreak-io/firebreak/detect/pack"
	"github.com/firebreak-io/firebreak/internal/bus"
)

// SnapshotKey is where the worker keeps its place, in the snapshots bucket. The
// ids of events are beside it, under two keys that are used in turn.
const (
	SnapshotKey = "detect"
	seenKey     = "detect-seen-"
)

// snapshot is how far a worker has come, and what it remembers then, in one
// record: every finding of the frames up to Sequence is stored. It is written
// as a line of JSON and the state.
type snapshot struct {
	Version  int    `json:"version"`
	Sequence uint64 `json:"sequence"`
	// Seen is the key of the ids of events up to frame SeenTo. Those of the
	// frames between SeenTo and Sequence are not kept: reading the frames again
	// gives them back. They are few, so that a worker that dies over and over
	// gets further each time.
	Seen   string `json:"seen,omitempty"`
	SeenTo uint64 `json:"seen_to,omitempty"`
	// Horizon is the frame of the oldest event that the engine remembered: where
	// to begin reading again when the ids can't be read.
	Horizon uint64 `json:"horizon"`
	// Rules is the version of the rule set that evaluated up to here, Bundle
	// its documents.
	Rules  string `json:"rules"`
	Bundle []byte `json:"bundle,omitempty"`
	state  []byte
}

const snapshotVersion = 3

// head is the line of JSON.
func (s *snapshot) head() ([]byte, error) {
	head, err := json.Marshal(s)
	return append(head, '\n'), err
}

func (s *snapshot) decode(data []byte) error {
	head, state, _ := bytes.Cut(data, []byte("\n"))
	s.state = state
	if err := json.Unmarshal(head, s); err != nil {
		return err
	}
	if s.Version != snapshotVersion || s.Horizon > s.Sequence || s.SeenTo > s.Sequence {
		return fmt.Errorf("version %d is not known", s.Version)
	}
	return nil
}

// begin is the frame to read from.
func (s *snapshot) begin() uint64 {
	switch {
	case s.Seen != "":
		return s.SeenTo + 1
	case s.Horizon > 0:
		return s.Horizon
	}
	return s.Sequence + 1
}

// load reads the snapshot, and waits for a bus that is away. None, and one that
// is of no use, is the beginning: to evaluate events again does no harm.
func (w *Worker) load(ctx context.Context) (snapshot, error) {
	data, err := w.get(ctx, SnapshotKey)
	if err != nil {
		return snapshot{}, fmt.Errorf("load snapshot: %w", err)
	}
	if data == nil {
		return snapshot{}, nil
	}
	var s snapshot
	err = s.decode(data)
	if err == nil && len(s.state) > 0 {
		err = w.resume(ctx, s)
	}
	if err != nil {
		w.Telemetry.Logger().ErrorContext(ctx, "snapshot is not usable, starting at the first event", "error", err)
		return snapshot{}, nil
	}
	if err := w.recall(ctx, &s); err != nil {
		return snapshot{}, fmt.Errorf("load snapshot: %w", err)
	}
	return s, nil
}

// get is a value of the snapshots, or nil when there is none.
func (w *Worker) get(ctx context.Context, key string) (data []byte, err error) {
	err = w.retry(ctx, func() error {
		data, err = w.Snapshots.Get(ctx, key)
		if errors.Is(err, bus.ErrNotFound) || errors.Is(err, bus.ErrDamaged) {
			w.Telemetry.Logger().DebugContext(ctx, "no snapshot", "key", key, "error", err)
			return nil
		}
		return err
	})
	return data, err
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

// recall reads the ids of events. Without them more frames are read again.
func (w *Worker) recall(ctx context.Context, s *snapshot) error {
	if s.Seen == "" {
		return nil
	}
	data, err := w.get(ctx, s.Seen)
	if err != nil {
		return err
	}
	to, err := w.Engine.LoadSeen(pack.NewReader(data))
	if err == nil && to != s.SeenTo {
		err = fmt.Errorf("they are of frame %d", to) // of a snapshot that did not come about
	}
	if err != nil {
		w.Telemetry.Logger().WarnContext(ctx, "the ids of events are not usable, reading the events again", "error", err)
		w.Engine.events = newRecent(w.Engine.o.Horizon)
		s.Seen = ""
		return nil
	}
	w.saves.seen = seenIDs{key: s.Seen, to: s.SeenTo, added: w.Engine.events.added}
	return nil
}
