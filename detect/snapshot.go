package detect

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/firebreak-io/firebreak/internal/bus"
)

// SnapshotKey is where the worker keeps its place, in the snapshots bucket.
const SnapshotKey = "detect"

// snapshot is how far a worker has come: every finding of the frames up to
// Sequence is stored.
type snapshot struct {
	Version  int    `json:"version"`
	Sequence uint64 `json:"sequence"`
	// Horizon is the frame of the oldest event that the engine remembered.
	// The memory itself is not kept: reading again from there gives it back.
	Horizon uint64 `json:"horizon"`
	// Rules is the version of the rule set that evaluated up to here.
	Rules string `json:"rules"`
}

const snapshotVersion = 1

// load reads the snapshot. None, and one that can't be read, is the beginning:
// to evaluate events again does no harm.
func (w *Worker) load(ctx context.Context) (snapshot, error) {
	data, err := w.Snapshots.Get(ctx, SnapshotKey)
	switch {
	case errors.Is(err, bus.ErrNotFound):
		return snapshot{}, nil
	case ctx.Err() != nil || errors.Is(err, bus.ErrClosed):
		return snapshot{}, fmt.Errorf("load snapshot: %w", err)
	case err != nil:
		w.Telemetry.Logger().ErrorContext(ctx, "snapshot can't be read, starting at the first event", "error", err)
		return snapshot{}, nil
	}
	var s snapshot
	if err := json.Unmarshal(data, &s); err != nil || s.Version != snapshotVersion || s.Horizon > s.Sequence {
		w.Telemetry.Logger().WarnContext(ctx, "snapshot is not usable, starting at the first event", "error", err, "version", s.Version)
		return snapshot{}, nil
	}
	return s, nil
}

func (w *Worker) save(ctx context.Context, sequence uint64) error {
	data, err := json.Marshal(snapshot{
		Version: snapshotVersion, Sequence: sequence, Horizon: min(w.Engine.Oldest(), sequence), Rules: w.Engine.Rules().Version(),
	})
	if err != nil {
		return fmt.Errorf("save snapshot: %w", err)
	}
	if err := w.Snapshots.Put(ctx, SnapshotKey, data); err != nil {
		return fmt.Errorf("save snapshot: %w", err)
	}
	w.tell(ctx, sequence)
	return nil
}
