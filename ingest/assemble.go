package ingest

import (
	"bytes"
	"errors"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/firebreak-io/firebreak/ingest/logline"
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
// envelope by the first line that isn't blank, and joins what the runtime
// split. It is not safe for concurrent use.
type assembler struct {
	// container names it in ids: its id, or the file.
	container string
	object    event.Ref
	origin    Origin
	format    format
	// known is the last time that a line told, for those that tell none.
	known time.Time
	open  map[string]*openLine // by stream
	// annotation is the pod's logline.Annotation, trusted the proxies whose
	// word on a client's address is believed.
	annotation string
	trusted    []netip.Prefix
	// parser is what the annotation, the image or the container's name
	// chooses, once it was asked for.
	parser *logline.Parser
}

// openLine is a message that goes on.
type openLine struct {
	from    string
	ordinal int64
	line    int
	stamp   string
	time    time.Time
	stream  string
	text    []byte
	cut     bool
	// file and offset are where it begins, for the reader of live files.
	file   *tailFile
	offset int64
}

// maxStreams is how many messages may be open at a time; runtimes have two.
const maxStreams = 8

var (
	errLong    = errors.New("line is longer than the bound and can't be read without its end")
	errStreams = errors.New("too many streams with a message that goes on")
)

// add takes the next line. The ordinal is the line's number in the container.
// It gives the event that the line completes, if any, and what became of it.
func (a *assembler) add(raw rawLine, line int, ordinal int64, from string) (*openLine, lineClass, error) {
	if isBlank(raw.text) {
		return nil, lineBlank, nil
	}
	l, err := a.envelope(raw.text)
	if err != nil {
		if raw.cut {
			err = errLong
		}
		return nil, lineRejected, err
	}
	if !l.Time.IsZero() {
		a.known = l.Time
	}
	class := lineJoined
	o := a.open[l.Stream]
	if o == nil && len(a.open) >= maxStreams {
		return nil, lineRejected, errStreams
	}
	if o == nil {
		class = lineBegun
		o = &openLine{from: from, ordinal: ordinal, line: line, stamp: l.Stamp, time: a.known, stream: l.Stream}
	}
	room := max(0, maxLine-len(o.text))
	o.text = append(o.text, l.Text[:min(room, len(l.Text))]...)
	o.cut = o.cut || raw.cut || len(l.Text) > room
	if l.Partial {
		if a.open == nil {
			a.open = map[string]*openLine{}
		}
		a.open[l.Stream] = o
		return nil, class, nil
	}
	delete(a.open, l.Stream)
	return o, class, nil
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

// flush gives the messages that never ended, in the order in which they
// began, and marks them as cut.
func (a *assembler) flush() []*openLine {
	var rest []*openLine
	for _, o := range a.open {
		o.cut = true
		rest = append(rest, o)
	}
	a.open = nil
	slices.SortFunc(rest, func(x, y *openLine) int { return int(x.ordinal - y.ordinal) })
	return rest
}

// event makes an event of a complete message. The id is over the container,
// the line's time as written, the stream and the ordinal of its first line.
//
// Message is the text; fields are stream, format (of the message, when a
// parser knows it), level, and what else the parser found.
func (a *assembler) event(o *openLine) event.Event {
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
	setDefault(e.Fields, "stream", o.stream)
	a.message(&e, a.read(text), o)
	finish(&e)
	return e
}

// TagUTF8 marks a log line with bytes that are not UTF-8; they stand escaped
// in the message, as \xNN.
const TagUTF8 = "firebreak:invalid-utf8"

func printable(text []byte) (string, bool) {
	text = bytes.TrimSuffix(text, []byte("\r"))
	if utf8.Valid(text) {
		return string(text), true
	}
	var b strings.Builder
	for len(text) > 0 {
		r, n := utf8.DecodeRune(text)
		if r == utf8.RuneError && n == 1 {
			b.WriteString(`\x`)
			b.WriteString(strconv.FormatUint(uint64(text[0])|0x100, 16)[1:])
		} else {
			b.Write(text[:n])
		}
		text = text[n:]
	}
	return b.String(), false
}
