package conf

import (
	"reflect"
	"slices"
	"strings"

	"github.com/expr-lang/expr/ast"
)

// field checks that a name, or a member of a struct, is one of those that
// expressions may use: the compiler itself looks at the types only after
// operators were replaced by ones that take anything, and so not at a name
// that is misspelled beside them.
func (in *inspector) field(n ast.Node) {
	switch n := n.(type) {
	case *ast.IdentifierNode:
		_, local := in.locals[n.Value]
		names := exprNames(in.root)
		if len(names) == 0 || local || slices.Contains(names, n.Value) || slices.Contains(in.funcs, n.Value) {
			return
		}
		in.refuse(n, "unknown name %s", n.Value) // what is meant is added to it
	case *ast.MemberNode:
		name, ok := n.Property.(*ast.StringNode)
		names := exprNames(in.typeOf(n.Node))
		if !ok || len(names) == 0 || slices.Contains(names, name.Value) {
			return
		}
		in.refuse(n.Property, "unknown field %q%s", name.Value, Suggest(name.Value, names))
	}
}

// typeOf is the type of a name or of a member, or nil where it is not known.
func (in *inspector) typeOf(n ast.Node) reflect.Type {
	switch n := n.(type) {
	case *ast.ChainNode:
		return in.typeOf(n.Node)
	case *ast.IdentifierNode:
		if _, local := in.locals[n.Value]; !local {
			return fieldOf(in.root, n.Value)
		}
	case *ast.MemberNode:
		if name, ok := n.Property.(*ast.StringNode); ok {
			return fieldOf(in.typeOf(n.Node), name.Value)
		}
	}
	return nil
}

// fieldOf is the type of a struct's field by its name in expressions.
func fieldOf(t reflect.Type, name string) reflect.Type {
	f, _ := structField(t, name)
	return f.Type
}

func structField(t reflect.Type, name string) (f reflect.StructField, ok bool) {
	for t != nil && t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	if t == nil || t.Kind() != reflect.Struct || name == "" {
		return f, false
	}
	for i := range t.NumField() {
		if tag, _, _ := strings.Cut(t.Field(i).Tag.Get("expr"), ","); tag == name {
			return t.Field(i), true
		}
	}
	return f, false
}
