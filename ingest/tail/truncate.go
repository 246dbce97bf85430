package tail

import (
	"context"
	"os"
)

// truncated notes that the file was truncated. The names are looked at before
// it is begun again: what it held may stand in a copy.
func (t *Follower) truncated(f *file) bool {
	f.truncated, f.prepared, t.moved = true, false, true
	f.seen = t.looks
	return false
}

// prepare looks for what is left of the truncated files of a group: in copies,
// which are read first. Where there is none the next line says so. It says
// whether to wait until the names were looked at.
func (t *Follower) prepare(ctx context.Context, g *group) (wait bool, err error) {
	for _, f := range g.files {
		// What is new beside a file may be what it held before a truncation
		// that nobody has seen yet.
		if !f.truncated && f.at.Offset > 0 && g.newBefore(f) && f.look() {
			_, _ = t.ready(f) // a fault is said when it is read
			f.done = false
		}
		if !f.truncated || f.prepared {
			continue
		}
		if t.looks == f.seen {
			return true, nil
		}
		// What is on its way has positions of the files as they were.
		if err := t.flush(ctx); err != nil {
			return false, err
		}
		if err := t.land(ctx); err != nil {
			return false, err
		}
		f.prepared = true
		f.lost = max(f.size-f.at.Offset, 0)
		var copied int64
		for _, o := range g.files {
			if o.shadow == f {
				copied = max(copied, o.resume())
			}
		}
		if copied > f.at.Offset {
			f.lost = 0 // the copy has the rest
		}
		for _, o := range g.files {
			// It was truncated again since: these are copies of what stood in
			// it in between.
			if o != f && o.fresh() && byAge(o.path, f.path) < 0 {
				o.at.Truncated, o.saved.Truncated = true, true
				o.at.Lost, o.saved.Lost = f.lost, f.lost
				t.count(FaultLost, f.lost)
				f.lost = 0
			}
		}
	}
	return false, nil
}

// newBefore says whether nothing was read yet of an older file, or it is a
// copy.
func (g *group) newBefore(f *file) bool {
	for _, o := range g.files {
		if o != f && (o.fresh() || o.shadow == f) && byAge(o.path, f.path) < 0 {
			return true
		}
	}
	return false
}

// fresh says that nothing was read of the file.
func (f *file) fresh() bool { return f.shadow == nil && f.at.Offset == 0 && !f.at.Copy && !f.truncated }

// again begins a truncated file from its beginning.
func (t *Follower) again(f *file) {
	f.group.reader.End()
	t.count(FaultTruncated, 1)
	t.count(FaultLost, f.lost)
	t.o.Logger.Warn("a file was truncated; lines that were written shortly before may be lost", "path", f.path, "read", f.at.Offset, "known_lost_bytes", f.lost)
	number := f.at.Number
	for _, o := range f.group.files {
		number = max(number, o.at.Number)
	}
	f.at.restart(number, f.lost+f.at.Lost)
	f.saved.restart(number, f.lost+f.saved.Lost)
	f.truncated, f.done, f.size, f.lost = false, false, 0, 0
	t.touched[f.group] = true
}

// resume reads a copy from where the file is that it was made of. It gives the
// copy's size.
func (f *file) resume() int64 {
	original := f.shadow
	f.shadow, f.done = nil, false
	f.at.follow(original.at)
	f.saved.follow(original.saved)
	info, err := os.Stat(f.place.path)
	if err != nil {
		return 0
	}
	f.at.within(info.Size())
	f.saved.within(info.Size())
	return info.Size()
}

// within ends a copy's position at the copy's end: it may be older than what
// was read of the original.
func (p *position) within(size int64) {
	if p.Offset > size {
		p.Offset, p.Tail, p.TailLen = size, "", 0
	}
}

// follow takes over how far another position is.
func (p *position) follow(o position) {
	p.Offset, p.Number, p.Skip, p.Hole, p.Copy = o.Offset, o.Number, o.Skip, o.Hole, false
	p.Tail, p.TailLen = o.Tail, o.TailLen
}

// restart begins at the beginning.
func (p *position) restart(number, lost int64) {
	p.Offset, p.Number, p.Skip, p.Hole = 0, number, false, false
	p.Head, p.HeadLen, p.Tail, p.TailLen = "", 0, "", 0
	p.Truncated, p.Lost = true, lost
}
