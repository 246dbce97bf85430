package ingest

import (
	"fmt"
	"strings"
	"time"
)

// shape reads members of an object by the type that they must have. Missing
// and null are the zero value; another type is an error, and the first error
// is kept.
type shape struct {
	m    map[string]any
	path string
	err  *error
}

func newShape(m map[string]any) (shape, *error) {
	var err error
	return shape{m: m, err: &err}, &err
}

func (s shape) fail(key string, v any, want string) {
	if *s.err == nil {
		*s.err = fmt.Errorf("%s%s is %s, not %s", s.path, key, typeName(v), want)
	}
}

func (s shape) str(key string) string {
	switch v := s.m[key].(type) {
	case nil:
		return ""
	case string:
		return v
	default:
		s.fail(key, v, "a string")
		return ""
	}
}

func (s shape) integer(key string) int64 {
	switch v := s.m[key].(type) {
	case nil:
		return 0
	case int64:
		return v
	default:
		s.fail(key, v, "an integer")
		return 0
	}
}

func (s shape) strs(key string) []string {
	switch v := s.m[key].(type) {
	case nil:
		return nil
	case []any:
		out := make([]string, 0, len(v))
		for i, item := range v {
			text, ok := item.(string)
			if !ok {
				s.fail(fmt.Sprintf("%s[%d]", key, i), item, "a string")
				return nil
			}
			out = append(out, text)
		}
		return out
	default:
		s.fail(key, v, "a list")
		return nil
	}
}

func (s shape) object(key string) shape {
	sub := shape{path: s.path + key + ".", err: s.err}
	switch v := s.m[key].(type) {
	case nil:
	case map[string]any:
		sub.m = v
	default:
		s.fail(key, v, "an object")
	}
	return sub
}

// time reads a time in one of the forms of RFC 3339; zero when it is missing
// or is no time.
func (s shape) time(key string) time.Time {
	t, _ := parseTime(s.str(key))
	return t
}

// unclash refuses an object that has one of the names twice in different
// case: readers that fold case would take the one for the other.
func (s shape) unclash(names ...string) {
	for key := range s.m {
		for _, name := range names {
			if key == name || !strings.EqualFold(key, name) {
				continue
			}
			if _, both := s.m[name]; both && *s.err == nil {
				*s.err = fmt.Errorf("%s%s is there twice in different case", s.path, name)
			}
		}
	}
}

func typeName(v any) string {
	switch v.(type) {
	case nil:
		return "null"
	case string:
		return "a string"
	case bool:
		return "a boolean"
	case int64, float64:
		return "a number"
	case []any:
		return "a list"
	}
	return "an object"
}

var (
	firstTime = time.Date(1970, 1, 1, 0, 0, 0, 0, time.UTC)
	lastTime  = time.Date(2200, 1, 1, 0, 0, 0, 0, time.UTC)
)

// parseTime accepts RFC 3339 with or without a fraction, the same with a zone
// without a colon, and, as databases export it, with a space and in UTC. Years outside 1970 to 2199 are no time.
func parseTime(text string) (time.Time, bool) {
	if text == "" || len(text) > 64 {
		return time.Time{}, false
	}
	for _, layout := range []string{time.RFC3339Nano, "2006-01-02T15:04:05.999999999-0700", "2006-01-02 15:04:05.999999999"} {
		if t, err := time.Parse(layout, text); err == nil {
			return saneTime(t)
		}
	}
	return time.Time{}, false
}

func saneTime(t time.Time) (time.Time, bool) {
	if t.Before(firstTime) || !t.Before(lastTime) {
		return time.Time{}, false
	}
	return t.UTC(), true
}
