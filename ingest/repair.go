package ingest

import (
	"bytes"
	"encoding/json"
	"unicode/utf8"

	"github.com/go-json-experiment/json/jsontext"
)

// TagDuplicate marks a log record that had a name twice; the last one counts.
const TagDuplicate = "firebreak:duplicate-name"

// parseRecord reads a record that a shipper made of what a container wrote.
// The container must not be able to make it unreadable, and so keep its lines
// from being looked at: bytes that are no UTF-8 are written as \xNN, halves of
// surrogate pairs become U+FFFD, and of members of the same name the last
// counts, at every level: Fluent Bit, where it mixes a program's JSON into the record
// (Merge_Log), puts its own after the program's. The tags say what was done.
func parseRecord(raw []byte) (obj object, tags []string, err error) {
	obj, err = parseObject(raw)
	if err == nil || len(raw) > MaxEvent || checkDepth(raw) != nil {
		return obj, nil, err
	}
	fixed := raw
	if !utf8.Valid(fixed) {
		fixed = escapeBytes(fixed, `\\x`) // a backslash in a string of JSON
		tags = append(tags, TagUTF8)
	}
	l := lenientReader{dec: jsontext.NewDecoder(bytes.NewBuffer(fixed), lenient()...)}
	v, readErr := l.value()
	if readErr != nil {
		return obj, nil, err
	}
	if l.twice {
		tags = append(tags, TagDuplicate)
	}
	if fixed, readErr = json.Marshal(v); readErr != nil {
		return obj, nil, err
	}
	if obj, readErr = parseObject(fixed); readErr != nil {
		return obj, nil, err
	}
	return obj, tags, nil
}

// lenientReader reads a value whose nesting is bounded already, as most
// readers of JSON would: the last of the same names counts.
type lenientReader struct {
	dec   *jsontext.Decoder
	twice bool
}

func (l *lenientReader) value() (any, error) {
	switch l.dec.PeekKind() {
	case '{':
		return l.object()
	case '[':
		return l.array()
	case '"':
		tok, err := l.dec.ReadToken()
		return tok.String(), err
	}
	raw, err := l.dec.ReadValue()
	return json.RawMessage(bytes.Clone(raw)), err
}

func (l *lenientReader) object() (any, error) {
	if _, err := l.dec.ReadToken(); err != nil {
		return nil, err
	}
	m := map[string]any{}
	for l.dec.PeekKind() == '"' {
		name, err := l.dec.ReadToken()
		if err != nil {
			return nil, err
		}
		key := name.String()
		_, known := m[key]
		l.twice = l.twice || known
		if m[key], err = l.value(); err != nil {
			return nil, err
		}
	}
	_, err := l.dec.ReadToken()
	return m, err
}

func (l *lenientReader) array() (any, error) {
	if _, err := l.dec.ReadToken(); err != nil {
		return nil, err
	}
	list := []any{}
	for kind := l.dec.PeekKind(); kind != ']' && kind != 0; kind = l.dec.PeekKind() {
		v, err := l.value()
		if err != nil {
			return nil, err
		}
		list = append(list, v)
	}
	_, err := l.dec.ReadToken()
	return list, err
}
