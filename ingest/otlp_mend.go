package ingest

import (
	"bytes"
	"encoding/json"
	"errors"
	"unicode/utf8"

	"github.com/go-json-experiment/json/jsontext"
	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/reflect/protoreflect"
)

// What a container writes need not be text, and shippers pass it on as it is:
// one line must not make the others of its request unreadable. So bytes that
// are no UTF-8 are written as \xNN, as [printable] does.

var errProto = errors.New("malformed protobuf")

// mendProto writes the strings of a message in protobuf as UTF-8.
func mendProto(m protoreflect.MessageDescriptor, raw []byte, depth int) ([]byte, error) {
	if depth > maxDepth {
		return nil, errDeep
	}
	out := make([]byte, 0, len(raw)+16)
	for len(raw) > 0 {
		number, kind, n := protowire.ConsumeTag(raw)
		if n < 0 {
			return nil, errProto
		}
		size := protowire.ConsumeFieldValue(number, kind, raw[n:])
		if size < 0 {
			return nil, errProto
		}
		tag, value := raw[:n], raw[n:n+size]
		raw = raw[n+size:]
		out = append(out, tag...)
		field := m.Fields().ByNumber(number)
		if field == nil || kind != protowire.BytesType {
			out = append(out, value...)
			continue
		}
		text, _ := protowire.ConsumeBytes(value) // its length was looked at
		switch field.Kind() {
		case protoreflect.StringKind:
			if !utf8.Valid(text) {
				clean, _ := printable(text)
				text = []byte(clean)
			}
		case protoreflect.MessageKind:
			inner, err := mendProto(field.Message(), text, depth+1)
			if err != nil {
				return nil, err
			}
			text = inner
		}
		out = protowire.AppendBytes(out, text)
	}
	return out, nil
}

// mendJSON writes the strings of a text of JSON as UTF-8, halves of surrogate
// pairs as U+FFFD. Names that are there twice stay an error.
func mendJSON(raw []byte) ([]byte, error) {
	if !utf8.Valid(raw) {
		raw = escapeBytes(raw, `\\x`)
	}
	l := lenientReader{dec: jsontext.NewDecoder(bytes.NewBuffer(raw), lenient()...)}
	v, err := l.value()
	switch {
	case err != nil:
		return nil, plainSyntax(err)
	case l.twice:
		return nil, jsontext.ErrDuplicateName
	}
	return json.Marshal(v)
}
