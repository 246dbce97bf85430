package ingest

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/firebreak-io/firebreak/internal/conf"
	"github.com/firebreak-io/firebreak/internal/event"
)

// TailOptions is what the reader of log files needs. Sink, Store and Metrics
// are required.
type TailOptions struct {
	Config LogConfig
	// Checkpoint is the file that holds how far was read.
	Checkpoint string
	Sink       Sink
	// Store takes the lines that can't be read.
	Store   Store
	Metrics Metrics
	Logger  *slog.Logger
	Cluster string
	// Now is the clock; nil means time.Now.
	Now func() time.Time
}

// Tail reads the log files of containers while they grow, over rotation and
// truncation. What was read is remembered only after it was stored, so that
// after a crash some lines are stored again, under the same ids, and none is
// lost that was still there.
//
// The ids hold an ordinal of the line in the container's run. It is remembered
// with the position; if that file is lost, and older log files are gone too,
// lines that are read again get other ids.
type Tail struct {
	o     TailOptions
	root  *os.Root
	lines *lineReader
	known map[fileKey]position
	files map[fileKey]*tailFile
	runs  map[string]*tailRun
	batch tailBatch
	full  bool // more files than MaxFiles were told of
	saved time.Time
	moved bool // lines were read since the last flush
	dirty bool // positions moved since the last save
}

type fileKey struct{ device, inode uint64 }

