package tail

import (
	"container/list"
	"context"
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"
	"time"
)

// Follower follows files. Make one with [New], and call Run once.
type Follower struct {
	o       Options
	ctx     context.Context // of Run
	roots   roots
	listers []*lister
	last    map[fileKey]position // of the run before, until the first look
	copied  map[fileKey]bool     // of last, whose rest is read from a copy
	files   map[fileKey]*file
	paths   map[string]*file // by the name
	placed  map[string]*file // by the name without links
	groups  map[string]*group
	hot     map[*group]bool      // may have something to read
	waiting map[*group]time.Time // want to be called again
	touched map[*group]bool      // gave lines since the last batch
	handles *list.List           // open files, the one used last first
	buf     []byte
	watch   *watcher
	flight  *flight
	keeper  keeper
	said    map[string]time.Time
	// found and looked are when the names and the files were looked at, passed
	// is when the last pass ended, looking is how long the last look at the
	// names took.
	found, looked time.Time
	looks         uint64 // at the names
	looking       time.Duration
	passed        time.Time
	moved         bool // names have changed since
	full          bool // there are more files than the bound, and it was said
	dirty         bool // positions have changed since the last checkpoint
	unread        bool // the checkpoint could not be read
}

// New opens the directories and reads the checkpoint. One that can't be read
// is moved aside and said: then all files that are there are read from their
// beginning.
func New(o Options) (*Follower, error) {
	if err := o.fill(); err != nil {
		return nil, fmt.Errorf("follow %s: %w", o.Name, err)
	}
	t := &Follower{
		o: o, last: map[fileKey]position{}, copied: map[fileKey]bool{}, files: map[fileKey]*file{}, paths: map[string]*file{}, groups: map[string]*group{},
		hot: map[*group]bool{}, waiting: map[*group]time.Time{}, touched: map[*group]bool{}, handles: list.New(),
		buf: make([]byte, o.MaxLine+max(o.MaxLine, 256<<10)), said: map[string]time.Time{},
		watch: &watcher{},
	}
	dirs := make([]string, 0, len(o.Places)+len(o.Links))
	for _, p := range o.Places {
		dirs = append(dirs, p.Dir)
	}
	var err error
	if t.roots, err = openRoots(append(dirs, o.Links...)); err != nil {
		return nil, fmt.Errorf("follow %s: %w", o.Name, err)
	}
	for i, p := range o.Places {
		t.listers = append(t.listers, &lister{Place: p, root: t.roots[i], dirs: map[string]*listing{}})
	}
	positions, err := loadCheckpoint(o.Checkpoint)
	if err != nil {
		aside := o.Checkpoint + ".bad"
		t.unread = true
		o.Logger.Error("the checkpoint can't be read; all files are read from their beginning", "files", o.Name, "error", err, "moved_to", aside)
		if err := os.Rename(o.Checkpoint, aside); err != nil {
			o.Logger.Error("move the checkpoint aside", "error", err)
		}
	}
	for _, p := range positions {
		t.last[fileKey{p.Device, p.Inode}] = p
	}
	return t, nil
}

const (
	// pause is the least time between two passes, in which writes gather.
	pause = 20 * time.Millisecond
	// between is the least time between two looks at the names; where these
	// take long it is longer.
	between = 10 * time.Millisecond
	// settleTime bounds the settling at the end.
	settleTime = 5 * time.Second
)

// Run follows the files until ctx ends. Nothing that goes wrong with a file,
// the store or the checkpoint ends it: that is logged, counted and tried again.
func (t *Follower) Run(ctx context.Context) error {
	defer t.close()
	t.ctx = ctx
	if t.unread {
		t.count(FaultCheckpoint, 1)
	}
	t.watch = newWatcher(t.o)
	defer t.watch.close()
	for {
		err := t.pass(ctx)
		if ctx.Err() != nil {
			return t.end(ctx)
		}
		if err != nil {
			return err
		}
		t.keep()
		if !t.wait(ctx) {
			return t.end(ctx)
		}
	}
}

// end keeps what is stored. What is on its way may have come there.
func (t *Follower) end(ctx context.Context) error {
	_ = t.land(ctx) // what was not stored is read again
	if t.o.Settle != nil {
		last, cancel := context.WithTimeout(context.WithoutCancel(ctx), settleTime)
		defer cancel()
		if err := t.o.Settle(last); err != nil {
			t.o.Logger.WarnContext(ctx, "settle what was read", "files", t.o.Name, "error", err)
		}
	}
	t.keepLast()
	return nil
}

