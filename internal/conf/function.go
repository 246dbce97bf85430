package conf

import (
	"errors"
	"reflect"
	"slices"
	"strings"

	"github.com/firebreak-io/firebreak/internal/conf/pattern"
)

// maxList is how many items of a list a loop may see. Events are cut to a
// smaller size when they come in; a longer list is an error, not shortened:
// hiding the last container behind many others must not work unseen.
const maxList = 8192

var (
	errLong = errors.New("list is too long")
	errText = errors.New("text is too long")
)

// totalFuncs are what [total] puts in place of operators.
var totalFuncs = []Func{
	{Name: "__get", Fn: func(a ...any) (any, error) { return get(a[0], a[1]), nil }, Signature: new(func(any, any) any)},
	{Name: "__plain", Fn: func(a ...any) (any, error) { return reflect.ValueOf(a[0]).String(), nil }, Signature: new(func(any) string)},
	{Name: "__int", Fn: func(a ...any) (any, error) { return int(reflect.ValueOf(a[0]).Int()), nil }, Signature: new(func(any) int)},
	{Name: "__true", Fn: func(a ...any) (any, error) { b, _ := a[0].(bool); return b, nil }, Signature: new(func(any) bool)},
	{Name: "__text", Fn: func(a ...any) (any, error) { s, _ := a[0].(string); return s, nil }, Signature: new(func(any) string)},
	{Name: "__string", Fn: func(a ...any) (any, error) { return textOf(a[0]), nil }, Signature: new(func(any) string)},
	{Name: "__contains", Fn: texts(strings.Contains), Signature: new(func(any, any) bool)},
	{Name: "__startsWith", Fn: texts(strings.HasPrefix), Signature: new(func(any, any) bool)},
	{Name: "__endsWith", Fn: texts(strings.HasSuffix), Signature: new(func(any, any) bool)},
	{Name: "__matches", Fn: matches, Signature: new(func(any, any) bool)},
	{Name: "__inlist", Fn: func(a ...any) (any, error) { return a[1].(*constants).has(a[0]), nil }, Signature: new(func(any, any) bool)},
	{Name: "__in", Fn: func(a ...any) (any, error) { return within(a[0], a[1]), nil }, Signature: new(func(any, any) bool)},
	{Name: "__<", Fn: func(a ...any) (any, error) { c, ok := order(a[0], a[1]); return ok && c < 0, nil }, Signature: new(func(any, any) bool)},
	{Name: "__<=", Fn: func(a ...any) (any, error) { c, ok := order(a[0], a[1]); return ok && c <= 0, nil }, Signature: new(func(any, any) bool)},
	{Name: "__add", Fn: func(a ...any) (any, error) { return add(a[0], a[1]) }, Signature: new(func(any, any) any)},
	{Name: "__join", Fn: func(a ...any) (any, error) { return joinText(textOf(a[0]), textOf(a[1])) }, Signature: new(func(any, any) string)},
	{Name: "__len", Fn: func(a ...any) (any, error) { return length(a[0]), nil }, Signature: new(func(any) int)},
	{Name: "__list", Fn: func(a ...any) (any, error) { return list(a[0]) }, Signature: new(func(any) []any)},
	{Name: "__concat", Fn: concat, Signature: new(func(...any) []any)},
	{Name: "__joined", Fn: joined, Signature: new(func(...any) string)},
	{Name: "__first", Fn: func(a ...any) (any, error) { return end(a[0], false) }, Signature: new(func(any) any)},
	{Name: "__last", Fn: func(a ...any) (any, error) { return end(a[0], true) }, Signature: new(func(any) any)},
	{Name: "__keys", Fn: func(a ...any) (any, error) { return keysOf(a[0]), nil }, Signature: new(func(any) []any)},
	{Name: "__values", Fn: func(a ...any) (any, error) { return valuesOf(a[0]), nil }, Signature: new(func(any) []any)},
}

