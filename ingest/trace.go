package ingest

import (
	"bytes"
	"time"

	"github.com/firebreak-io/firebreak/ingest/logline"
	"github.com/firebreak-io/firebreak/ingest/stack"
	"github.com/firebreak-io/firebreak/internal/event"
)

// Bounds of a stack trace: how many lines and bytes are joined, how long after
// a line the next may come, by the runtime's clock, and how long the reader of
// files waits for it, by its own: for the next, and for the whole.
const (
	maxTraceLines = 500
	maxTraceBytes = maxField
	traceGap      = time.Second
	traceWait     = 500 * time.Millisecond
	traceWhole    = 5 * time.Second
)

// openTrace is a message that lines of a stack trace may follow.
type openTrace struct {
	*openLine
	stack stack.Trace
	// waits says that it is worth waiting for more lines; else only the very
	// next line counts.
	waits bool
	last  time.Time // of the last line, by the runtime
	// began and came are when its first and last line were read.
	began, came time.Time
}

// continues says whether a line belongs to the trace of its stream.
func (a *assembler) continues(s *logStream, l *logline.Line) bool {
	t := s.trace
	if t == nil || t.lines >= maxTraceLines {
		return false
	}
	if !l.Time.IsZero() && !t.last.IsZero() && l.Time.Sub(t.last) > traceGap {
		return false
	}
	if !t.stack.Takes(l.Text) {
		return false
	}
	// A request or a login is no part of a trace, nor stands one below it:
	// what a client wrote, with a line end in it, must not hide another line.
	if t.lines == 1 && a.stands(t.text) || a.stands(bytes.TrimSpace(l.Text)) {
		return false
	}
	t.waits = true
	return true
}

// stands says that a line is an event of its own.
func (a *assembler) stands(text []byte) bool {
	class := a.read(string(text)).Class
	return class == event.ClassHTTP || class == event.ClassLogin
}

// complete takes a whole message: into the trace that it continues, or as one
// that may be followed.
func (a *assembler) complete(s *logStream, o *openLine, now time.Time) {
	joins := s.joins && s.trace != nil
	s.joins = false
	if !a.traces {
		a.done = append(a.done, o)
		return
	}
	if !joins {
		a.settle(s)
		trace, waits := stack.Begin(o.text)
		o.lines = 1
		s.slot = openTrace{openLine: o, stack: trace, waits: waits, last: o.time, began: now, came: now}
		s.trace = &s.slot
		return
	}
	t := s.trace
	before := len(t.text)
	t.add([]byte{'\n'}, false, maxTraceBytes)
	t.add(o.text, o.cut, maxTraceBytes)
	a.spend(len(t.text) - before - len(o.text))
	t.lines++
	t.last, t.came = o.time, now
	a.recycle(o)
}

// settle completes what stands before a line that continues nothing: the
// stream's own trace, and in the other streams what was not worth waiting, or
// is too long ago.
func (a *assembler) settle(s *logStream) {
	for _, other := range a.streams {
		t := other.trace
		if t == nil || other.joins && other.part != nil {
			continue
		}
		late := !a.known.IsZero() && !t.last.IsZero() && a.known.Sub(t.last) > traceGap
		if other == s || !t.waits || late {
			a.done = append(a.done, t.openLine)
			other.trace = nil
		}
	}
}

// idle completes what no line followed in time. It gives the time at which to
// look again, zero when nothing waits.
func (a *assembler) idle(now time.Time) (next time.Time) {
	for _, s := range a.streams {
		t := s.trace
		if t == nil || s.joins && s.part != nil {
			continue
		}
		until := t.came.Add(traceWait)
		if whole := t.began.Add(traceWhole); whole.Before(until) {
			until = whole
		}
		switch {
		case !t.waits || !until.After(now):
			a.done = append(a.done, t.openLine)
			s.trace = nil
		case next.IsZero() || until.Before(next):
			next = until
		}
	}
	return next
}

// held is the first message that is open, but for those that are past their
// bound already: they would hold the position for as long as they go on.
func (a *assembler) held() *openLine {
	var first *openLine
	for _, s := range a.streams {
		for _, o := range []*openLine{s.part, s.line()} {
			if o != nil && len(o.text) < maxLine && (first == nil || o.mark.Before(first.mark)) {
				first = o
			}
		}
	}
	return first
}

// line is the first line of the trace.
func (s *logStream) line() *openLine {
	if s.trace == nil {
		return nil
	}
	return s.trace.openLine
}
