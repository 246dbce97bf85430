package logline

import (
	"strconv"
	"strings"

	"github.com/go-json-experiment/json/jsontext"
)

// Bounds of one JSON message.
const (
	maxDepth  = 32
	maxValues = 2000
)

// decode reads a text that is one JSON object. One that has a name twice,
// that is not valid UTF-8 or that is past the bounds is none.
func decode(text string) (map[string]any, bool) {
	text = strings.TrimSpace(text)
	if len(text) < 2 || text[0] != '{' || text[len(text)-1] != '}' {
		return nil, false
	}
	r := reader{dec: jsontext.NewDecoder(strings.NewReader(text))}
	v, ok := r.value(0)
	fields, isObject := v.(map[string]any)
	return fields, ok && isObject && r.dec.InputOffset() == int64(len(text))
}

type reader struct {
	dec    *jsontext.Decoder
	values int
}

func (r *reader) value(depth int) (any, bool) {
	tok, err := r.dec.ReadToken()
	if r.values++; err != nil || depth > maxDepth || r.values > maxValues {
		return nil, false
	}
	switch tok.Kind() {
	case '{':
		return r.object(depth)
	case '[':
		return r.array(depth)
	case '"':
		return tok.String(), true
	case '0':
		return number(tok.String()), true
	case 't', 'f':
		return tok.Bool(), true
	}
	return nil, true
}

func (r *reader) object(depth int) (any, bool) {
	m := map[string]any{}
	for r.dec.PeekKind() != '}' {
		name, err := r.dec.ReadToken()
		if err != nil {
			return nil, false
		}
		key := name.String()
		v, ok := r.value(depth + 1)
		if !ok {
			return nil, false
		}
		m[key] = v
	}
	_, err := r.dec.ReadToken()
	return m, err == nil
}

func (r *reader) array(depth int) (any, bool) {
	list := []any{}
	for r.dec.PeekKind() != ']' {
		v, ok := r.value(depth + 1)
		if !ok {
			return nil, false
		}
		list = append(list, v)
	}
	_, err := r.dec.ReadToken()
	return list, err == nil
}

// number keeps the value of a number, as event.Fields does.
func number(s string) any {
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
