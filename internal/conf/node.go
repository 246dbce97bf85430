package conf

import (
	"fmt"
	"math"
	"reflect"
	"slices"
	"strings"

	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/token"
)

// place is where a node begins in the file.
func place(p part, n ast.Node) (line, column int) {
	if t := beginning(n); t != nil && t.Position != nil {
		return t.Position.Line + p.lines, t.Position.Column
	}
	return p.lines + 1, 1
}

// beginning is the first token of a node; nil if it has none.
func beginning(n ast.Node) *token.Token {
	switch m := n.(type) {
	case nil:
		return nil
	case *ast.MappingNode:
		if !m.IsFlowStyle && len(m.Values) > 0 {
			n = m.Values[0].Key
		}
	case *ast.MappingValueNode:
		n = m.Key
	case *ast.LiteralNode:
		if m.Start != nil && m.Start.Position != nil {
			return m.Start
		}
	}
	return n.GetToken()
}

func isMapping(n ast.Node) bool {
	switch n.(type) {
	case *ast.MappingNode, *ast.MappingValueNode:
		return true
	}
	return false
}

func entries(n ast.Node) []*ast.MappingValueNode {
	switch n := n.(type) {
	case *ast.MappingNode:
		return n.Values
	case *ast.MappingValueNode:
		return []*ast.MappingValueNode{n}
	}
	return nil
}

func keyText(e *ast.MappingValueNode) string {
	if e.Key == nil || e.Key.GetToken() == nil {
		return ""
	}
	return e.Key.GetToken().Value
}

// plainScalar is the value of a scalar: string, bool, int64, float64 or nil.
func plainScalar(n ast.Node) (any, bool) {
	switch n := n.(type) {
	case nil, *ast.NullNode:
		return nil, true
	case *ast.StringNode:
		return n.Value, true
	case *ast.LiteralNode:
		return n.Value.Value, true
	case *ast.BoolNode:
		return n.Value, true
	case *ast.FloatNode:
		return n.Value, true
	case *ast.InfinityNode:
		return n.Value, true
	case *ast.NanNode:
		return math.NaN(), true
	case *ast.IntegerNode:
		switch i := n.Value.(type) {
		case int64:
			return i, true
		case uint64:
			if i <= math.MaxInt64 {
				return int64(i), true
			}
		}
		return n.GetToken().Value, true
	}
	return nil, false
}

// plain is the value of any node, as encoding/json would give it but for
// integers, which are int64.
func (d *decoder) plain(n ast.Node) any {
	switch n := n.(type) {
	case *ast.MappingNode, *ast.MappingValueNode:
		out := map[string]any{}
		for _, e := range d.unique(n) {
			out[keyText(e)] = d.plain(e.Value)
		}
		return out
	case *ast.SequenceNode:
		out := make([]any, len(n.Values))
		for i, item := range n.Values {
			out[i] = d.plain(item)
		}
		return out
	}
	if value, ok := plainScalar(n); ok && value == nil {
		return nil
	}
	value, _ := d.scalarValue(n)
	return value
}

func describe(n ast.Node) string {
	switch n.(type) {
	case *ast.MappingNode, *ast.MappingValueNode:
		return "a mapping"
	case *ast.SequenceNode:
		return "a list"
	}
	value, _ := plainScalar(n)
	return describeValue(value)
}

func describeValue(value any) string {
	switch value := value.(type) {
	case nil:
		return "nothing"
	case string:
		if len(value) > 40 {
			value = strings.ToValidUTF8(value[:40], "") + "…"
		}
		return fmt.Sprintf("text %q", value)
	case bool:
		return fmt.Sprintf("%v (in quotes it would be text)", value)
	case int64, float64:
		return fmt.Sprintf("the number %v (in quotes it would be text)", value)
	}
	return fmt.Sprintf("%T", value)
}

func expected(t reflect.Type) string {
	switch t.Kind() {
	case reflect.String:
		return "text"
	case reflect.Bool:
		return "true or false"
	case reflect.Slice:
		return "a list"
	case reflect.Map, reflect.Struct:
		return "a mapping"
	case reflect.Float32, reflect.Float64:
		return "a number"
	case reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64:
		return "a whole number, not negative"
	case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64:
		return "a whole number"
	}
	return t.String()
}

// field is how one key of a mapping finds its place in a struct.
type field struct {
	index    []int
	required bool
	// filled says that its text is not empty where it is given.
	filled bool
}

// fieldsOf reads the yaml tags: the name, then "required", "inline" or "filled",
// which is for text that means something else, or more, when it is left out: one
// that was given and comes out empty is a mistake. A field without a tag can't be
// set from YAML.
func fieldsOf(t reflect.Type) map[string]field {
	out := map[string]field{}
	for i := range t.NumField() {
		f := t.Field(i)
		name, options, _ := strings.Cut(f.Tag.Get("yaml"), ",")
		if strings.Contains(options, "inline") && f.Type.Kind() == reflect.Struct {
			for k, inner := range fieldsOf(f.Type) {
				inner.index = append([]int{i}, inner.index...)
				out[k] = inner
			}
			continue
		}
		if name == "" || name == "-" || !f.IsExported() {
			continue
		}
		out[name] = field{[]int{i}, strings.Contains(options, "required"), strings.Contains(options, "filled")}
	}
	return out
}

func names(fields map[string]field) []string {
	out := make([]string, 0, len(fields))
	for name := range fields {
		out = append(out, name)
	}
	slices.Sort(out)
	return out
}