// NewTail opens the directory and reads the checkpoint. The directory must
// exist. Files outside it are not read, even if a link leads there.
func NewTail(o TailOptions) (*Tail, error) {
	if o.Sink == nil || o.Store == nil || o.Metrics == nil {
		return nil, errors.New("read logs: sink, store and metrics are required")
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Config.Poll <= 0 {
		o.Config.Poll = conf.Duration(2 * time.Second)
	}
	if o.Config.MaxFiles <= 0 {
		o.Config.MaxFiles = 2000
	}
	positions, err := loadCheckpoint(o.Checkpoint)
	if err != nil {
		return nil, err
	}
	root, err := os.OpenRoot(o.Config.Directory)
	if err != nil {
		return nil, fmt.Errorf("read logs: %w", err)
	}
	t := &Tail{
		o: o, root: root, lines: newLineReader(nil, maxLine),
		known: map[fileKey]position{}, files: map[fileKey]*tailFile{}, runs: map[string]*tailRun{},
	}
	for _, p := range positions {
		t.known[fileKey{p.Device, p.Inode}] = p
	}
	return t, nil
}

// Run reads until ctx ends, and saves how far it came. Files that can't be
// read and a store that is down are logged and tried again; only a fault of
// the checkpoint is returned.
func (t *Tail) Run(ctx context.Context) error {
	defer t.close()
	watch := newWatcher(t.o.Config.Directory, t.o.Logger)
	defer watch.close()
	poll := time.NewTicker(t.o.Config.Poll.Std())
	defer poll.Stop()
	for {
		more, err := t.pass(ctx)
		if ctx.Err() != nil {
			return t.save()
		}
		if err != nil {
			t.o.Logger.WarnContext(ctx, "read logs", "error", err)
			more = false
		}
		if t.dirty && t.o.Now().Sub(t.saved) >= time.Second {
			if err := t.save(); err != nil {
				return err
			}
		}
		if more {
			continue
		}
		watch.follow(t.directories())
		select {
		case <-ctx.Done():
			return t.save()
		case <-poll.C:
		case <-watch.changed(err):
		}
		// Writes gather, so that a busy file is not read for each line of it.
		select {
		case <-ctx.Done():
		case <-time.After(gatherTime):
		}
	}
}

const gatherTime = 50 * time.Millisecond

// pass looks for files and reads what is new in each. It says whether it
// stopped at a bound before the end.
func (t *Tail) pass(ctx context.Context) (more bool, err error) {
	if err := t.discover(); err != nil {
		return false, err
	}
	for _, name := range sortedKeys(t.runs) {
		run := t.runs[name]
		rest, err := t.readRun(ctx, run)
		if err != nil {
			t.rewind()
			return false, err
		}
		more = more || rest
	}
	if err := t.flush(ctx); err != nil {
		t.rewind()
		return false, err
	}
	t.forget()
	return more, nil
}

// readRun reads the files of one run in their order; a younger one only when
// the older ones are at their end.
func (t *Tail) readRun(ctx context.Context, run *tailRun) (more bool, err error) {
	for i, f := range run.files {
		if i > 0 && f.ordinal < run.files[i-1].ordinal && f.next == 0 {
			f.ordinal = run.files[i-1].ordinal
			f.saved.Ordinal = f.ordinal
		}
		if truncated, err := f.check(); err != nil {
			return false, err
		} else if truncated {
			t.addRest(run)
		}
		more, err := f.read(t.lines, func(raw rawLine, offset, ordinal int64) error {
			return t.line(ctx, f, raw, offset, ordinal)
		})
		if err != nil || more {
			return more, err
		}
	}
	if !slices.ContainsFunc(run.files, func(f *tailFile) bool { return !f.ended }) {
		t.addRest(run)
	}
	return false, nil
}

// addRest gives what never came to its end.
func (t *Tail) addRest(run *tailRun) {
	for _, o := range run.lines.flush() {
		t.batch.add(run.lines.event(o))
	}
}

// line takes one line into the batch, and stores the batch when it is full.
func (t *Tail) line(ctx context.Context, f *tailFile, raw rawLine, offset, ordinal int64) error {
	t.moved = true
	a := f.run.lines
	a.origin.Received = t.o.Now()
	from := fmt.Sprintf("%s:%d", filepath.Join(t.o.Config.Directory, f.path), ordinal+1)
	done, class, fault := a.add(raw, 0, ordinal, from)
	switch {
	case fault != nil:
		t.batch.reject(f, reject(event.SourceLog, from, fault.Error(), raw.text))
	case done != nil:
		t.batch.add(a.event(done))
	case class == lineBegun:
		for _, o := range a.open {
			if o.ordinal == ordinal {
				o.file, o.offset = f, offset
			}
		}
	}
	if t.batch.full() {
		return t.flush(ctx)
	}
	return nil
}

// flush stores the batch, and then remembers the positions.
func (t *Tail) flush(ctx context.Context) error {
	events, rejects := t.batch.take()
	if !t.moved && len(events) == 0 {
		return nil
	}
	for _, r := range rejects {
		t.o.Metrics.Rejected(ctx, event.SourceLog, reasonClass(r.Reason))
		if err := t.o.Store.Dead(ctx, r); err != nil {
			return fmt.Errorf("keep reject: %w", err)
		}
	}
	if err := t.o.Sink.Put(ctx, events); err != nil {
		return err
	}
	countStored(ctx, t.o.Metrics, event.SourceLog, events)
	for _, run := range t.runs {
		run.commit()
	}
	t.moved, t.dirty = false, true
	return nil
}

func (t *Tail) rewind() {
	t.batch.take()
	t.moved = false
	for _, run := range t.runs {
		run.rewind()
	}
}

// forget closes the files that are gone and read.
func (t *Tail) forget() {
	for key, f := range t.files {
		if !f.ended {
			continue
		}
		f.f.Close()
		f.run.ordinal = max(f.run.ordinal, f.ordinal)
		delete(t.files, key)
		delete(t.known, key)
		f.run.files = slices.DeleteFunc(f.run.files, func(o *tailFile) bool { return o == f })
		if len(f.run.files) == 0 {
			delete(t.runs, f.run.name)
		}
	}
}

// save writes the checkpoint.
func (t *Tail) save() error {
	positions := make([]position, 0, len(t.files))
	for _, f := range t.files {
		positions = append(positions, f.saved)
	}
	slices.SortFunc(positions, func(a, b position) int { return cmp.Or(cmp.Compare(a.Path, b.Path), cmp.Compare(a.Inode, b.Inode)) })
	t.saved, t.dirty = t.o.Now(), false
	return saveCheckpoint(t.o.Checkpoint, positions)
}

func (t *Tail) close() {
	for _, f := range t.files {
		f.f.Close()
	}
	t.root.Close()
}
