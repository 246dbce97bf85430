package ingest

import (
	"log/slog"
	"path/filepath"

	"github.com/fsnotify/fsnotify"
)

// watcher tells that something changed in some directories. It is a help
// only: where the system tells nothing, the reader's polling finds the same.
type watcher struct {
	root   string
	fs     *fsnotify.Watcher
	logger *slog.Logger
	wake   chan struct{}
	dirs   map[string]bool
}

// newWatcher watches nothing when the system can't.
func newWatcher(root string, logger *slog.Logger) *watcher {
	w := &watcher{root: root, logger: logger, wake: make(chan struct{}, 1), dirs: map[string]bool{}}
	fs, err := fsnotify.NewWatcher()
	if err != nil {
		logger.Warn("watch logs: polling only", "error", err)
		return w
	}
	w.fs = fs
	go w.run()
	return w
}

func (w *watcher) run() {
	for {
		select {
		case _, ok := <-w.fs.Events:
			if !ok {
				return
			}
		case _, ok := <-w.fs.Errors:
			if !ok {
				return
			}
		}
		select {
		case w.wake <- struct{}{}:
		default:
		}
	}
}

// follow watches these directories, relative to the root, and no others.
func (w *watcher) follow(dirs []string) {
	if w.fs == nil {
		return
	}
	want := make(map[string]bool, len(dirs))
	for _, dir := range dirs {
		want[dir] = true
		// A directory that is gone, or one too many for the system, is polled.
		if !w.dirs[dir] && w.fs.Add(filepath.Join(w.root, dir)) == nil {
			w.dirs[dir] = true
		}
	}
	for dir := range w.dirs {
		if !want[dir] {
			_ = w.fs.Remove(filepath.Join(w.root, dir)) // it may be gone already
			delete(w.dirs, dir)
		}
	}
}

// changed fires after a change. After a fault of the last pass nothing but
// the polling wakes the reader, so that it doesn't spin.
func (w *watcher) changed(fault error) <-chan struct{} {
	if fault != nil {
		return nil
	}
	return w.wake
}

func (w *watcher) close() {
	if w.fs != nil {
		w.fs.Close()
	}
}
