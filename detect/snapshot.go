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
