package conf

import (
	"reflect"
	"slices"
	"strings"
)

// list is v as a list; what is none is empty.
func list(v any) ([]any, error) {
	l, ok := v.([]any)
	if !ok {
		r := reflect.ValueOf(v)
		if r.Kind() != reflect.Slice && r.Kind() != reflect.Array {
			return nil, nil
		}
		if r.Len() > maxList {
			return nil, errLong
		}
		l = make([]any, r.Len())
		for i := range l {
			l[i] = r.Index(i).Interface()
		}
	}
	if len(l) > maxList {
		return nil, errLong
	}
	return l, nil
}

func length(v any) int {
	switch r := reflect.ValueOf(v); r.Kind() {
	case reflect.String:
		return len([]rune(r.String()))
	case reflect.Slice, reflect.Array, reflect.Map:
		return r.Len()
	}
	return 0
}

func concat(args ...any) (any, error) {
	var out []any
	for _, a := range args {
		l, err := list(a)
		if err != nil {
			return nil, err
		}
		out = append(out, l...)
		if len(out) > maxList {
			return nil, errLong
		}
	}
	return out, nil
}

func joined(args ...any) (any, error) {
	if len(args) == 0 {
		return "", nil
	}
	l, err := list(args[0])
	if err != nil {
		return "", err
	}
	separator := ""
	if len(args) > 1 {
		separator, _ = args[1].(string)
	}
	var b strings.Builder
	for i, v := range l {
		if i > 0 {
			b.WriteString(separator)
		}
		b.WriteString(textOf(v))
		if b.Len() > maxText {
			return "", errText
		}
	}
	return b.String(), nil
}

func end(v any, last bool) (any, error) {
	l, err := list(v)
	if err != nil || len(l) == 0 {
		return nil, err
	}
	if last {
		return l[len(l)-1], nil
	}
	return l[0], nil
}

// keysOf are the keys of a mapping in order.
func keysOf(v any) []any {
	r := reflect.ValueOf(v)
	if r.Kind() != reflect.Map || r.Type().Key().Kind() != reflect.String {
		return nil
	}
	names := make([]string, 0, r.Len())
	for _, k := range r.MapKeys() {
		names = append(names, k.String())
	}
	slices.Sort(names)
	out := make([]any, len(names))
	for i, name := range names {
		out[i] = name
	}
	return out
}

// valuesOf are the values of a mapping in the order of its keys.
func valuesOf(v any) []any {
	keys := keysOf(v)
	out := make([]any, len(keys))
	r := reflect.ValueOf(v)
	for i, k := range keys {
		out[i] = r.MapIndex(reflect.ValueOf(k).Convert(r.Type().Key())).Interface()
	}
	return out
}
