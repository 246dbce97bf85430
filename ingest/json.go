package ingest

import (
	"bytes"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/firebreak-io/firebreak/internal/event"
)

// Bounds of one source event.
const (
	// MaxEvent is the most bytes that one source event may have.
	MaxEvent  = 1 << 20
	maxDepth  = 64
	maxItems  = 10_000
	maxValues = 100_000
)

// object is one JSON object, read strictly: names are unique, strings are
// valid UTF-8, numbers keep their value.
type object struct {
	tree      map[string]any
	canonical []byte
	members   []member
}

// member is where a member of the top level stands in the canonical text.
type member struct {
	name       string
	start, end int64
}

// parseObject reads data, which must be one JSON object within the bounds.
func parseObject(data []byte) (object, error) { return parseBounded(data, MaxEvent) }

// parseBounded is parseObject with a bound of the caller's.
func parseBounded(data []byte, most int) (object, error) {
	if len(data) > most {
		return object{}, fmt.Errorf("event has %d bytes, the bound is %d", len(data), most)
	}
	if err := checkDepth(data); err != nil {
		return object{}, err
	}
	// Integers stay as they are written: canonical numbers of RFC 8785 would
	// round them at 2^53. Objects are reordered at every level.
	canonical, err := jsontext.AppendFormat(nil, data, jsontext.ReorderRawObjects(true))
	if err != nil {
		return object{}, plainSyntax(err)
	}
	p := parser{dec: jsontext.NewDecoder(bytes.NewBuffer(canonical), jsontext.AllowDuplicateNames(true))}
	if p.dec.PeekKind() != '{' {
		return object{}, errors.New("not a JSON object")
	}
	v, err := p.value()
	if err != nil {
		return object{}, plainSyntax(err)
	}
	tree, _ := v.(map[string]any)
	return object{tree: tree, canonical: canonical, members: p.members}, nil
}

// member is the canonical text of a member of the top level.
func (o object) member(name string) []byte {
	for _, m := range o.members {
		if m.name != name {
			continue
		}
		dec := jsontext.NewDecoder(bytes.NewBuffer(bytes.TrimLeft(o.canonical[m.start:m.end], ",")))
		if _, err := dec.ReadToken(); err == nil {
			return bytes.TrimLeft(dec.UnreadBuffer(), ":")
		}
	}
	return nil
}

// id is the hash of the canonical text without the named members of the top
// level.
func (o object) id(source event.Source, without ...string) string {
	var b bytes.Buffer
	b.Grow(len(o.canonical))
next:
	for _, m := range o.members {
		for _, w := range without {
			if m.name == w {
				continue next
			}
		}
		b.WriteByte(',')
		b.Write(bytes.TrimLeft(o.canonical[m.start:m.end], ","))
	}
	return event.HashID(string(source), b.String())
}

type parser struct {
	dec     *jsontext.Decoder
	members []member
	values  int
}

func (p *parser) value() (any, error) {
	if p.values++; p.values > maxValues {
		return nil, fmt.Errorf("more than %d values", maxValues)
	}
	tok, err := p.dec.ReadToken()
	if err != nil {
		return nil, err
	}
	switch tok.Kind() {
	case '{':
		return p.object()
	case '[':
		return p.array()
	case '"':
		return tok.String(), nil
	case '0':
		return exactNumber(tok.String()), nil
	case 't', 'f':
		return tok.Bool(), nil
	}
	return nil, nil
}

func (p *parser) object() (any, error) {
	m := map[string]any{}
	top := p.dec.StackDepth() == 1
	for p.dec.PeekKind() != '}' {
		start := p.dec.InputOffset()
		name, err := p.dec.ReadToken()
		if err != nil {
			return nil, err
		}
		key := name.String()
		v, err := p.value()
		if err != nil {
			return nil, err
		}
		m[key] = v
		if top {
			p.members = append(p.members, member{key, start, p.dec.InputOffset()})
		}
	}
	_, err := p.dec.ReadToken()
	return m, err
}

func (p *parser) array() (any, error) {
	list := []any{}
	for p.dec.PeekKind() != ']' {
		if len(list) == maxItems {
			return nil, fmt.Errorf("array has more than %d items", maxItems)
		}
		v, err := p.value()
		if err != nil {
			return nil, err
		}
		list = append(list, v)
	}
	_, err := p.dec.ReadToken()
	return list, err
}

// exactNumber keeps the value of a number, in the types of [event.Fields].
func exactNumber(s string) any {
	if i, err := strconv.ParseInt(s, 10, 64); err == nil {
		return i
	}
	if strings.ContainsAny(s, ".eE") {
		if f, err := strconv.ParseFloat(s, 64); err == nil {
			return f
		}
	}
	return s
}

// checkDepth bounds the nesting before a parser sees the text. It looks at
// brackets outside strings only.
func checkDepth(data []byte) error {
	var n nesting
	if n.over(data) {
		return fmt.Errorf("nested deeper than %d", maxDepth)
	}
	return nil
}

// nesting follows brackets through pieces of JSON text.
type nesting struct {
	depth             int
	inString, escaped bool
}

// over reads the next piece and says whether it went deeper than allowed.
func (n *nesting) over(piece []byte) bool {
	for _, c := range piece {
		switch {
		case n.escaped:
			n.escaped = false
		case n.inString:
			n.escaped = c == '\\'
			n.inString = c != '"'
		case c == '"':
			n.inString = true
		case c == '{' || c == '[':
			if n.depth++; n.depth > maxDepth {
				return true
			}
		case c == '}' || c == ']':
			n.depth--
		}
	}
	return false
}

// plainSyntax says what is wrong with a text without repeating the text,
// which the parser's own message may quote.
func plainSyntax(err error) error {
	var syntactic *jsontext.SyntacticError
	if !errors.As(err, &syntactic) {
		return err
	}
	return fmt.Errorf("%s at byte %d", syntaxWord(syntactic), syntactic.ByteOffset)
}

func syntaxWord(err *jsontext.SyntacticError) string {
	switch text := err.Error(); {
	case errors.Is(err, jsontext.ErrDuplicateName):
		return "duplicate name in an object"
	case strings.Contains(text, "UTF-8"):
		return "invalid UTF-8"
	case strings.Contains(text, "unexpected EOF"):
		return "JSON is cut off"
	}
	return "malformed JSON"
}
