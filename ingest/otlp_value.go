package ingest

import (
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"unicode/utf8"

	common "go.opentelemetry.io/proto/otlp/common/v1"
)

// attributesOf makes fields of attributes. A key that is there twice is an
// error: two readers could take a different one.
func attributesOf(list []*common.KeyValue) (map[string]any, error) {
	if len(list) > maxItems {
		return nil, fmt.Errorf("more than %d attributes", maxItems)
	}
	out := make(map[string]any, len(list))
	for _, kv := range list {
		if _, twice := out[kv.GetKey()]; twice {
			return nil, errors.New("duplicate name in attributes")
		}
		if !utf8.ValidString(kv.GetKey()) {
			return nil, errors.New("invalid UTF-8 in the name of an attribute")
		}
		v, err := valueOf(kv.GetValue(), 0)
		if err != nil {
			return nil, err
		}
		out[kv.GetKey()] = v
	}
	return out, nil
}

// valueOf makes a field of a value: of the types that event.Fields has.
// Bytes become base64, as in OTLP's JSON.
func valueOf(v *common.AnyValue, depth int) (any, error) {
	if depth > maxDepth {
		return nil, fmt.Errorf("nested deeper than %d", maxDepth)
	}
	switch v := v.GetValue().(type) {
	case *common.AnyValue_StringValue:
		return v.StringValue, nil
	case *common.AnyValue_BoolValue:
		return v.BoolValue, nil
	case *common.AnyValue_IntValue:
		return v.IntValue, nil
	case *common.AnyValue_DoubleValue:
		return finite(v.DoubleValue), nil
	case *common.AnyValue_BytesValue:
		return base64.StdEncoding.EncodeToString(v.BytesValue), nil
	case *common.AnyValue_ArrayValue:
		items := v.ArrayValue.GetValues()
		out := make([]any, 0, min(len(items), maxItems))
		for _, item := range items[:min(len(items), maxItems)] {
			value, err := valueOf(item, depth+1)
			if err != nil {
				return nil, err
			}
			out = append(out, value)
		}
		return out, nil
	case *common.AnyValue_KvlistValue:
		out := map[string]any{}
		for _, kv := range v.KvlistValue.GetValues() {
			value, err := valueOf(kv.GetValue(), depth+1)
			if err != nil {
				return nil, err
			}
			if _, twice := out[kv.GetKey()]; twice {
				return nil, errors.New("duplicate name in a value")
			}
			out[kv.GetKey()] = value
		}
		return out, nil
	}
	return nil, nil
}

// finite keeps a number that JSON can hold; a whole one is an integer, as in
// all fields.
func finite(f float64) any {
	switch {
	case math.IsNaN(f) || math.IsInf(f, 0):
		return fmt.Sprint(f)
	case f == math.Trunc(f) && math.Abs(f) < 1<<53:
		return int64(f)
	}
	return f
}

// bodyText is the body of a record as text.
func bodyText(body *common.AnyValue) ([]byte, error) {
	v, err := valueOf(body, 0)
	if err != nil || v == nil {
		return nil, err
	}
	if text, ok := v.(string); ok {
		return []byte(text), nil
	}
	data, err := json.Marshal(v)
	if err != nil {
		return nil, fmt.Errorf("write body as text: %w", err)
	}
	return data, nil
}
