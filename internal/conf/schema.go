package conf

import (
	"encoding"
	"maps"
	"reflect"
	"slices"
)

// Schema is the JSON Schema (draft 2020-12) of documents of kinds, by the specs
// that they are decoded into. It says what [Document.Decode] takes, but for what
// only code can tell. comment gives the words for a field of a struct; it may
// give none.
//
// A type of text can say what it takes by a method Values() []string, or
// Pattern() string.
func Schema(specs map[string]any, comment func(in reflect.Type, field string) string) map[string]any {
	s := schema{comment}
	names := slices.Sorted(maps.Keys(specs))
	var each []any
	for _, name := range names {
		each = append(each, object{
			"if":   object{"properties": object{"kind": object{"const": name}}},
			"then": object{"properties": object{"spec": s.of(reflect.TypeOf(specs[name]))}},
		})
	}
	return object{
		"$schema": "https://json-schema.org/draft/2020-12/schema",
		"title":   "Firebreak",
		"type":    "object",
		"properties": object{
			"apiVersion": object{"const": APIVersion},
			"kind":       object{"enum": names},
			"metadata":   s.metadata(),
			"spec":       object{"type": "object"},
		},
		"required":             []string{"apiVersion", "kind", "metadata", "spec"},
		"additionalProperties": false,
		"allOf":                each,
	}
}

type object = map[string]any

type schema struct {
	comment func(in reflect.Type, field string) string
}

func (s schema) metadata() object {
	out := s.of(reflect.TypeFor[Metadata]())
	properties, _ := out["properties"].(object)
	properties["name"] = object{"type": "string", "pattern": dnsLabel.String(), "description": "Name is a DNS-1123 label."}
	return out
}

var textUnmarshaler = reflect.TypeFor[encoding.TextUnmarshaler]()

// own are the types of this package that read their nodes themselves.
func own(t reflect.Type) object {
	switch t {
	case reflect.TypeFor[Expression]():
		return object{"type": []string{"string", "boolean", "number"}}
	case reflect.TypeFor[Template]():
		return object{"type": []string{"string", "boolean", "number"}}
	case reflect.TypeFor[Duration]():
		return object{"type": []string{"string", "integer"}, "pattern": "^([0-9]+d)?([0-9.]+(ns|us|µs|ms|s|m|h))*$"}
	case reflect.TypeFor[Raw]():
		return object{}
	case reflect.TypeFor[SecretFile]():
		return secretSchema()
	case reflect.TypeFor[SecretFiles]():
		return object{"anyOf": []any{secretSchema(), object{"type": "array", "items": secretSchema()}}}
	}
	return nil
}

func secretSchema() object {
	return object{
		"type": "object", "required": []string{"file"}, "additionalProperties": false,
		"properties": object{"file": object{"type": "string", "description": "The file that holds the secret."}},
	}
}

func (s schema) of(t reflect.Type) object {
	if out := own(t); out != nil {
		return out
	}
	if reflect.PointerTo(t).Implements(textUnmarshaler) {
		return textSchema(t)
	}
	switch t.Kind() {
	case reflect.Pointer:
		return s.of(t.Elem())
	case reflect.Struct:
		return s.structure(t)
	case reflect.Map:
		return object{"type": "object", "additionalProperties": s.of(t.Elem())}
	case reflect.Slice:
		return object{"type": "array", "items": s.of(t.Elem())}
	case reflect.Bool:
		return object{"type": "boolean"}
	case reflect.String:
		return object{"type": "string"}
	case reflect.Float32, reflect.Float64:
		return object{"type": "number"}
	case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64:
		return object{"type": "integer"}
	case reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64:
		return object{"type": "integer", "minimum": 0}
	}
	return object{}
}

func textSchema(t reflect.Type) object {
	switch v := reflect.New(t).Interface().(type) {
	case interface{ Values() []string }:
		return object{"enum": v.Values()}
	case interface{ Pattern() string }:
		return object{"type": "string", "pattern": v.Pattern()}
	}
	return object{"type": []string{"string", "number", "boolean"}}
}

func (s schema) structure(t reflect.Type) object {
	properties, required := object{}, []string{}
	fields := fieldsOf(t)
	for _, name := range names(fields) {
		f := t.FieldByIndex(fields[name].index)
		one := s.of(f.Type)
		in := t
		if n := len(fields[name].index); n > 1 {
			in = t.FieldByIndex(fields[name].index[:n-1]).Type
		}
		if text := s.comment(in, f.Name); text != "" {
			one["description"] = text
		}
		if fields[name].filled {
			one["minLength"] = 1
		}
		properties[name] = one
		if fields[name].required {
			required = append(required, name)
		}
	}
	out := object{"type": "object", "properties": properties, "additionalProperties": false}
	if len(required) > 0 {
		out["required"] = required
	}
	return out
}
