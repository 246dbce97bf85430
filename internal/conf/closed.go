package conf

import (
	"reflect"
	"slices"
	"strings"

	"github.com/expr-lang/expr/ast"
)

// Closed is a type of text that has one of a few values. A comparison with
// anything else would never hold, so it is refused, and so is one by the
// alphabet. A field that is plain text says the same by a tag, as in
// values:"a b c".
type Closed interface{ Values() []string }

// valuesAt are the only ones that a name or a member can have; nil where it can
// have any.
func (in *inspector) valuesAt(n ast.Node) []string {
	owner, name := in.root, ""
	switch n := n.(type) {
	case *ast.ChainNode:
		return in.valuesAt(n.Node)
	case *ast.IdentifierNode:
		if _, local := in.locals[n.Value]; local {
			return nil
		}
		name = n.Value
	case *ast.MemberNode:
		member, ok := n.Property.(*ast.StringNode)
		if !ok {
			return nil
		}
		owner, name = in.typeOf(n.Node), member.Value
	}
	f, ok := structField(owner, name)
	if !ok {
		return nil
	}
	if closed, ok := reflect.Zero(f.Type).Interface().(Closed); ok {
		return closed.Values()
	}
	if text, has := f.Tag.Lookup("values"); has {
		return strings.Fields(text)
	}
	return nil
}

// compared refuses what a closed value can never be.
func (in *inspector) compared(n *ast.BinaryNode) {
	ordered := slices.Contains([]string{"<", "<=", ">", ">="}, n.Operator)
	if !ordered && !slices.Contains([]string{"==", "!=", "in"}, n.Operator) {
		return
	}
	closed, other := n.Left, n.Right
	known := in.valuesAt(closed)
	if known == nil && n.Operator != "in" {
		closed, other = other, closed
		known = in.valuesAt(closed)
	}
	value, constant := constantValue(other, in.part.lib)
	if known == nil || !constant {
		return
	}
	if ordered {
		in.refuse(other, "%s would go by the alphabet here; say which, as in %s in [%q, %q]", n.Operator, closed, known[len(known)-2], known[len(known)-1])
		return
	}
	items, isList := value.([]any)
	if !isList {
		items = []any{value}
	}
	array, _ := other.(*ast.ArrayNode)
	for i, item := range items {
		text, ok := item.(string)
		if !ok || text == "" || slices.Contains(known, text) {
			continue
		}
		at := other
		if array != nil {
			at = array.Nodes[i]
		}
		in.refuse(at, "%s is never %q: it is one of %s%s", closed, text, strings.Join(known, ", "), Meant(text, known))
	}
}
