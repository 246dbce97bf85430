package tail

import (
	"errors"
	"io/fs"
	"log/slog"
	"sync"

	"github.com/fsnotify/fsnotify"
)

// watcher tells what changed in some directories. It is a help only: where the
// system tells nothing, the polling finds the same.
type watcher struct {
	fs     *fsnotify.Watcher
	logger *slog.Logger
	name   string
	wake   chan struct{}
	dirs   map[string]bool
	said   bool

	mu      sync.Mutex
	written map[string]bool // files that were written to
	moved   bool            // a name came or went
	all     bool            // too much happened to tell
}

// maxChanges is how many names are told one by one.
const maxChanges = 10_000

// newWatcher watches nothing when the system can't, or when it shall not.
func newWatcher(o Options) *watcher {
	w := &watcher{logger: o.Logger, name: o.Name, wake: make(chan struct{}, 1), dirs: map[string]bool{}, written: map[string]bool{}}
	if o.PollOnly {
		return w
	}
	notices, err := fsnotify.NewWatcher()
	if err != nil {
		w.say(err)
		return w
	}
	w.fs = notices
	go w.run()
	return w
}

func (w *watcher) say(err error) {
	if !w.said {
		w.said = true
		w.logger.Warn("the system does not tell of all changes; polling finds them", "files", w.name, "error", err)
	}
}

func (w *watcher) run() {
	for {
		select {
		case e, ok := <-w.fs.Events:
			if !ok {
				return
			}
			w.take(e)
		case _, ok := <-w.fs.Errors:
			if !ok {
				return
			}
			w.mu.Lock()
			w.all = true
			w.mu.Unlock()
		}
		select {
		case w.wake <- struct{}{}:
		default:
		}
	}
}

func (w *watcher) take(e fsnotify.Event) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if e.Op&(fsnotify.Create|fsnotify.Remove|fsnotify.Rename) != 0 {
		w.moved = true
	}
	if e.Op&(fsnotify.Write|fsnotify.Create) != 0 {
		if len(w.written) < maxChanges {
			w.written[e.Name] = true
		} else {
			w.all = true
		}
	}
}

// changes gives what happened since the last call.
func (w *watcher) changes() (written map[string]bool, moved, all bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	moved, all = w.moved, w.all
	if len(w.written) > 0 {
		written, w.written = w.written, map[string]bool{}
	}
	w.moved, w.all = false, false
	return written, moved, all
}

// follow watches these directories and no others.
func (w *watcher) follow(want map[string]bool) {
	if w.fs == nil {
		return
	}
	for dir := range want {
		if w.dirs[dir] {
			continue
		}
		err := w.fs.Add(dir)
		if err == nil {
			w.dirs[dir] = true
		} else if !errors.Is(err, fs.ErrNotExist) {
			w.say(err)
		}
	}
	for dir := range w.dirs {
		if !want[dir] {
			_ = w.fs.Remove(dir) // it may be gone already
			delete(w.dirs, dir)
		}
	}
}

func (w *watcher) close() {
	if w.fs != nil {
		w.fs.Close()
	}
}
