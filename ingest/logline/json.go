package logline

import (
	"strconv"
	"strings"
	"time"

	"github.com/go-json-experiment/json/jsontext"
)

func init() {
	register(Parser{
		Name:  "json",
		Doc:   "One JSON object; msg, message or log is the text, level or severity the level.",
		Parse: parseJSON,
	})
}

// Bounds of one JSON message.
const (
	maxDepth  = 32
	maxValues = 2000
)

// parseJSON reads one JSON object. One that has a name twice, that is not
// valid UTF-8 or that is past the bounds is left as text.
func parseJSON(text string) (Message, bool) {
	text = strings.TrimSpace(text)
	if len(text) < 2 || text[0] != '{' || text[len(text)-1] != '}' {
		return Message{}, false
	}
	r := reader{dec: jsontext.NewDecoder(strings.NewReader(text))}
	v, ok := r.value(0)
	fields, isObject := v.(map[string]any)
	if !ok || !isObject || r.dec.InputOffset() != int64(len(text)) {
		return Message{}, false
	}
	m := Message{
		Text:   first(fields, "msg", "message", "log"),
		Level:  first(fields, "level", "severity", "lvl", "loglevel"),
		Fields: fields,
	}
	for _, name := range []string{"time", "ts", "timestamp", "@timestamp", "t"} {
		if s, ok := fields[name].(string); ok {
			if t, err := time.Parse(time.RFC3339Nano, s); err == nil && t.Year() >= 1970 && t.Year() < 2200 {
				m.Time = t.UTC()
				break
			}
		}
	}
	return m, true
}

// first is the first of the names that has a text.
func first(fields map[string]any, names ...string) string {
	for _, name := range names {
		if s, ok := fields[name].(string); ok && s != "" {
			return s
		}
	}
	return ""
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
