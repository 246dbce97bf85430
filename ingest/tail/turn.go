package tail

import (
	"bytes"
	"context"
	"errors"
	"io"
	"io/fs"
	"os"
)

// turn reads a bounded part of what is new in a group: its files in their
// order, a younger one only when the older ones are at their end.
func (t *Follower) turn(ctx context.Context, g *group) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	var number int64
	for _, f := range g.files {
		if f.shadow != nil {
			f.ended = f.gone
			continue
		}
		if f.at.Offset == 0 && f.at.Number < number {
			f.at.Number = number
		}
		more, err := t.read(ctx, f)
		if err != nil {
			return err
		}
		if more {
			return nil
		}
		number = max(number, f.at.Number)
	}
	delete(t.hot, g)
	if !g.ended && !g.lives() {
		g.reader.End()
		g.ended = true
	}
	t.rest(g, t.o.Now())
	return nil
}

// lives says whether lines may still come.
func (g *group) lives() bool {
	for _, f := range g.files {
		if !f.ended {
			return true
		}
	}
	return false
}

// read reads a part of a file. It says whether there is more; a fault of the
// file itself is said, and tried again later.
func (t *Follower) read(ctx context.Context, f *file) (more bool, err error) {
	if !f.look() {
		return false, nil
	}
	ready, err := t.ready(f)
	if err != nil || !ready {
		if err != nil {
			t.say("read "+f.path, FaultRead, "read "+t.o.Name, "path", f.path, "error", err)
		}
		return false, nil
	}
	if f.truncated {
		if t.looks == f.seen {
			return false, nil
		}
		// What is on its way has positions of the file as it was.
		if err := t.flush(ctx); err != nil {
			return false, err
		}
		if err := t.land(ctx); err != nil {
			return false, err
		}
		return t.again(f), nil
	}
	n, err := f.f.ReadAt(t.buf, f.at.Offset)
	whole := errors.Is(err, io.EOF)
	if err != nil && !whole {
		t.say("read "+f.path, FaultRead, "read "+t.o.Name, "path", f.path, "error", err)
		return false, nil
	}
	// What was read counts only if the file is still the same: it may have
	// been truncated and written again in between.
	if n > 0 && !f.saved.headIs(f.f) {
		return t.truncated(f), nil
	}
	t.used(f)
	if err := t.split(ctx, f, t.buf[:n], whole); err != nil {
		return false, err
	}
	f.done = whole
	f.ended = whole && f.gone
	return !whole, nil
}

// ready opens the file if it was closed, and looks at it: whether it can be
// read, and whether it was truncated.
func (t *Follower) ready(f *file) (bool, error) {
	if f.f == nil {
		handle, _, err := f.place.open(f.key)
		switch {
		case f.gone:
			// It was closed, and nothing leads to it any more.
			if err == nil {
				handle.Close()
			}
			t.vanished(f)
			return false, nil
		case errors.Is(err, errOther) || errors.Is(err, fs.ErrNotExist):
			t.moved = true
			return false, nil
		case err != nil:
			return false, err
		}
		t.opened(f, handle)
	}
	info, err := f.f.Stat()
	if err != nil {
		return false, err
	}
	if !f.truncated && (info.Size() < f.at.Offset || f.at.Offset > 0 && !f.saved.is(f.f, info.Size())) {
		t.truncated(f)
		f.size, f.changed = max(f.size, f.at.Offset), info.ModTime()
		return false, nil
	}
	if !f.truncated {
		f.size, f.changed = info.Size(), info.ModTime()
		f.saved.learnHead(f.f)
		f.at.Head, f.at.HeadLen = f.saved.Head, f.saved.HeadLen
	}
	return true, nil
}

// vanished ends a file that can't be read to its end.
func (t *Follower) vanished(f *file) {
	f.ended = true
	if f.at.Offset < f.size {
		t.count(FaultGone, 1)
		t.count(FaultLost, f.size-f.at.Offset)
		t.o.Logger.Warn("a file went away before it was read", "path", f.path, "lost_bytes", f.size-f.at.Offset)
	}
	f.at.Offset = f.saved.Offset
}

// truncated notes that the file was truncated. The names are looked at before
// it is begun again: what it held may stand in a copy.
func (t *Follower) truncated(f *file) bool {
	f.truncated, t.moved = true, true
	f.seen = t.looks
	return false
}

// again begins a truncated file from its beginning, after what is left in a
// copy of it. It says whether something can be read now.
func (t *Follower) again(f *file) bool {
	copied := false
	for _, o := range f.group.files {
		if o.shadow == f {
			copied = o.resume() > f.at.Offset || copied
		}
	}
	if copied {
		f.size = f.at.Offset // the copy has the rest
		return true
	}
	lost := max(f.size-f.at.Offset, 0)
	f.group.reader.End()
	t.count(FaultTruncated, 1)
	t.count(FaultLost, lost)
	t.o.Logger.Warn("a file was truncated; lines that were written shortly before may be lost", "path", f.path, "read", f.at.Offset, "known_lost_bytes", lost)
	number := f.at.Number
	for _, o := range f.group.files {
		number = max(number, o.at.Number)
	}
	f.at.restart(number, lost+f.at.Lost)
	f.saved.restart(number, lost+f.saved.Lost)
	f.truncated, f.done, f.size = false, false, 0
	t.touched[f.group] = true
	return true
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

// split gives the complete lines of what was read. At the end of a file that
// is gone the last one needs no line end.
func (t *Follower) split(ctx context.Context, f *file, rest []byte, whole bool) error {
	rest = f.skipHole(rest)
	for len(rest) > 0 {
		n := bytes.IndexByte(rest, '\n')
		size := n + 1
		switch {
		case n >= 0:
		case f.at.Skip || len(rest) > t.o.MaxLine || whole && f.gone:
			n, size = len(rest), len(rest)
		default:
			return nil // the rest of the line is still to come
		}
		text, ended := rest[:n], size > n || whole && f.gone
		rest = rest[size:]
		if f.at.Skip {
			f.at.Offset += int64(size)
			f.at.Skip = !ended
			continue
		}
		if err := t.give(ctx, f, text, int64(size), ended); err != nil {
			return err
		}
	}
	return nil
}

// give gives one line to the reader, and stores the batch when it is full.
func (t *Follower) give(ctx context.Context, f *file, text []byte, size int64, ended bool) error {
	text = bytes.TrimSuffix(text, []byte("\r"))
	at := f.at
	l := Line{
		Text: text[:min(len(text), t.o.MaxLine)], Cut: len(text) > t.o.MaxLine, Path: f.path, Number: at.Number,
		Truncated: at.Truncated, Lost: at.Lost, Mark: Mark{f, at.Offset, at.Number, at.Truncated, at.Lost},
	}
	f.at.Offset += size
	f.at.Number++
	f.at.Skip = !ended
	f.at.Truncated, f.at.Lost = false, 0
	t.touched[f.group] = true
	f.group.reader.Line(l)
	if t.o.Handler.Full() {
		return t.flush(ctx)
	}
	return nil
}

// skipHole leaves out the zeros with which a file begins whose writer went on
// at its old offset after a truncation.
func (f *file) skipHole(text []byte) []byte {
	if f.at.Offset > 0 && !f.at.Hole {
		return text
	}
	rest := bytes.TrimLeft(text, "\x00")
	f.at.Offset += int64(len(text) - len(rest))
	f.at.Hole = len(rest) == 0 && len(text) > 0
	return rest
}
