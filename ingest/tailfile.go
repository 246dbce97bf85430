package ingest

import (
	"errors"
	"fmt"
	"io"
	"os"
)

// tailFile is one log file that is read while it grows.
type tailFile struct {
	run  *tailRun
	path string
	f    *os.File
	// saved is the position up to which everything is stored; next and
	// ordinal are where the reading is.
	saved   position
	next    int64
	ordinal int64
	skip    bool
	// gone says that no path leads to it any more.
	gone bool
	// ended says that it is gone and was read to its end.
	ended bool
}

// tailRun is one run of a container: its files, the oldest first, and what is
// joined over them.
type tailRun struct {
	name    string
	lines   *assembler
	files   []*tailFile
	ordinal int64 // at least that of the next file
}

// passBytes is how much of one file is read before the next one has its turn.
const passBytes = 1 << 20

// rewind goes back to what is stored.
func (f *tailFile) rewind() {
	f.next, f.ordinal, f.skip, f.ended = f.saved.Offset, f.saved.Ordinal, f.saved.Skip, false
}

// check starts from the beginning when the file was truncated or overwritten,
// and says whether it was.
func (f *tailFile) check() (truncated bool, err error) {
	info, err := f.f.Stat()
	if err != nil {
		return false, fmt.Errorf("read log %s: %w", f.path, err)
	}
	if f.next == 0 || f.saved.is(f.f, info.Size()) && info.Size() >= f.next {
		return false, nil
	}
	f.saved.Offset, f.saved.Skip, f.saved.HeadLen, f.saved.Head = 0, false, 0, ""
	f.saved.Ordinal = f.ordinal
	f.next, f.skip = 0, false
	return true, nil
}

// read gives each complete line that was added, up to a bound. It says
// whether there is more to read now.
func (f *tailFile) read(lines *lineReader, take func(raw rawLine, offset, ordinal int64) error) (more bool, err error) {
	info, err := f.f.Stat()
	if err != nil {
		return false, fmt.Errorf("read log %s: %w", f.path, err)
	}
	lines.r.Reset(io.NewSectionReader(f.f, f.next, info.Size()-f.next))
	for end := f.next + passBytes; f.next < end; {
		raw, err := lines.next()
		if errors.Is(err, io.EOF) {
			f.ended = f.gone
			return false, nil
		}
		if err != nil {
			return false, fmt.Errorf("read log %s: %w", f.path, err)
		}
		if !raw.full && !raw.cut && !f.gone {
			return false, nil // the rest of the line is still to come
		}
		offset, ordinal, skip := f.next, f.ordinal, f.skip
		f.next += raw.size
		f.skip = !raw.full
		if skip {
			continue
		}
		f.ordinal++
		if err := take(raw, offset, ordinal); err != nil {
			return false, err
		}
	}
	return true, nil
}

// commit takes over the position of the reading as stored.
func (f *tailFile) commit(offset, ordinal int64, skip bool) {
	f.saved.Path, f.saved.Format = f.path, f.run.lines.format
	f.saved.Offset, f.saved.Ordinal, f.saved.Skip = offset, ordinal, skip
	if f.saved.HeadLen < headMax {
		if head, n, err := headOf(f.f, headMax); err == nil {
			f.saved.Head, f.saved.HeadLen = head, n
		}
	}
}

// commit takes over the positions of all files of the run. What is not yet
// joined to its end is read again after a crash: the position stays before
// it.
func (r *tailRun) commit() {
	hold := r.lines.earliest()
	for _, f := range r.files {
		if hold != nil && hold.file == f {
			f.commit(hold.offset, hold.ordinal, false)
			return
		}
		f.commit(f.next, f.ordinal, f.skip)
	}
}

// rewind goes back to what is stored in all files.
func (r *tailRun) rewind() {
	r.lines.open = nil
	for _, f := range r.files {
		f.rewind()
	}
}

// earliest is the first of the messages that go on, but for those that are
// past their bound already.
func (a *assembler) earliest() *openLine {
	var first *openLine
	for _, o := range a.open {
		if len(o.text) < maxLine && (first == nil || o.ordinal < first.ordinal) {
			first = o
		}
	}
	return first
}
