package runlog

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"iter"
	"strings"

	"github.com/firebreak-io/firebreak/internal/bus"
	"github.com/firebreak-io/firebreak/internal/event"
	"github.com/firebreak-io/firebreak/respond/receipt"
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
	// Unreadable says why the entry can't be read: then Run is no more than its
	// id, and that people have to look. Nobody can go on with such a run.
	Unreadable error

	message bus.Message
}

// Message is the entry as it is stored; the zero value for one that was written
// here and not read back.
func (r Record) Message() bus.Message { return r.message }

// Log is the authoritative history of runs: each entry the whole run,
// chained by hashes, appended by compare-and-set. It may be used
// concurrently.
type Log struct {
	bus   *bus.Bus
	store Store
	epoch uint64
	view  *indexView
}

// Store is what takes records. [*bus.Bus] is one, with the errors that it
// documents.
type Store interface {
	Append(ctx context.Context, subject string, data []byte, last uint64) (uint64, error)
	Last(ctx context.Context, subject string) (bus.Message, error)
}

// New writes under the given epoch, which is that of the lease; who only reads
// gives 0.
func New(b *bus.Bus, epoch uint64) *Log {
	return &Log{bus: b, store: b, epoch: epoch, view: &indexView{}}
}

// Over is a log in any store: its runs can be written and loaded, not found in
// other ways.
func Over(s Store, epoch uint64) *Log { return &Log{store: s, epoch: epoch} }

// Epoch is the one that it writes under.
func (l *Log) Epoch() uint64 { return l.epoch }

// Create writes the first record of a run. [bus.ErrExists] says that the run
// was begun before, by whomever.
func (l *Log) Create(ctx context.Context, run event.Run) (Record, error) {
	return l.write(ctx, Record{}, run)
}

// Append writes the next record after prev. [bus.ErrConflict] says that
// somebody else has written in between: load and decide again. [ErrStale] says
// that a newer responder owns the run.
func (l *Log) Append(ctx context.Context, prev Record, run event.Run) (Record, error) {
	if prev.Run.Epoch > l.epoch {
		return Record{}, fmt.Errorf("append to run %s: %w", run.ID, ErrStale)
	}
	return l.write(ctx, prev, run)
}

func (l *Log) write(ctx context.Context, prev Record, run event.Run) (Record, error) {
	run.Record, run.Previous, run.Epoch, run.Nonce = prev.Run.Record+1, prev.Hash, l.epoch, rand.Text()
	run.Denies = run.LocksOut()
	data, err := json.Marshal(run)
	if err != nil {
		return Record{}, fmt.Errorf("append to run %s: %w", run.ID, err)
	}
	for {
		seq, err := l.store.Append(ctx, bus.SubjectRun(run.ID), data, prev.Sequence)
		switch {
		case err == nil:
			return Record{Run: run, Sequence: seq, Hash: receipt.Hash(data)}, nil
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
func (l *Log) Load(ctx context.Context, id string) (Record, error) {
	m, err := l.store.Last(ctx, bus.SubjectRun(id))
	if err != nil {
		return Record{}, fmt.Errorf("load run %s: %w", id, err)
	}
	return decode(m)
}

// All gives the newest record of every run that the log still holds, in the
// order of their last moves: for proofs. See [Log.List] for what people ask.
func (l *Log) All(ctx context.Context) iter.Seq2[Record, error] {
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

// decode reads an entry. One that can't be read, or is not of the run under
// whose name it stands, is [Record.Unreadable], so that it keeps no other run
// from being read; what has no name is an error then.
func decode(m bus.Message) (Record, error) {
	rec := Record{Sequence: m.Sequence, Hash: receipt.Hash(m.Data), message: m}
	id := strings.TrimPrefix(m.Subject, bus.SubjectRun(""))
	err := json.Unmarshal(m.Data, &rec.Run)
	if err == nil && m.Subject != "" && rec.Run.ID != id {
		err = fmt.Errorf("it is of run %q", event.Shorten(rec.Run.ID, event.MaxNote))
	}
	switch {
	case err == nil:
		return rec, nil
	case m.Subject == "":
		return Record{}, fmt.Errorf("decode run record: %w", err)
	}
	rec.Unreadable = fmt.Errorf("record %d of the run log can't be read: %w", m.Sequence, err)
	rec.Run = event.Run{ID: id, State: event.RunNeedsHuman, Reason: event.Shorten(rec.Unreadable.Error(), event.MaxNote), Created: m.Time, Updated: m.Time}
	return rec, nil
}
