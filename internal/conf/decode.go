package conf

import (
	"encoding"
	"fmt"
	"math"
	"reflect"
	"slices"

	"github.com/goccy/go-yaml/ast"
)

// decoder fills Go values from nodes and collects the problems.
type decoder struct {
	part     part
	problems []*Error
	// text, if set, turns what is written as a scalar into its text, or says
	// that there is nothing to set yet. See [Raw.Fill] and [Raw.Check].
	text func(n ast.Node, text string) (value any, set bool, err *Error)
	// secret are lines that may hold a secret: no problem repeats them.
	secret []int
	// empty is the last text that was set and is empty.
	empty ast.Node
}

// nodeDecoder is what the types of this package implement that keep their
// place in the file.
type nodeDecoder interface {
	decodeNode(d *decoder, n ast.Node)
}

// maxProblems bounds the report of one document.
const maxProblems = 50

func decode(p part, n ast.Node, into any) []*Error {
	d := &decoder{part: p}
	d.run(n, into)
	return d.problems
}

func (d *decoder) run(n ast.Node, into any) {
	v := reflect.ValueOf(into)
	if v.Kind() != reflect.Pointer || v.IsNil() {
		d.errorf(n, "decode into %T: not a pointer", into)
		return
	}
	d.value(n, v.Elem())
	for _, p := range d.problems {
		if slices.Contains(d.secret, p.Line) {
			p.Snippet = ""
		}
	}
}

func (d *decoder) errorf(n ast.Node, format string, args ...any) {
	if len(d.problems) < maxProblems {
		line, column := place(d.part, n)
		d.problems = append(d.problems, d.part.src.errorf(line, column, format, args...))
	}
}

func (d *decoder) value(n ast.Node, v reflect.Value) {
	if v.CanAddr() {
		switch u := v.Addr().Interface().(type) {
		case nodeDecoder:
			u.decodeNode(d, n)
			return
		case encoding.TextUnmarshaler:
			d.unmarshalText(n, u)
			return
		}
	}
	if n == nil || n.Type() == ast.NullType {
		d.null(n, v)
		return
	}
	switch v.Kind() {
	case reflect.Pointer:
		v.Set(reflect.New(v.Type().Elem()))
		d.value(n, v.Elem())
	case reflect.Struct:
		d.structure(n, v)
	case reflect.Map:
		d.mapping(n, v)
	case reflect.Slice:
		d.sequence(n, v)
	case reflect.Interface:
		if plain := d.plain(n); plain != nil {
			v.Set(reflect.ValueOf(plain))
		}
	default:
		d.scalar(n, v)
	}
}

// null is an error but for what can be nil: `key:` with nothing after it is
// most often a mistake.
func (d *decoder) null(n ast.Node, v reflect.Value) {
	switch v.Kind() {
	case reflect.Pointer, reflect.Interface:
	default:
		d.errorf(n, "expected %s, got nothing", expected(v.Type()))
	}
}

func (d *decoder) structure(n ast.Node, v reflect.Value) {
	if !isMapping(n) {
		d.errorf(n, "expected a mapping, got %s", describe(n))
		return
	}
	fields := fieldsOf(v.Type())
	seen := map[string]bool{}
	for _, e := range d.unique(n) {
		key := keyText(e)
		seen[key] = true
		f, ok := fields[key]
		if !ok {
			d.errorf(e.Key, "unknown key %q%s", key, Suggest(key, names(fields)))
			seen[nearest(key, names(fields))] = true // that it is missing says the same again
			continue
		}
		d.value(e.Value, v.FieldByIndex(f.index))
		if f.filled && d.empty == e.Value {
			d.errorf(e.Value, "%s is empty: what is meant without it is said by leaving it out", key)
		}
	}
	for _, name := range names(fields) {
		if fields[name].required && !seen[name] {
			d.errorf(n, "required key %q is missing", name)
		}
	}
}

