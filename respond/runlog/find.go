package runlog

import (
	"context"
	"errors"
	"fmt"
	"io"
	"iter"
	"slices"

	"github.com/firebreak-io/firebreak/internal/bus"
	"github.com/firebreak-io/firebreak/respond/receipt"
)

// Find reads a run's newest record, from the log or from the archive.
// [bus.ErrNotFound] says that there is no such run.
func (l *Log) Find(ctx context.Context, id string) (Record, error) {
	rec, err := l.Load(ctx, id)
	if !errors.Is(err, bus.ErrNotFound) {
		return rec, err
	}
	data, more := l.archived(ctx, id)
	if more != nil || len(data) == 0 {
		return Record{}, errors.Join(err, more)
	}
	return decode(bus.Message{Data: data[len(data)-1]})
}

// History gives all records of a run, oldest first, from the log or from the
// archive; none of one that there is not.
func (l *Log) History(ctx context.Context, id string) iter.Seq2[Record, error] {
	return func(yield func(Record, error) bool) {
		first := true
		for rec, err := range records(l.bus.History(ctx, bus.SubjectRun(id))) {
			if err == nil && first && rec.Unreadable == nil && rec.Run.Record != 1 {
				break // the log is forgetting it
			}
			if first = false; !yield(rec, err) || err != nil {
				return
			}
		}
		if !first {
			return
		}
		data, err := l.archived(ctx, id)
		if err != nil {
			yield(Record{}, err)
			return
		}
		for _, d := range data {
			if rec, err := decode(bus.Message{Data: d}); !yield(rec, err) || err != nil {
				return
			}
		}
	}
}

// Receipt gives the records of a run as they are stored, oldest first, from the
// log or from the archive; none of one that there is not.
func (l *Log) Receipt(ctx context.Context, id string) ([][]byte, error) {
	list, err := l.stored(ctx, id)
	if err != nil {
		return nil, err
	}
	// The log may be forgetting it just now.
	if len(list) > 0 {
		if first, err := decode(bus.Message{Data: list[0]}); err == nil && first.Run.Record == 1 {
			return list, nil
		}
	}
	old, err := l.archived(ctx, id)
	if len(old) > 0 {
		list = old
	}
	return list, err
}

// stored gives the records of a run in the log.
func (l *Log) stored(ctx context.Context, id string) ([][]byte, error) {
	var list [][]byte
	for m, err := range l.bus.History(ctx, bus.SubjectRun(id)) {
		if err != nil {
			return nil, fmt.Errorf("read the record of run %s: %w", id, err)
		}
		list = append(list, m.Data)
	}
	return list, nil
}

// archived gives the records of a run in the archive; nil is that it has none.
func (l *Log) archived(ctx context.Context, id string) ([][]byte, error) {
	_, sequence, err := l.ending(ctx, id)
	if errors.Is(err, bus.ErrNotFound) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	parts, _, err := readArchive(ctx, l.bus)
	if err != nil {
		return nil, err
	}
	part, ok := partOf(parts, sequence)
	if !ok {
		return nil, nil
	}
	body, err := l.openPart(ctx, part)
	if err != nil {
		return nil, err
	}
	defer body.Close()
	records, err := receipt.FindInArchive(body, id)
	if err != nil {
		return nil, fmt.Errorf("read run %s in archive %s: %w", id, part.Name, err)
	}
	return records, nil
}

// Part opens a part of the archive by its name: a gzip file, see
// [receipt.VerifyArchive]. [bus.ErrNotFound] says that there is none.
func (l *Log) Part(ctx context.Context, name string) (io.ReadCloser, error) {
	parts, err := l.Archive(ctx)
	if err != nil {
		return nil, err
	}
	at := slices.IndexFunc(parts, func(p Part) bool { return p.Name == name })
	if at < 0 {
		return nil, fmt.Errorf("archive %s: %w", name, bus.ErrNotFound)
	}
	return l.openPart(ctx, parts[at])
}

func (l *Log) openPart(ctx context.Context, p Part) (io.ReadCloser, error) {
	store, err := l.bus.Objects(ctx, archiveStore, -1)
	if err != nil {
		return nil, err
	}
	body, err := store.Get(ctx, p.Object)
	if err != nil {
		return nil, fmt.Errorf("open archive %s: %w", p.Name, err)
	}
	return body, nil
}
