package tail

import (
	"errors"
	"io/fs"
	"path/filepath"
	"slices"
)

// discover finds the files, opens new ones, follows renamed ones, and marks
// those that are gone.
func (t *Follower) discover() {
	now := t.o.Now()
	names, whole := t.list()
	seen := make(map[fileKey]bool, len(names))
	var strange []met
	for _, n := range names {
		if f := t.paths[n.path]; f != nil && !n.fresh {
			seen[f.key] = true
			continue
		}
		m, ok := t.meet(n)
		if !ok || seen[m.key] {
			continue
		}
		seen[m.key] = true
		if !t.known(m) {
			strange = append(strange, m)
		}
	}
	// Those that are known first: a copy is told by what it is a copy of.
	for _, m := range strange {
		t.adopt(m)
	}
	t.paths, t.placed = make(map[string]*file, len(t.files)), make(map[string]*file, len(t.files))
	for key, f := range t.files {
		f.gone = f.unnamed || whole && !seen[key]
		if f.truncated {
			t.hot[f.group] = true
		}
		if !f.gone {
			t.paths[f.path], t.placed[f.place.path] = f, f
		}
	}
	t.missing()
	for _, g := range t.groups {
		slices.SortStableFunc(g.files, func(a, b *file) int { return byAge(a.path, b.path) })
	}
	t.found, t.moved, t.looking = now, false, t.o.Now().Sub(now)
	t.looks++
	t.watch.follow(t.directories())
}

// met is a file at a name, by its identity now.
type met struct {
	found
	key   fileKey
	place place
	info  fs.FileInfo
}

// list gives the names that are wanted, of each group the oldest first. It
// says whether all places could be read: if not, nothing is taken to be gone.
func (t *Follower) list() (names []found, whole bool) {
	whole = true
	for _, l := range t.listers {
		some, err := l.list(t.o.Now())
		if err != nil {
			whole = false
			t.say(err.Error(), FaultRead, "list "+t.o.Name, "error", err)
		}
		names = append(names, some...)
	}
	slices.SortStableFunc(names, func(a, b found) int { return a.age.compare(b.age) })
	if len(names) <= t.o.MaxFiles {
		t.full = false
		return names, whole
	}
	if !t.full {
		t.full = true
		t.count(FaultMany, 1)
		t.o.Logger.Warn("more files than max_files, the rest is not read", "files", t.o.Name, "found", len(names), "max_files", t.o.MaxFiles)
	}
	// Those that are read already stay.
	reading, rest := []found{}, []found{}
	for _, n := range names {
		if t.paths[n.path] != nil {
			reading = append(reading, n)
		} else {
			rest = append(rest, n)
		}
	}
	return append(reading, rest...)[:t.o.MaxFiles], whole
}

// meet looks at what a name leads to.
func (t *Follower) meet(n found) (met, bool) {
	at, info, err := t.roots.find(n.path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return met{}, false
	case errors.Is(err, errOutside):
		t.say("link "+n.path, FaultLink, "a link leads out of the allowed directories and is not followed", "path", n.path)
		return met{}, false
	case err != nil:
		t.say("find "+n.path, FaultRead, "find "+t.o.Name, "path", n.path, "error", err)
		return met{}, false
	case !info.Mode().IsRegular():
		return met{}, false
	}
	return met{found: n, key: keyOf(info), place: at, info: info}, true
}

// known takes a file that is read already, perhaps under a new name, or was
// read before the restart.
func (t *Follower) known(m met) bool {
	if f := t.files[m.key]; f != nil {
		if f.group.name == m.group && !f.replaced(m) {
			f.path, f.place = m.path, m.place
			return true
		}
		// The file was closed, and its inode is another file's now.
		t.drop(f)
		return false
	}
	last, ok := t.last[m.key]
	if !ok || last.Group != m.group {
		return false
	}
	handle, info, err := m.place.open(m.key)
	if err != nil {
		return false
	}
	if last.Copy && last.HeadLen == hashMax {
		last.within(info.Size())
	}
	if !last.is(handle, info.Size()) {
		handle.Close()
		return false
	}
	delete(t.last, m.key)
	f := t.take(m, last)
	t.opened(f, handle)
	if last.Copy {
		f.shadow = f // of whom is found out in missing
	}
	return true
}

// replaced says that a copy, which nobody reads and so nobody would miss, is
// another file now: it was closed, and its inode was given out again. Of all
// others the reading finds it.
func (f *file) replaced(m met) bool {
	if f.shadow == nil || f.f != nil {
		return false
	}
	handle, info, err := m.place.open(m.key)
	if err != nil {
		return false
	}
	defer handle.Close()
	at := f.saved
	at.within(info.Size())
	return !at.is(handle, info.Size())
}

