package conf

import (
	"fmt"
	"log/slog"
	"os"
	"sync"
	"time"
)

// freshEvery is how often the files of a [Fresh] are looked at, at most.
const freshEvery = time.Second

// Fresh is a value made of files, and made again when one of them changes: a
// credential or a certificate is rotated without a restart. What can't be read
// never replaces what could: the old value stays, the log says why, and the
// files are tried again. It is safe for concurrent use.
type Fresh[T any] struct {
	name   string
	read   func() (T, error)
	files  []string
	logger *slog.Logger

	mu     sync.Mutex
	value  T
	seen   []os.FileInfo
	looked time.Time
	failed string
}

// NewFresh reads the value for the first time. The name stands in the log and
// in the error. Files are watched by their time, size and identity, which
// changes where a mounted Secret does.
func NewFresh[T any](name string, logger *slog.Logger, read func() (T, error), files ...string) (*Fresh[T], error) {
	if logger == nil {
		logger = slog.New(slog.DiscardHandler)
	}
	f := &Fresh[T]{name: name, read: read, files: files, logger: logger, looked: time.Now()}
	// Looked at before they are read: a change in between is seen next time.
	f.seen = f.look()
	var err error
	if f.value, err = read(); err != nil {
		return nil, fmt.Errorf("read %s: %w", name, err)
	}
	return f, nil
}

// Get is the newest value that could be read. It looks at the files once a
// second at most.
func (f *Fresh[T]) Get() T {
	f.mu.Lock()
	defer f.mu.Unlock()
	now := time.Now()
	if now.Sub(f.looked) < freshEvery && !now.Before(f.looked) {
		return f.value
	}
	f.looked = now
	if seen := f.look(); f.failed != "" || changed(f.seen, seen) {
		f.reload(seen)
	}
	return f.value
}

func (f *Fresh[T]) reload(seen []os.FileInfo) {
	value, err := f.read()
	if err != nil {
		if f.failed != err.Error() { // once for each reason, not once a second
			f.logger.Error("a changed file can't be used, what was read before stays in use", "what", f.name, "error", err)
		}
		f.failed = err.Error()
		return
	}
	f.value, f.seen, f.failed = value, seen, ""
	f.logger.Info("read again", "what", f.name)
}

func (f *Fresh[T]) look() []os.FileInfo {
	seen := make([]os.FileInfo, len(f.files))
	for i, name := range f.files {
		if info, err := os.Stat(name); err == nil {
			seen[i] = info
		}
	}
	return seen
}

func changed(a, b []os.FileInfo) bool {
	for i := range a {
		if (a[i] == nil) != (b[i] == nil) {
			return true
		}
		if a[i] != nil && (!os.SameFile(a[i], b[i]) || !a[i].ModTime().Equal(b[i].ModTime()) || a[i].Size() != b[i].Size()) {
			return true
		}
	}
	return false
}
