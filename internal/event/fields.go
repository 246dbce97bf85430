package event

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math"
	"strings"
)

// Fields are a source's own fields. Numbers keep their value: a whole number
// is an int64 (1.0 and 1e3 are whole too) or, where that has no room for it
// (from 2^63 on), the string that the source wrote; any other number is a
// float64. Writing and reading fields again changes neither value nor type.
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
	f, err := n.Float64()
	if err != nil || math.Abs(f) >= 1<<63 || !strings.ContainsAny(n.String(), ".eE") {
		return n.String()
	}
	if f == math.Trunc(f) {
		return int64(f)
	}
	return f
}
