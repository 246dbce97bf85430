package ingest

import (
	"bytes"
	"errors"
	"net/netip"
	"strconv"
	"strings"
	"sync/atomic"
	"time"
	"unicode/utf8"

	"github.com/firebreak-io/firebreak/ingest/logline"
	"github.com/firebreak-io/firebreak/ingest/tail"
	"github.com/firebreak-io/firebreak/internal/event"
)

// format is the envelope of a log file's lines.
type format string

const (
	formatUnknown format = ""
	formatCRI     format = "cri"
	formatDocker  format = "docker"
	formatRaw     format = "raw"
)

// assembler makes events of the lines of one container's log: it decides the
// envelope by the first line that isn't blank, joins what the runtime split,
// and then the lines of a stack trace. It is not safe for concurrent use.
type assembler struct {
	// container names it in ids: its id, or the file.
	container string
	object    event.Ref
	origin    Origin
	format    format
	// traces says to join stack traces.
	traces bool
	// known is the last time that a line told, for those that tell none.
	known time.Time
	// stamp is that of the last line, nth how many lines before it in a row
	// had the same.
	stamp string
	nth   int64
	// streams are those that the envelopes told of.
	streams []*logStream
	// done is what was completed since it was taken.
	done []*openLine
	// annotation is the pod's logline.Annotation, trusted the proxies whose
	// word on a client's address is believed.
	annotation string
	trusted    []netip.Prefix
	// parser is what the annotation, the image or the container's name
	// chooses, once it was asked for.
	parser *logline.Parser
	// pods is asked for the annotation and the image; it may be nil. As long
	// as it does not know the pod, unknown, it is asked again every so many
	// reads.
	pods    Pods
	unknown bool
	reads   int
	// budget is shared by all: the bytes of what is open.
	budget *atomic.Int64
	free   []*openLine
}

// logStream is what is open of one stream.
type logStream struct {
	name string
	// part is a line that the runtime split, and that goes on. When joins is
	// set it continues the trace.
	part  *openLine
	joins bool
	// trace is nil, or what stands in slot.
	trace *openTrace
	slot  openTrace
	// key is a private key that the stream stands in.
	key privateKey
}

// openLine is a message that goes on.
type openLine struct {
	from string
	// ordinal tells lines of the same time and stream apart.
	ordinal int64
	line    int
	stamp   string
	time    time.Time
	stream  string
	text    []byte
	cut     bool
	// lines is how many messages were joined; 0 means one.
	lines int
	// lost is what the reader of files said before the line.
	truncated bool
	lost      int64
	// mark is where it begins, for the reader of files, and before the state
	// of the assembler then.
	mark   tail.Mark
	before stampState
}

// stampState is what the next line's ordinal, and what is kept of it, depends on.
type stampState struct {
	stamp string
	nth   int64
	// out and err are how many lines a private key on the two streams may
	// still have.
	out, err int
}

// logInput is one line of a file, for the assembler.
type logInput struct {
	text []byte
	cut  bool
	// line is the line's number in the file from 1, number that in the
	// container's run.
	line   int
	number int64
	from   string
	now    time.Time
	// The others are of the reader of files.
	mark      tail.Mark
	truncated bool
	lost      int64
}

const (
	// maxStreams is how many streams a log may have; runtimes have two.
	maxStreams = 8
	// maxOpenBytes is how many bytes of open messages all containers may have
	// together: past it they are given cut.
	maxOpenBytes = 64 << 20
)

var (
	errLong    = errors.New("line is longer than the bound and can't be read without its end")
	errStreams = errors.New("too many streams")
)

// add takes the next line, and says what became of it. What it completes is
// for [assembler.take].
func (a *assembler) add(in logInput) (lineClass, error) {
	if isBlank(in.text) {
		return lineBlank, nil
	}
	before := a.state()
	l, err := a.envelope(in.text)
	if err != nil {
		if in.cut {
			err = errLong
		}
		return lineRejected, err
	}
	s := a.stream(l.Stream)
	if s == nil {
		return lineRejected, errStreams
	}
	if !l.Time.IsZero() {
		a.known = l.Time
	}
	a.count(l.Stamp)
	o, class := s.part, lineJoined
	if o == nil {
		o = a.begin(in, &l, before)
		if s.joins = a.continues(s, &l); !s.joins {
			class = lineBegun
			a.settle(s)
		}
	}
	o.add(l.Text, in.cut, maxLine)
	a.spend(len(l.Text))
	s.part = nil
	if l.Partial {
		s.part = o
		if a.budget != nil && a.budget.Load() > maxOpenBytes {
			a.flush()
		}
		return class, nil
	}
	a.keep(s, o)
	a.complete(s, o, in.now)
	return class, nil
}

// keep takes out of a whole line what must not be kept.
func (a *assembler) keep(s *logStream, o *openLine) {
	was := len(o.text)
	o.text = s.key.cut(o.text)
	a.spend(len(o.text) - was)
}

// begin makes the line that a message begins with. Its ordinal is among the
// lines of the same time, so that it doesn't depend on where the reading
// began; a line without a time has only its number.
func (a *assembler) begin(in logInput, l *logline.Line, before stampState) *openLine {
	var o *openLine
	if n := len(a.free); n > 0 {
		o, a.free = a.free[n-1], a.free[:n-1]
	} else {
		o = &openLine{}
	}
	*o = openLine{
		from: in.from, ordinal: a.nth, line: in.line, stamp: l.Stamp, time: a.known, stream: l.Stream, text: o.text[:0],
		truncated: in.truncated, lost: in.lost, mark: in.mark, before: before,
	}
	if l.Stamp == "" {
		o.ordinal = in.number
	}
	if a.format == formatRaw {
		o.time = time.Time{} // that of the line before is not known yet
	}
	return o
}