func texts(f func(a, b string) bool) func(...any) (any, error) {
	return func(a ...any) (any, error) {
		x, ok := a[0].(string)
		y, ok2 := a[1].(string)
		return ok && ok2 && f(x, y), nil
	}
}

func matches(a ...any) (any, error) {
	text, ok := a[0].(string)
	if len(text) > maxText {
		text = text[:maxText]
	}
	return ok && a[1].(*pattern.Pattern).MatchString(text), nil
}

// mapping is v as a map[string]any, whatever its name.
func mapping(v any) map[string]any {
	if m, ok := v.(map[string]any); ok {
		return m
	}
	if r := reflect.ValueOf(v); r.Kind() == reflect.Map && r.Type().ConvertibleTo(mapType) {
		return r.Convert(mapType).Interface().(map[string]any)
	}
	return nil
}

var mapType = reflect.TypeFor[map[string]any]()

// get is base[key], or nil.
func get(base, key any) any {
	switch key := key.(type) {
	case string:
		if m := mapping(base); m != nil {
			return m[key]
		}
	case int:
		if l, ok := base.([]any); ok {
			if key < 0 {
				key += len(l)
			}
			if key >= 0 && key < len(l) {
				return l[key]
			}
		}
	}
	return nil
}

func within(needle, in any) bool {
	switch in := in.(type) {
	case []any:
		return slices.ContainsFunc(in, func(v any) bool { return equal(needle, v) })
	case []string:
		s, ok := needle.(string)
		return ok && slices.Contains(in, s)
	case string, nil:
		return false
	}
	if m := mapping(in); m != nil {
		s, ok := needle.(string)
		_, has := m[s]
		return ok && has
	}
	r := reflect.ValueOf(in)
	if r.Kind() == reflect.Map && r.Type().Key().Kind() == reflect.String {
		s, ok := needle.(string)
		return ok && r.MapIndex(reflect.ValueOf(s).Convert(r.Type().Key())).IsValid()
	}
	if r.Kind() == reflect.Slice || r.Kind() == reflect.Array {
		for i := range r.Len() {
			if equal(needle, normal(r.Index(i).Interface())) {
				return true
			}
		}
	}
	return false
}

// equal compares single values; lists and mappings are equal to nothing.
func equal(a, b any) bool {
	if c, ok := order(a, b); ok {
		return c == 0
	}
	x, ok := a.(bool)
	y, ok2 := b.(bool)
	return ok && ok2 && x == y || a == nil && b == nil
}

// order compares text with text and numbers with numbers; nothing else has an
// order.
func order(a, b any) (int, bool) {
	if x, ok := a.(string); ok {
		y, ok := b.(string)
		return strings.Compare(x, y), ok
	}
	x, ok := whole(a)
	y, ok2 := whole(b)
	if ok && ok2 {
		return compare(x, y), true
	}
	f, ok := float(a)
	g, ok2 := float(b)
	if !ok || !ok2 || f != f || g != g {
		return 0, false
	}
	return compare(f, g), true
}

func compare[T int64 | float64](a, b T) int {
	switch {
	case a < b:
		return -1
	case a > b:
		return 1
	}
	return 0
}

func whole(v any) (int64, bool) {
	switch v := v.(type) {
	case int:
		return int64(v), true
	case int64:
		return v, true
	}
	return 0, false
}

func float(v any) (float64, bool) {
	if i, ok := whole(v); ok {
		return float64(i), true
	}
	f, ok := v.(float64)
	return f, ok
}

func add(a, b any) (any, error) {
	x, ok := whole(a)
	y, ok2 := whole(b)
	if ok && ok2 {
		return x + y, nil
	}
	f, ok := float(a)
	g, ok2 := float(b)
	if ok && ok2 {
		return f + g, nil
	}
	return joinText(textOf(a), textOf(b))
}

func joinText(a, b string) (any, error) {
	if len(a)+len(b) > maxText {
		return "", errText
	}
	return a + b, nil
}