func (d *decoder) mapping(n ast.Node, v reflect.Value) {
	if !isMapping(n) {
		d.errorf(n, "expected a mapping, got %s", describe(n))
		return
	}
	if v.Type().Key().Kind() != reflect.String {
		d.errorf(n, "%s can't be read from YAML", v.Type())
		return
	}
	v.Set(reflect.MakeMap(v.Type()))
	for _, e := range d.unique(n) {
		item := reflect.New(v.Type().Elem()).Elem()
		d.value(e.Value, item)
		v.SetMapIndex(reflect.ValueOf(keyText(e)).Convert(v.Type().Key()), item)
	}
}

func (d *decoder) sequence(n ast.Node, v reflect.Value) {
	list, ok := n.(*ast.SequenceNode)
	if !ok {
		d.errorf(n, "expected a list, got %s", describe(n))
		return
	}
	out := reflect.MakeSlice(v.Type(), len(list.Values), len(list.Values))
	for i, item := range list.Values {
		d.value(item, out.Index(i))
	}
	v.Set(out)
}

// unique reports keys that are not text or come twice, and gives the others.
func (d *decoder) unique(n ast.Node) []*ast.MappingValueNode {
	all := entries(n)
	seen := make(map[string]bool, len(all))
	return slices.DeleteFunc(slices.Clone(all), func(e *ast.MappingValueNode) bool {
		key := keyText(e)
		if seen[key] {
			d.errorf(e.Key, "key %q is given twice", key)
			return true
		}
		seen[key] = true
		return false
	})
}

func (d *decoder) unmarshalText(n ast.Node, u encoding.TextUnmarshaler) {
	value, set := d.scalarValue(n)
	if !set {
		return
	}
	if err := u.UnmarshalText([]byte(fmt.Sprint(value))); err != nil {
		d.errorf(n, "%v", err)
	}
}

// scalarValue is what a scalar node says, after d.text has looked at text.
func (d *decoder) scalarValue(n ast.Node) (value any, set bool) {
	value, ok := plainScalar(n)
	if !ok || value == nil {
		d.errorf(n, "expected a single value, got %s", describe(n))
		return nil, false
	}
	text, isText := value.(string)
	if !isText || d.text == nil {
		return value, true
	}
	value, set, err := d.text(n, text)
	if err != nil {
		d.problems = append(d.problems, err)
		return nil, false
	}
	return value, set
}

func (d *decoder) scalar(n ast.Node, v reflect.Value) {
	if _, ok := plainScalar(n); !ok {
		d.errorf(n, "expected %s, got %s", expected(v.Type()), describe(n))
		return
	}
	value, set := d.scalarValue(n)
	if !set {
		return
	}
	ok := false
	switch v.Kind() {
	case reflect.String:
		var text string
		if text, ok = value.(string); ok {
			v.SetString(text)
		}
		if ok && text == "" {
			d.empty = n
		}
	case reflect.Bool:
		var b bool
		if b, ok = value.(bool); ok {
			v.SetBool(b)
		}
	case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64:
		var i int64
		if i, ok = value.(int64); ok && !v.OverflowInt(i) {
			v.SetInt(i)
		}
		ok = ok && !v.OverflowInt(i)
	case reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64:
		i, isInt := value.(int64)
		if ok = isInt && i >= 0 && !v.OverflowUint(uint64(i)); ok {
			v.SetUint(uint64(i))
		}
	case reflect.Float32, reflect.Float64:
		var f float64
		if f, ok = toFloat(value); ok {
			v.SetFloat(f)
		}
	}
	if !ok {
		d.errorf(n, "expected %s, got %s", expected(v.Type()), describeValue(value))
	}
}

func toFloat(value any) (float64, bool) {
	switch value := value.(type) {
	case int64:
		return float64(value), true
	case float64:
		return value, !math.IsNaN(value) && !math.IsInf(value, 0)
	}
	return 0, false
}