// count counts the lines of the same time.
func (a *assembler) count(stamp string) {
	if stamp == a.stamp {
		a.nth++
		return
	}
	a.stamp, a.nth = stamp, 0
}

// add takes text on, up to a bound.
func (o *openLine) add(text []byte, cut bool, bound int) {
	room := max(0, bound-len(o.text))
	o.text = append(o.text, text[:min(room, len(text))]...)
	o.cut = o.cut || cut || len(text) > room
}

// state is that before the next line.
func (a *assembler) state() stampState {
	before := stampState{stamp: a.stamp, nth: a.nth}
	for _, s := range a.streams {
		switch s.name {
		case streamOut, "":
			before.out = s.key.left
		case streamErr:
			before.err = s.key.left
		}
	}
	return before
}

// The names of a runtime's streams.
const (
	streamOut = "stdout"
	streamErr = "stderr"
)

func (a *assembler) stream(name string) *logStream {
	for _, s := range a.streams {
		if s.name == name {
			return s
		}
	}
	if len(a.streams) == maxStreams {
		return nil
	}
	s := &logStream{name: name}
	a.streams = append(a.streams, s)
	return s
}

func (a *assembler) spend(n int) {
	if a.budget != nil {
		a.budget.Add(int64(n))
	}
}

// take gives what was completed, as events, in the order of its end.
func (a *assembler) take(give func(e *event.Event, line int)) {
	for i, o := range a.done {
		e := a.event(o)
		give(&e, o.line)
		a.spend(-len(o.text))
		a.recycle(o)
		a.done[i] = nil
	}
	a.done = a.done[:0]
}

// recycle keeps a line that nobody needs any more, for the next one.
func (a *assembler) recycle(o *openLine) {
	if cap(o.text) <= 4<<10 && len(a.free) < 4 {
		a.free = append(a.free, o)
	}
}

func (a *assembler) envelope(text []byte) (logline.Line, error) {
	switch a.format {
	case formatCRI:
		return logline.CRI(text)
	case formatDocker:
		return logline.Docker(text)
	case formatRaw:
		return logline.Line{Text: text}, nil
	}
	if l, err := logline.CRI(text); err == nil {
		a.format = formatCRI
		return l, nil
	}
	if l, err := logline.Docker(text); err == nil {
		a.format = formatDocker
		return l, nil
	}
	a.format = formatRaw
	return logline.Line{Text: text}, nil
}

// flush completes what is open, cut where the runtime said that more would
// come.
func (a *assembler) flush() {
	for _, s := range a.streams {
		if o := s.part; o != nil {
			o.cut, s.part = true, nil
			a.keep(s, o)
			a.complete(s, o, time.Time{})
		}
		a.settle(s)
	}
}

// event makes an event of a complete message. The id is over the container,
// the first line's time as written, its stream, and its ordinal among the lines
// of that time.
//
// Message is the text; fields are stream, lines (when several were joined),
// format (of the message, when a parser knows it), level, and what else the
// parser found in the first line. Whatever the text says, the object stays the
// pod that wrote it, and the trust that of text.
func (a *assembler) event(o *openLine) event.Event {
	if o.time.IsZero() {
		o.time = a.known
	}
	text, valid := printable(o.text)
	e := event.Event{
		ID:     event.HashID(string(event.SourceLog), a.container, o.stamp, o.stream, strconv.FormatInt(o.ordinal, 10)),
		Source: event.SourceLog, Class: event.ClassLogLine, Severity: event.SeverityInfo, Trust: event.TrustText,
		Cluster: a.origin.Cluster, From: o.from, Object: a.object, Message: text, Fields: event.Fields{},
	}
	if !valid {
		e.Tags = append(e.Tags, TagUTF8)
	}
	if o.cut {
		e.Cut = append(e.Cut, "message")
	}
	id, object := e.ID, e.Object
	a.message(&e, a.read(firstLine(text, o.lines)), o)
	setDefault(e.Fields, "stream", o.stream)
	if o.lines > 1 {
		e.Fields["lines"] = int64(o.lines)
	}
	tellLoss(&e, o.truncated, o.lost)
	e.ID, e.Source, e.Object, e.Trust = id, event.SourceLog, object, event.TrustText
	finish(&e)
	return e
}

// firstLine is the line by which a joined message is recognised.
func firstLine(text string, lines int) string {
	if lines > 1 {
		text, _, _ = strings.Cut(text, "\n")
	}
	return text
}

// TagUTF8 marks a log line with bytes that are not UTF-8; they stand escaped
// in the message, as \xNN.
const TagUTF8 = "firebreak:invalid-utf8"

func printable(text []byte) (string, bool) {
	text = bytes.TrimSuffix(text, []byte("\r"))
	if utf8.Valid(text) {
		return string(text), true
	}
	return string(escapeBytes(text, `\x`)), false
}

// escapeBytes writes the bytes that are no UTF-8 as two digits behind a prefix.
func escapeBytes(text []byte, prefix string) []byte {
	out := make([]byte, 0, len(text)+16)
	for len(text) > 0 {
		r, n := utf8.DecodeRune(text)
		if r == utf8.RuneError && n == 1 {
			out = append(out, prefix...)
			out = append(out, strconv.FormatUint(uint64(text[0])|0x100, 16)[1:]...)
		} else {
			out = append(out, text[:n]...)
		}
		text = text[n:]
	}
	return out
}
