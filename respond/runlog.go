package respond

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"iter"

	"github.com/firebreak-io/firebreak/internal/bus"
	"github.com/firebreak-io/firebreak/internal/event"
)

// ErrStale says that a newer responder has written to the run: this one must
// leave it alone.
var ErrStale = errors.New("a newer responder owns the run")

// Record is one entry of the run log, and where it stands in it.
type Record struct {
	Run event.Run
	// Sequence is the entry's in the RUNS stream: the next append of this run
	// is conditional on it.
	Sequence uint64
	// Hash is the SHA-256 of the entry, which the next one names as Previous.
	Hash string

	message bus.Message
}

// RunLog is the authoritative history of runs: each entry the whole run,
// chained by hashes, appended by compare-and-set. It may be used
// concurrently.
type RunLog struct {
	bus   *bus.Bus
	store runStore
	epoch uint64
	view  *indexView
	// incidents are those that runs belong to.
	incidents *incidentView
}

// runStore is what takes records. [*bus.Bus] is one, with the errors that it
// documents.
type runStore interface {
	Append(ctx context.Context, subject string, data []byte, last uint64) (uint64, error)
	Last(ctx context.Context, subject string) (bus.Message, error)
}

// NewRunLog writes under the given epoch (see [Lease]).
func NewRunLog(b *bus.Bus, epoch uint64) *RunLog {
	return &RunLog{bus: b, store: b, epoch: epoch, view: &indexView{}, incidents: &incidentView{}}
}

// Create writes the first record of a run. [bus.ErrExists] says that the run
// was begun before, by whomever.
func (l *RunLog) Create(ctx context.Context, run event.Run) (Record, error) {
	return l.write(ctx, Record{}, run)
}

// Append writes the next record after prev. [bus.ErrConflict] says that
// somebody else has written in between: load and decide again. [ErrStale] says
// that a newer responder owns the run.
func (l *RunLog) Append(ctx context.Context, prev Record, run event.Run) (Record, error) {
	if prev.Run.Epoch > l.epoch {
		return Record{}, fmt.Errorf("append to run %s: %w", run.ID, ErrStale)
	}
	return l.write(ctx, prev, run)
}

func (l *RunLog) write(ctx context.Context, prev Record, run event.Run) (Record, error) {
	run.Record, run.Previous, run.Epoch, run.Nonce = prev.Run.Record+1, prev.Hash, l.epoch, rand.Text()
	data, err := json.Marshal(run)
	if err != nil {
		return Record{}, fmt.Errorf("append to run %s: %w", run.ID, err)
	}
	for {
		seq, err := l.store.Append(ctx, bus.SubjectRun(run.ID), data, prev.Sequence)
		switch {
		case err == nil:
			return Record{Run: run, Sequence: seq, Hash: hash(data)}, nil
		case !errors.Is(err, bus.ErrUnknown):
			if prev.Sequence == 0 && errors.Is(err, bus.ErrConflict) {
				err = fmt.Errorf("%w: %w", bus.ErrExists, err)
			}
			return Record{}, fmt.Errorf("append to run %s: %w", run.ID, err)
		}
		// No answer came: whether it was stored shows in the log.
		last, err := l.Load(ctx, run.ID)
		switch {
		case errors.Is(err, bus.ErrNotFound):
		case err != nil:
			return Record{}, err
		case last.Run.Nonce == run.Nonce:
			return last, nil
		case last.Sequence != prev.Sequence:
			return Record{}, fmt.Errorf("append to run %s: %w", run.ID, bus.ErrConflict)
		}
	}
}

// Load reads a run's newest record. [bus.ErrNotFound] says that there is none.
func (l *RunLog) Load(ctx context.Context, id string) (Record, error) {
	m, err := l.store.Last(ctx, bus.SubjectRun(id))
	if err != nil {
		return Record{}, fmt.Errorf("load run %s: %w", id, err)
	}
	return decode(m)
}

// All gives the newest record of every run that the log still holds, in the
// order of their last moves: for proofs. See [RunLog.List] for what people ask.
func (l *RunLog) All(ctx context.Context) iter.Seq2[Record, error] {
	return records(l.bus.LastPerSubject(ctx, bus.SubjectRun("*")))
}

func records(messages iter.Seq2[bus.Message, error]) iter.Seq2[Record, error] {
	return func(yield func(Record, error) bool) {
		for m, err := range messages {
			if err != nil {
				yield(Record{}, err)
				return
			}
			if !yield(decode(m)) {
				return
			}
		}
	}
}

func decode(m bus.Message) (Record, error) {
	var run event.Run
	if err := json.Unmarshal(m.Data, &run); err != nil {
		return Record{}, fmt.Errorf("decode run record %d: %w", m.Sequence, err)
	}
	return Record{Run: run, Sequence: m.Sequence, Hash: hash(m.Data), message: m}, nil
}

func hash(data []byte) string {
	sum := sha256.Sum256(data)
	return hex.EncodeToString(sum[:])
}