// adopt takes a file that was not read before: all of it, or what the file
// that it is a copy of has not given.
func (t *Follower) adopt(m met) {
	handle, info, err := m.place.open(m.key)
	if err != nil {
		if !errors.Is(err, fs.ErrNotExist) && !errors.Is(err, errOther) {
			t.say("open "+m.path, FaultRead, "open "+t.o.Name, "path", m.path, "error", err)
		}
		t.moved = true
		return
	}
	at := position{}
	original, left := t.original(m, func(p *position) bool { return p.is(handle, info.Size()) })
	switch {
	case left != nil:
		at = *left
		t.copied[fileKey{left.Device, left.Inode}] = true
	case original != nil:
		at = original.saved
		at.Copy = true
	default:
		// It has the place of a file that was there before the restart: that
		// one was compressed, and this has its name and inode, or it was
		// truncated.
		if last, ok := t.last[m.key]; ok && last.Group == m.group && last.Path == m.path {
			at.Number = last.Number
			at.Truncated = t.copied[m.key] || !t.unpack(last)
			delete(t.last, m.key)
			if at.Truncated {
				t.count(FaultTruncated, 1)
			}
		}
	}
	at.Truncated = at.Truncated && at.Offset == 0
	f := t.take(m, at)
	f.shadow = original
	t.opened(f, handle)
}

// original finds what a rotated name is a copy of (logrotate's copytruncate):
// a file that is read, or a position of the last run. Only what has a full
// hash is sure enough.
func (t *Follower) original(m met, same func(*position) bool) (*file, *position) {
	if _, mark := Live(m.path); mark == "" {
		return nil, nil
	}
	if g := t.groups[m.group]; g != nil {
		for _, f := range g.files {
			p := f.saved
			if f.shadow == nil && p.HeadLen == hashMax && p.Offset > 0 && byAge(m.path, f.path) < 0 && same(&p) {
				return f, nil
			}
		}
	}
	for key, p := range t.last {
		if !t.copied[key] && p.Group == m.group && p.HeadLen == hashMax && p.Offset > 0 && byAge(m.path, p.Path) < 0 && same(&p) {
			return nil, &p
		}
	}
	return nil, nil
}

// take puts a file into its group.
func (t *Follower) take(m met, at position) *file {
	g := t.groups[m.group]
	if g == nil {
		g = &group{name: m.group, reader: t.o.Handler.Open(m.group, m.path, m.place.path, t.stateOf(m.group, at))}
		t.groups[m.group] = g
	}
	g.ended = false
	if at.Offset == 0 && !at.Truncated {
		at.Number = g.number
		for _, f := range g.files {
			at.Number = max(at.Number, f.at.Number)
		}
	}
	at.Group, at.Path, at.Device, at.Inode = m.group, m.path, m.key.device, m.key.inode
	f := &file{group: g, key: m.key, path: m.path, place: m.place, saved: at, at: at}
	g.files = append(g.files, f)
	t.files[m.key] = f
	t.hot[g] = true
	t.dirty = true
	return f
}

// stateOf is the state of the group's youngest position.
func (t *Follower) stateOf(group string, at position) string {
	state, number := at.State, at.Number
	for _, p := range t.last {
		if p.Group == group && p.Number > number {
			state, number = p.State, p.Number
		}
	}
	return state
}

// missing says, after the first look, which files of the last run are not
// there any more, and ends what the copies were of.
func (t *Follower) missing() {
	for key, p := range t.last {
		if !p.Copy && !t.copied[key] && !t.unpack(p) {
			t.count(FaultGone, 1)
			t.o.Logger.Info("a file that was read before the restart is gone; what was added to it since is not read", "path", p.Path, "offset", p.Offset)
		}
	}
	clear(t.last)
	clear(t.copied)
	for _, f := range t.files {
		if f.shadow == f || f.shadow != nil && f.shadow.ended {
			f.shadow = nil
			for _, o := range f.group.files {
				if o != f && o.shadow == nil && !o.ended && byAge(f.path, o.path) < 0 && o.saved.HeadLen == hashMax && o.saved.Head == f.saved.Head {
					f.shadow = o
					break
				}
			}
			t.hot[f.group] = true
		}
	}
}

// directories are those in which files may change.
func (t *Follower) directories() map[string]bool {
	dirs := make(map[string]bool, len(t.files)+len(t.listers))
	for _, l := range t.listers {
		dirs[l.root.dir] = true
		for rel := range l.dirs {
			dirs[filepath.Join(l.root.dir, rel)] = true
		}
	}
	for _, f := range t.files {
		dirs[filepath.Dir(f.place.path)] = true
	}
	return dirs
}
