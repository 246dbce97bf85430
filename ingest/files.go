package ingest

import (
	"context"
	"fmt"
	"maps"
	"path/filepath"
	"slices"
	"time"

	"github.com/firebreak-io/firebreak/ingest/tail"
	"github.com/firebreak-io/firebreak/internal/event"
)

// files is what stands between the follower of files and the sink, for all
// sources that are read from files. It is the follower's [tail.Handler].
type files struct {
	d     Deps
	batch fileBatch
	// open makes the reader of a group.
	open func(f *files, group, path, target, state string) tail.Reader
}

func (f *files) Open(group, path, target, state string) tail.Reader {
	return f.open(f, group, path, target, state)
}

func (f *files) Full() bool { return f.batch.full() }

func (f *files) Take() func(context.Context) error {
	if f.batch.empty() {
		return nil
	}
	b := f.batch.take()
	return b.store(f.d)
}

// now is when a line was read.
func (f *files) now() time.Time {
	if f.d.Now != nil {
		return f.d.Now()
	}
	return time.Now()
}

// followFiles opens a source that is read from files. The checkpoint is of the
// kind's name in the data directory.
func followFiles(d Deps, source event.Source, checkpoint string, o tail.Options, open func(*files, string, string, string, string) tail.Reader) (Source, error) {
	o.Handler = &files{d: d, batch: fileBatch{source: source}, open: open}
	o.Checkpoint = filepath.Join(d.Data, checkpoint)
	o.Logger, o.Now = d.Logger, d.Now
	o.Count = func(ctx context.Context, fault tail.Fault, n int64) {
		d.Metrics.FileFault(ctx, source, string(fault), n)
	}
	settler := SettlerOf(d.Sink)
	o.Mark, o.Settled, o.Settle = settler.Mark, settler.Settled, settler.Flush
	t, err := tail.New(o)
	if err != nil {
		return Source{}, err
	}
	return Source{Run: t.Run}, nil
}

// under makes a path of the configuration absolute.
func (d Deps) under(path string) string {
	if filepath.IsAbs(path) {
		return filepath.Clean(path)
	}
	return filepath.Join(d.Dir, path)
}

func fileAt(path string, number int64) string { return fmt.Sprintf("%s:%d", path, number+1) }

func sortedKeys[V any](m map[string]V) []string { return slices.Sorted(maps.Keys(m)) }
