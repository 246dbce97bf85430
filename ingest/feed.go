package ingest

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"

	"github.com/firebreak-io/firebreak/internal/event"
)

var (
	errLarge = fmt.Errorf("event has more than %d bytes", MaxEvent)
	errDeep  = fmt.Errorf("nested deeper than %d", maxDepth)
)

// feed is the text of a file as a JSON decoder reads it, line by line. It
// keeps what was read since the last event ended, so that after a fault the
// reading can go on at the next line, and counts the lines.
type feed struct {
	r      *bufio.Reader
	eof    bool
	broken error // of r

	buf  []byte // text from base on
	base int64  // offset of buf[0] in the file
	pos  int    // next byte of buf for the decoder

	origin int64 // where the decoder began
	open   bool  // an event began at base
	nest   nesting
	depth  int   // how deep a value may be nested
	fault  error // why the decoder was stopped

	line   int  // number of the line of base
	dirty  bool // something else than white space stands before base on its line
	inside bool // base is not at the beginning of its line
	done   int  // last line that is counted
	class  lineClass
	counts Counts
}

// lineClass is what became of a line.
type lineClass int

const (
	lineBlank lineClass = iota
	lineJoined
	lineBegun
	lineRejected
)

// add counts a line.
func (c *Counts) add(class lineClass, n int) {
	c.Lines += n
	switch class {
	case lineBlank:
		c.Blank += n
	case lineJoined:
		c.Joined += n
	case lineBegun:
		c.Begun += n
	case lineRejected:
		c.Rejected += n
	}
}

func newFeed(r io.Reader, depth int) *feed {
	f := &feed{r: bufio.NewReaderSize(r, 64<<10), line: 1, depth: max(depth, maxDepth)}
	if bom, _ := f.r.Peek(3); bytes.Equal(bom, []byte("\xef\xbb\xbf")) {
		_, _ = f.r.Discard(3) // Peek has put them into the buffer
	}
	return f
}

// fill reads on, at most to the end of the line. It says whether there was
// anything.
func (f *feed) fill() bool {
	if f.eof {
		return false
	}
	piece, err := f.r.ReadSlice('\n')
	f.buf = append(f.buf, piece...)
	if err != nil && !errors.Is(err, bufio.ErrBufferFull) {
		f.eof = true
		if !errors.Is(err, io.EOF) {
			f.broken = err
		}
	}
	return len(piece) > 0
}

// Read gives the decoder the text from base on.
func (f *feed) Read(p []byte) (int, error) {
	if f.fault != nil {
		return 0, f.fault
	}
	for f.pos == len(f.buf) {
		if !f.fill() {
			return 0, io.EOF
		}
	}
	if len(f.buf) > MaxEvent+f.r.Size() {
		f.fault = errLarge
		return 0, f.fault
	}
	n := copy(p, f.buf[f.pos:])
	f.pos += n
	if f.nest.over(p[:n]) {
		f.fault = errDeep
		return 0, f.fault
	}
	return n, nil
}

// start makes the feed ready for a new decoder at base. The two levels are
// those of a list around an event.
func (f *feed) start() {
	f.pos, f.origin, f.nest, f.fault, f.open = 0, f.base, nesting{depth: maxDepth - f.depth - 2}, nil, false
}

func (f *feed) slice(start, end int64) []byte {
	return f.buf[f.origin+start-f.base : f.origin+end-f.base]
}

func (f *feed) begin(start int64) { f.pass(f.origin + start); f.open = true }
func (f *feed) end(end int64)     { f.pass(f.origin + end); f.open = false }

// pass moves base on, and counts the lines before it that are not counted
// yet: blank ones, and those that continue something.
func (f *feed) pass(to int64) {
	n := int(to - f.base)
	if n <= 0 {
		return
	}
	rest := f.buf[:n]
	for {
		at := bytes.IndexByte(rest, '\n')
		if at < 0 {
			break
		}
		f.dirty = f.dirty || !isBlank(rest[:at])
		f.count(f.passing())
		f.line++
		f.dirty, f.inside = false, false
		rest = rest[at+1:]
	}
	f.dirty = f.dirty || !isBlank(rest)
	f.inside = f.inside || len(rest) > 0
	f.buf, f.base, f.pos = f.buf[n:], to, max(0, f.pos-n)
}

func (f *feed) passing() lineClass {
	if f.dirty {
		return lineJoined
	}
	return lineBlank
}

// count says what became of the line of base. The first word stands, but an
// event outweighs a reject on the same line.
func (f *feed) count(class lineClass) {
	switch {
	case f.line > f.done:
		f.counts.add(class, 1)
		f.done, f.class = f.line, class
	case f.class == lineRejected && class == lineBegun:
		f.counts.add(lineRejected, -1)
		f.counts.add(lineBegun, 1)
		f.class = class
	}
}

// next moves to the next text that is not white space, and gives its first
// byte. It is false at the end of the file.
func (f *feed) next() (byte, bool) {
	for {
		for i, c := range f.buf {
			switch {
			case c == ' ' || c == '\t' || c == '\r' || c == '\n':
				continue
			case c == ',' && i == 0 && f.dirty:
				// Between the items of a list that was given up.
				f.pass(f.base + 1)
			default:
				f.pass(f.base + int64(i))
				return c, true
			}
			break
		}
		if len(f.buf) > 0 && !isBlank(f.buf) {
			continue
		}
		f.pass(f.base + int64(len(f.buf)))
		if !f.fill() {
			return 0, false
		}
	}
}

// rest is the text from base to the end of its line, as far as it is kept.
func (f *feed) rest() []byte {
	for bytes.IndexByte(f.buf, '\n') < 0 && len(f.buf) < event.MaxRejected+16<<10 && f.fill() {
	}
	if at := bytes.IndexByte(f.buf, '\n'); at >= 0 {
		return f.buf[:at]
	}
	return f.buf
}

// skipLine moves base to the beginning of the next line.
func (f *feed) skipLine() {
	for {
		if at := bytes.IndexByte(f.buf, '\n'); at >= 0 {
			f.pass(f.base + int64(at) + 1)
			return
		}
		f.pass(f.base + int64(len(f.buf)))
		if !f.fill() {
			return
		}
	}
}

// close counts the last line when no line end follows it.
func (f *feed) close() Counts {
	f.pass(f.base + int64(len(f.buf)))
	if f.inside {
		f.count(f.passing())
	}
	return f.counts
}

func isBlank(text []byte) bool { return len(bytes.TrimSpace(text)) == 0 }
