package ingest

import (
	"bytes"
	"errors"
	"fmt"
	"io"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/firebreak-io/firebreak/internal/event"
)

// decodeOne makes an event of one JSON object, or says why it can't.
type decodeOne func(raw []byte, o Origin) (event.Event, error)

// text is where the walker's text stands, by the decoder's offsets.
type text interface {
	// slice is the text between two offsets.
	slice(start, end int64) []byte
	// begin says that an event begins at an offset, end that one ended there:
	// what stands before it is needed no more.
	begin(start int64)
	end(end int64)
}

// errItem is a fault of a list that ends the reading of it.
var errItem = errors.New("list holds something that is no object")

// lenient leaves the strict checks to the reading of each single event, so
// that one bad event doesn't take its list with it.
func lenient() []jsontext.Options {
	return []jsontext.Options{jsontext.AllowDuplicateNames(true), jsontext.AllowInvalidUTF8(true)}
}

// walk reads the next value of dec, an object or a list of objects, and gives
// the text of each event in it.
// An object with a list named items is a list.
func walk(dec *jsontext.Decoder, src text, yield func(raw []byte) error) error {
	kind := dec.PeekKind()
	begin := offsetOfNext(dec)
	src.begin(begin)
	tok, err := dec.ReadToken()
	if err != nil {
		return err
	}
	switch tok.Kind() {
	case '[':
		src.end(dec.InputOffset())
		return walkItems(dec, src, yield)
	case '{':
	default:
		return fmt.Errorf("%w: %v", errItem, kind)
	}
	list := false
	for dec.PeekKind() != '}' {
		name, err := dec.ReadToken()
		if err != nil {
			return err
		}
		if name.String() == "items" && dec.PeekKind() == '[' {
			list = true
			if _, err := dec.ReadToken(); err != nil {
				return err
			}
			src.end(dec.InputOffset())
			if err := walkItems(dec, src, yield); err != nil {
				return err
			}
			continue
		}
		if err := dec.SkipValue(); err != nil {
			return err
		}
		if list {
			src.end(dec.InputOffset())
		}
	}
	if _, err := dec.ReadToken(); err != nil {
		return err
	}
	if list {
		return nil
	}
	end := dec.InputOffset()
	return yield(src.slice(begin, end))
}

func walkItems(dec *jsontext.Decoder, src text, yield func(raw []byte) error) error {
	for {
		switch dec.PeekKind() {
		case ']':
			_, err := dec.ReadToken()
			return err
		case '{':
		case 0:
			_, err := dec.ReadToken()
			return err
		default:
			return errItem
		}
		start := offsetOfNext(dec)
		src.begin(start)
		if err := dec.SkipValue(); err != nil {
			return err
		}
		end := dec.InputOffset()
		if err := yield(src.slice(start, end)); err != nil {
			return err
		}
		src.end(end)
	}
}

// offsetOfNext is where the next token begins, after PeekKind.
func offsetOfNext(dec *jsontext.Decoder) int64 {
	rest := dec.UnreadBuffer()
	return dec.InputOffset() + int64(len(rest)-len(bytes.TrimLeft(rest, " \t\r\n,")))
}

type whole []byte

func (w whole) slice(start, end int64) []byte { return w[start:end] }
func (w whole) begin(int64)                   {}
func (w whole) end(int64)                     {}

// maxRejects is how many rejects one body gives; one more stands for the rest.
const maxRejects = 100

// decodeAll is [Kind.Decode] of a JSON source.
func decodeAll(source event.Source, one decodeOne, data []byte, o Origin) ([]event.Event, []event.Rejected) {
	if err := wellFormed(data); err != nil {
		return nil, []event.Rejected{reject(source, o.From, err.Error(), data)}
	}
	var (
		events  []event.Event
		rejects []event.Rejected
		more    int
	)
	dec := jsontext.NewDecoder(bytes.NewReader(data), lenient()...)
	err := walk(dec, whole(data), func(raw []byte) error {
		e, err := one(raw, o)
		switch {
		case err == nil:
			events = append(events, e)
		case len(rejects) < maxRejects:
			rejects = append(rejects, reject(source, o.From, err.Error(), raw))
		default:
			more++
		}
		return nil
	})
	if err != nil {
		rejects = append(rejects, reject(source, o.From, err.Error(), data))
	}
	if more > 0 {
		rejects = append(rejects, reject(source, o.From, fmt.Sprintf("and %d more of the same body", more), nil))
	}
	return events, rejects
}

// wellFormed checks that data is one JSON value, without what only a single
// event is checked for.
func wellFormed(data []byte) error {
	if len(bytes.TrimSpace(data)) == 0 {
		return errors.New("empty")
	}
	// A list holds events one or two levels deeper than themselves.
	n := nesting{depth: -2}
	if n.over(data) {
		return fmt.Errorf("nested deeper than %d", maxDepth)
	}
	dec := jsontext.NewDecoder(bytes.NewReader(data), lenient()...)
	if err := dec.SkipValue(); err != nil {
		return plainSyntax(err)
	}
	if _, err := dec.ReadToken(); !errors.Is(err, io.EOF) {
		return fmt.Errorf("text after the JSON value at byte %d", dec.InputOffset())
	}
	return nil
}
