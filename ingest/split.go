package ingest

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"slices"
	"sync"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/firebreak-io/firebreak/internal/event"
)

// input says how the input of a source is taken apart.
type input struct {
	source event.Source
	// lists are the names of an object's member under which a list of pieces
	// may stand.
	lists []string
	// open gives what one piece holds.
	open func(p piece, o Origin, yield func(found) error) error
	// text says what to make of a line that is no JSON: skip so many bytes of
	// it, since JSON follows; or take the event, or the reason against one.
	// With neither the line is malformed. Nil is a source without such lines.
	text func(line []byte, o Origin) (skip int, f *found)
	// room is how many bytes one body may give that stand compressed in it.
	// The memory for them must be counted where bodies are let in, so it is 0
	// but for endpoints that are [Endpoint.Dense].
	room int64
	// depth is how deep a batch may be nested, so that an event which is too
	// deep takes no other along; 0 is as deep as one event.
	depth int
}

// piece is one JSON value, or one item of a list that wraps such.
type piece struct {
	raw []byte
	// around holds texts that stand before the list that the piece is in: the
	// log group of a batch.
	around map[string]string
	// room is how many bytes may still be decompressed for the whole body; nil
	// allows [maxInflated], for a file, of which one piece is read at a time.
	room *int64
	// mended says what was left out of raw; nil is nothing.
	mended *mended
}

// found is an event, or why there is none and of which text.
type found struct {
	event event.Event
	err   error
	raw   []byte
}

// decodeOne makes an event of one JSON object, or says why it can't.
type decodeOne func(raw []byte, o Origin) (event.Event, error)

// single opens pieces that hold one event each.
func single(one decodeOne) func(piece, Origin, func(found) error) error {
	return func(p piece, o Origin, yield func(found) error) error {
		e, err := one(p.raw, o)
		return yield(found{e, err, p.raw})
	}
}

// text is where the walker's text stands, by the decoder's offsets.
type text interface {
	// slice is the text between two offsets.
	slice(start, end int64) []byte
	// begin says that an event begins at an offset, end that one ended there:
	// what stands before it is needed no more.
	begin(start int64)
	end(end int64)
}

// lenient leaves the strict checks to the reading of each single event, so
// that one bad event doesn't take its list with it.
func lenient() []jsontext.Options {
	return []jsontext.Options{jsontext.AllowDuplicateNames(true), jsontext.AllowInvalidUTF8(true)}
}

// walker reads values and gives the pieces in them.
type walker struct {
	dec   *jsontext.Decoder
	src   text
	lists []string
	yield func(p piece) error
}

// value reads the next value: a list of pieces, an object that holds such a
// list, or one piece.
func (w walker) value() error {
	kind := w.dec.PeekKind()
	begin := offsetOfNext(w.dec)
	w.src.begin(begin)
	switch kind {
	case '[':
		if _, err := w.dec.ReadToken(); err != nil {
			return err
		}
		w.src.end(w.dec.InputOffset())
		return w.items(nil)
	case '{':
		return w.object(begin)
	}
	if err := w.dec.SkipValue(); err != nil {
		return err
	}
	return w.yield(piece{raw: w.src.slice(begin, w.dec.InputOffset())})
}

// object reads an object; one without a list is a piece.
func (w walker) object(begin int64) error {
	if _, err := w.dec.ReadToken(); err != nil {
		return err
	}
	list, before := false, aside{}
	for w.dec.PeekKind() != '}' {
		tok, err := w.dec.ReadToken()
		if err != nil {
			return err
		}
		name := tok.String()
		if w.dec.PeekKind() == '[' && slices.Contains(w.lists, name) {
			list = true
			if _, err := w.dec.ReadToken(); err != nil {
				return err
			}
			around := before.texts(w.src)
			w.src.end(w.dec.InputOffset())
			if err := w.items(around); err != nil {
				return err
			}
			before = aside{}
			continue
		}
		start := offsetOfNext(w.dec)
		if err := w.dec.SkipValue(); err != nil {
			return err
		}
		if list {
			w.src.end(w.dec.InputOffset())
			continue
		}
		before.add(name, start, w.dec.InputOffset())
	}
	if _, err := w.dec.ReadToken(); err != nil {
		return err
	}
	if list {
		return nil
	}
	return w.yield(piece{raw: w.src.slice(begin, w.dec.InputOffset())})
}

