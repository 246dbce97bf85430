package conf

import "github.com/goccy/go-yaml/ast"

// Value is a part of a YAML file with its place, for readers of formats that
// are not Firebreak's own. The zero value is nothing. The bounds of a file and
// what is refused in it are as for [Documents].
type Value struct {
	part part
	node ast.Node
}

// Pair is one key of a mapping and its value.
type Pair struct {
	// Key is the key; At is its place.
	Key   string
	At    Value
	Value Value
}

// Values reads the documents of a file. The error joins the problems of those
// that can't be read; the others are beside it.
func Values(file string, data []byte) ([]Value, error) {
	parts, problem := split(file, data)
	if problem != nil {
		return nil, problem
	}
	var out []Value
	var problems []*Error
	for _, p := range parts {
		body, problem := p.parse()
		if problem != nil {
			problems = append(problems, problem)
			continue
		}
		out = append(out, Value{p, body})
	}
	return out, joinErrors(problems)
}

// IsZero says that there is nothing, or null.
func (v Value) IsZero() bool { return v.node == nil || v.node.Type() == ast.NullType }

// Pairs are the keys of a mapping in their order; of anything else none.
func (v Value) Pairs() []Pair {
	var out []Pair
	for _, e := range entries(v.node) {
		out = append(out, Pair{keyText(e), Value{v.part, e.Key}, Value{v.part, e.Value}})
	}
	return out
}

// Get is the value of a key of a mapping, or nothing.
func (v Value) Get(key string) Value {
	return Value{v.part, child(v.node, key)}
}

// IsMapping says whether it is a mapping.
func (v Value) IsMapping() bool { return isMapping(v.node) }

// IsList says whether it is a list.
func (v Value) IsList() bool {
	_, ok := v.node.(*ast.SequenceNode)
	return ok
}

// Items are those of a list. A single value stands for a list of itself, and
// nothing for an empty one.
func (v Value) Items() []Value {
	list, ok := v.node.(*ast.SequenceNode)
	if !ok {
		if v.node == nil {
			return nil
		}
		return []Value{v}
	}
	out := make([]Value, len(list.Values))
	for i, item := range list.Values {
		out[i] = Value{v.part, item}
	}
	return out
}

// Scalar is a single value: text, bool, int64, float64 or nil.
func (v Value) Scalar() (value any, ok bool) { return plainScalar(v.node) }

// Text is a single value as it is written, without quotes; of anything else it
// is empty.
func (v Value) Text() string {
	switch value, ok := plainScalar(v.node); text := value.(type) {
	case string:
		return text
	case nil:
		return ""
	default:
		if ok {
			return v.node.GetToken().Value
		}
	}
	return ""
}

// Errorf makes a problem at its place.
func (v Value) Errorf(format string, args ...any) *Error {
	if v.part.src == nil {
		return newSource("", "").errorf(0, 0, format, args...)
	}
	line, column := place(v.part, v.node)
	return v.part.src.errorf(line, column, format, args...)
}

// Line is where it begins in the file.
func (v Value) Line() int {
	line, _ := place(v.part, v.node)
	return line
}
