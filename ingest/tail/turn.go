package tail

import (
	"bytes"
	"context"
	"errors"
	"io"
	"io/fs"
)

// turn reads a bounded part of what is new in a group: its files in their
// order, a younger one only when the older ones are at their end.
func (t *Follower) turn(ctx context.Context, g *group) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	if wait, err := t.prepare(ctx, g); err != nil {
		return err
	} else if wait {
		delete(t.hot, g)
		return nil
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
		if !f.prepared {
			return false, nil
		}
		t.again(f)
		return true, nil
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