// items reads a list to its end. Whatever an item is, it is given: what is no
// object is nobody's event, and the reading goes on after it.
func (w walker) items(around map[string]string) error {
	for {
		switch w.dec.PeekKind() {
		case ']':
			_, err := w.dec.ReadToken()
			return err
		case 0:
			_, err := w.dec.ReadToken()
			return err
		}
		start := offsetOfNext(w.dec)
		w.src.begin(start)
		if err := w.dec.SkipValue(); err != nil {
			return err
		}
		end := w.dec.InputOffset()
		if err := w.yield(piece{raw: w.src.slice(start, end), around: around}); err != nil {
			return err
		}
		w.src.end(end)
	}
}

// aside remembers where the first short members of an object stand.
type aside struct {
	n       int
	members [8]member
}

const maxAside = 512

func (a *aside) add(name string, start, end int64) {
	if a.n < len(a.members) && end-start <= maxAside {
		a.members[a.n] = member{name, start, end}
		a.n++
	}
}

// texts are those members that are strings.
func (a *aside) texts(src text) map[string]string {
	var texts map[string]string
	for _, m := range a.members[:a.n] {
		raw := src.slice(m.start, m.end)
		if len(raw) == 0 || raw[0] != '"' {
			continue
		}
		plain, err := jsontext.AppendUnquote(nil, raw)
		if err != nil {
			continue
		}
		if texts == nil {
			texts = map[string]string{}
		}
		texts[m.name] = string(plain)
	}
	return texts
}

// offsetOfNext is where the next token begins, after PeekKind.
func offsetOfNext(dec *jsontext.Decoder) int64 {
	rest := dec.UnreadBuffer()
	return dec.InputOffset() + int64(len(rest)-len(bytes.TrimLeft(rest, " \t\r\n,:")))
}

type whole []byte

func (w whole) slice(start, end int64) []byte { return w[start:end] }
func (w whole) begin(int64)                   {}
func (w whole) end(int64)                     {}

// pieces gives the pieces of a text that is one JSON value or several, after
// one another with or without white space. An error that is not yield's says
// what is wrong with the text; then nothing was given.
func (f input) pieces(data []byte, yield func(p piece) error) error {
	if f.depth > 0 {
		data = shallow(data, f.depth)
	}
	if err := wellFormed(data, max(f.depth, maxDepth)); err != nil {
		return err
	}
	w := walker{dec: jsontext.NewDecoder(bytes.NewBuffer(data), lenient()...), src: whole(data), lists: f.lists, yield: behind(data, yield)}
	for w.dec.PeekKind() != 0 {
		if err := w.value(); err != nil {
			return err
		}
	}
	return nil
}

// behind gives pieces also what stands behind their list, where the members of
// CloudWatch's message come in another order than CloudWatch writes them.
func behind(data []byte, yield func(p piece) error) func(p piece) error {
	if !bytes.Contains(data, []byte(`"logEvents"`)) {
		return yield
	}
	texts := sync.OnceValue(func() map[string]string { return textsOf(data) })
	return func(p piece) error {
		if p.around["messageType"] == "" {
			p.around = texts()
		}
		return yield(p)
	}
}

// textsOf are the short texts of a text that is one object.
func textsOf(data []byte) map[string]string {
	dec := jsontext.NewDecoder(bytes.NewBuffer(data), lenient()...)
	if tok, err := dec.ReadToken(); err != nil || tok.Kind() != '{' {
		return nil
	}
	members := aside{}
	for dec.PeekKind() != '}' {
		tok, err := dec.ReadToken()
		if err != nil {
			return nil
		}
		name := tok.String()
		dec.PeekKind()
		start := offsetOfNext(dec)
		if err := dec.SkipValue(); err != nil {
			return nil
		}
		members.add(name, start, dec.InputOffset())
	}
	if _, err := dec.ReadToken(); err != nil || dec.PeekKind() != 0 {
		return nil
	}
	return members.texts(whole(data))
}

// wellFormed checks that data is JSON, one value or more, without what only a
// single event is checked for, but for its depth.
func wellFormed(data []byte, most int) error {
	if len(bytes.TrimSpace(data)) == 0 {
		return errors.New("empty")
	}
	// A list holds events one, two or three levels deeper than themselves.
	n := nesting{depth: maxDepth - most - 3}
	if n.over(data) {
		return fmt.Errorf("nested deeper than %d", maxDepth)
	}
	dec := jsontext.NewDecoder(bytes.NewBuffer(data), lenient()...)
	for {
		switch err := dec.SkipValue(); {
		case errors.Is(err, io.EOF):
			return nil
		case err != nil:
			return plainSyntax(err)
		}
	}
}