// wait waits until there may be something to do. It is false when ctx ended.
func (t *Follower) wait(ctx context.Context) bool {
	now := t.o.Now()
	next := t.looked.Add(t.o.Poll)
	for _, at := range t.waiting {
		if at.Before(next) {
			next = at
		}
	}
	if at := t.found.Add(t.between()); t.moved && at.Before(next) {
		next = at
	}
	if at := t.keeper.next(t.dirty); !at.IsZero() && at.Before(next) {
		next = at
	}
	timer := time.NewTimer(next.Sub(now))
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-timer.C:
	case <-t.watch.wake:
		// Writes gather, so that a busy file is not read for each line of it.
		if rest := pause - t.o.Now().Sub(t.passed); rest > 0 && !t.gather(ctx, rest) {
			return false
		}
	}
	return true
}

func (t *Follower) gather(ctx context.Context, rest time.Duration) bool {
	timer := time.NewTimer(rest)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-timer.C:
		return true
	}
}

// pass looks for what is new and reads it, each group some of it in its turn,
// until there is nothing more.
func (t *Follower) pass(ctx context.Context) error {
	for {
		t.look()
		if len(t.hot) == 0 {
			break
		}
		for _, g := range slices.SortedFunc(maps.Keys(t.hot), func(a, b *group) int { return strings.Compare(a.name, b.name) }) {
			if err := t.turn(ctx, g); err != nil {
				return err
			}
		}
		t.keep()
	}
	t.idle()
	if err := t.flush(ctx); err != nil {
		return err
	}
	if err := t.land(ctx); err != nil {
		return err
	}
	t.forget()
	t.passed = t.o.Now()
	return nil
}

// look finds what has changed: all of it when it is time for that, else what
// the system told.
func (t *Follower) look() {
	now := t.o.Now()
	written, moved, all := t.watch.changes()
	t.moved = t.moved || moved || all
	due := t.looked.IsZero() || now.Sub(t.looked) >= t.o.Poll
	if due || t.moved && now.Sub(t.found) >= t.between() {
		t.discover()
	}
	if due || all {
		t.looked = now
		for _, f := range t.files {
			if f.look() {
				t.hot[f.group] = true
			}
		}
		return
	}
	for path := range written {
		if f := t.placed[path]; f != nil {
			t.hot[f.group] = true
		}
	}
}

// idle tells the readers that nothing more comes for now, when it is time.
func (t *Follower) idle() {
	now := t.o.Now()
	for g, at := range t.waiting {
		if !at.After(now) {
			t.rest(g, now)
		}
	}
}

func (t *Follower) rest(g *group, now time.Time) {
	t.touched[g] = true
	if next := g.reader.Idle(now); next.IsZero() {
		delete(t.waiting, g)
	} else {
		t.waiting[g] = next
	}
}

// forget drops the files that are gone and read.
func (t *Follower) forget() {
	for _, f := range t.files {
		if f.ended && (f.shadow != nil || f.saved.Offset == f.at.Offset) {
			t.drop(f)
		}
	}
}

func (t *Follower) drop(f *file) {
	t.shut(f)
	g := f.group
	g.number = max(g.number, f.at.Number)
	delete(t.files, f.key)
	g.files = slices.DeleteFunc(g.files, func(o *file) bool { return o == f })
	for _, o := range g.files {
		if o.shadow == f {
			o.shadow = nil
			t.hot[g] = true
		}
	}
	if len(g.files) == 0 {
		delete(t.groups, g.name)
		delete(t.hot, g)
		delete(t.waiting, g)
		delete(t.touched, g)
	}
	t.dirty = true
}

// say logs a fault and counts it, each at most once in five minutes.
func (t *Follower) say(about string, f Fault, text string, args ...any) {
	now := t.o.Now()
	if last, ok := t.said[about]; ok && now.Sub(last) < 5*time.Minute {
		return
	}
	if len(t.said) >= 10_000 {
		clear(t.said)
	}
	t.said[about] = now
	t.count(f, 1)
	t.o.Logger.Warn(text, args...)
}

func (t *Follower) between() time.Duration { return max(between, 10*t.looking) }

func (t *Follower) count(f Fault, n int64) {
	if n > 0 {
		t.o.Count(t.ctx, f, n)
	}
}

func (t *Follower) close() {
	for _, f := range t.files {
		f.close()
	}
	t.roots.close()
}
