package event

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strings"
)

// Fields are a source's own fields. Numbers keep their value: an integer that
// fits is an int64, any other number a float64 or, where that would change
// its value (above 2^63), the string that the source wrote.
type Fields map[string]any

// UnmarshalJSON reads an object, keeping large integers exact.
func (f *Fields) UnmarshalJSON(data []byte) error {
	dec := json.NewDecoder(bytes.NewReader(data))
	dec.UseNumber()
	var raw map[string]any
	if err := dec.Decode(&raw); err != nil {
		return fmt.Errorf("decode fields: %w", err)
	}
	for k, v := range raw {
		raw[k] = exact(v)
	}
	*f = raw
	return nil
}

func exact(v any) any {
	switch v := v.(type) {
	case json.Number:
		return number(v)
	case []any:
		for i := range v {
			v[i] = exact(v[i])
		}
	case map[string]any:
		for k := range v {
			v[k] = exact(v[k])
		}
	}
	return v
}

func number(n json.Number) any {
	if i, err := n.Int64(); err == nil {
		return i
	}
	if strings.ContainsAny(n.String(), ".eE") {
		if f, err := n.Float64(); err == nil {
			return f
		}
	}
	return n.String()
}
