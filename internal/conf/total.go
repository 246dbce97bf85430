package conf

import (
	"fmt"
	"reflect"
	"slices"

	"github.com/expr-lang/expr"
	"github.com/expr-lang/expr/ast"
	"github.com/expr-lang/expr/file"
)

// total rewrites an expression so that values of a type that is only known
// when it runs can't make it fail: what strangers wrote would otherwise switch
// a rule off by sending a number where it expects text. It also takes named Go
// types (event.Source) down to the types that operators compare.
type total struct {
	// bad is the first comparison whose sides are never of one type. What stands
	// around it takes any value once it is rewritten, so that the check of types
	// does not see it any more.
	bad *file.Error
}

// Visit is called for each node after its children.
func (t *total) Visit(node *ast.Node) {
	switch n := (*node).(type) {
	case *ast.IdentifierNode:
		plainType(node)
	case *ast.MemberNode:
		switch base := n.Node.Type(); {
		case unknown(n.Node) || base != nil && base.Kind() == reflect.Map && base.Elem().Kind() == reflect.Interface:
			replace(node, anyType, "__get", n.Node, n.Property)
		default:
			plainType(node)
		}
	case *ast.UnaryNode:
		if n.Operator == "not" || n.Operator == "!" {
			truth(&n.Node)
		}
	case *ast.ConditionalNode:
		truth(&n.Cond)
	case *ast.BinaryNode:
		t.compare(n)
		binary(node, n)
	case *ast.BuiltinNode:
		builtins(node, n)
	}
}

var (
	anyType    = reflect.TypeFor[any]()
	boolType   = reflect.TypeFor[bool]()
	stringType = reflect.TypeFor[string]()
)

func unknown(n ast.Node) bool {
	t := n.Type()
	return t == nil || t.Kind() == reflect.Interface
}

func number(n ast.Node) bool {
	t := n.Type()
	return t != nil && t.Kind() >= reflect.Int && t.Kind() <= reflect.Float64
}

func replace(node *ast.Node, result reflect.Type, name string, args ...ast.Node) {
	call := &ast.CallNode{Callee: &ast.IdentifierNode{Value: name}, Arguments: args}
	ast.Patch(node, call)
	call.SetType(result)
}

// plainType wraps a value of a named string or integer type.
func plainType(node *ast.Node) {
	t := (*node).Type()
	if t == nil || t.PkgPath() == "" || t.PkgPath() == "time" {
		return
	}
	switch {
	case t.Kind() == reflect.String:
		replace(node, stringType, "__plain", *node)
	case t.Kind() >= reflect.Int && t.Kind() <= reflect.Int64:
		replace(node, reflect.TypeFor[int](), "__int", *node)
	}
}

func truth(node *ast.Node) {
	if unknown(*node) {
		replace(node, boolType, "__true", *node)
	}
}

// compare finds comparisons of what is never of one type.
func (t *total) compare(n *ast.BinaryNode) {
	if t.bad != nil || !slices.Contains([]string{"==", "!=", "<", "<=", ">", ">="}, n.Operator) {
		return
	}
	left, right := sortOf(n.Left), sortOf(n.Right)
	if left == "" || right == "" || left == right {
		return
	}
	t.bad = &file.Error{
		Location: n.Location(), Message: fmt.Sprintf("invalid operation: %s (mismatched types %s and %s)", n.Operator, left, right),
	}
}

// sortOf is what a value is for comparisons, by a type that stands for all of its
// sort; empty where that is not known before it runs.
func sortOf(n ast.Node) string {
	t := n.Type()
	for t != nil && t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	switch {
	case t == nil:
		return ""
	case t.Kind() == reflect.String, t.Kind() == reflect.Bool:
		return t.Kind().String()
	case t.Kind() >= reflect.Int && t.Kind() <= reflect.Float64:
		return "int"
	case t.Kind() == reflect.Slice:
		return "[]any"
	}
	return ""
}

func binary(node *ast.Node, n *ast.BinaryNode) {
	either := unknown(n.Left) || unknown(n.Right)
	switch n.Operator {
	case "and", "&&", "or", "||":
		truth(&n.Left)
		truth(&n.Right)
	case "contains", "startsWith", "endsWith":
		if either {
			replace(node, boolType, "__"+n.Operator, n.Left, n.Right)
		}
	case "matches":
		if text, ok := n.Right.(*ast.StringNode); ok {
			if re, err := Pattern(text.Value); err == nil {
				replace(node, boolType, "__matches", n.Left, &ast.ConstantNode{Value: re})
			}
		}
	case "in":
		if either {
			replace(node, boolType, "__in", n.Left, n.Right)
		}
	case "<", "<=":
		if either {
			replace(node, boolType, "__"+n.Operator, n.Left, n.Right)
		}
	case ">", ">=":
		if either {
			replace(node, boolType, "__<"+n.Operator[1:], n.Right, n.Left)
		}
	case "+":
		if !number(n.Left) || !number(n.Right) {
			text := n.Left.Type() != nil && n.Left.Type().Kind() == reflect.String
			result := anyType
			if text {
				result = stringType
			}
			replace(node, result, map[bool]string{true: "__join", false: "__add"}[text], n.Left, n.Right)
		}
	}
}

// textFunctions take text in all arguments but numbers.
var textFunctions = []string{
	"trim", "trimPrefix", "trimSuffix", "upper", "lower", "split", "indexOf", "lastIndexOf", "hasPrefix", "hasSuffix", "fromBase64",
}

func builtins(node *ast.Node, n *ast.BuiltinNode) {
	switch {
	case slices.Contains(iterating, n.Name):
		if len(n.Arguments) == 0 {
			return
		}
		if unknown(n.Arguments[0]) {
			replace(&n.Arguments[0], reflect.TypeFor[[]any](), "__list", n.Arguments[0])
		}
		if n.Name == "map" || n.Name == "sum" || len(n.Arguments) < 2 {
			return
		}
		if p, ok := n.Arguments[1].(*ast.PredicateNode); ok {
			truth(&p.Node)
		}
	case slices.Contains(textFunctions, n.Name):
		for i := range n.Arguments {
			if unknown(n.Arguments[i]) {
				replace(&n.Arguments[i], stringType, "__text", n.Arguments[i])
			}
		}
	case n.Name == "len":
		if len(n.Arguments) == 1 && unknown(n.Arguments[0]) {
			replace(node, reflect.TypeFor[int](), "__len", n.Arguments[0])
		}
	case n.Name == "string":
		replace(node, stringType, "__string", n.Arguments...)
	case n.Name == "concat":
		replace(node, reflect.TypeFor[[]any](), "__concat", n.Arguments...)
	case n.Name == "join":
		replace(node, stringType, "__joined", n.Arguments...)
	case n.Name == "first" || n.Name == "last" || n.Name == "keys" || n.Name == "values":
		replace(node, anyType, "__"+n.Name, n.Arguments...)
	}
}

func options(env any, kind Kind, lib *Library, funcs []Func, total *total) []expr.Option {
	out := []expr.Option{
		expr.Env(env), expr.MaxNodes(maxNodes * 4),
		expr.Patch(&preparer{lib: lib, funcs: funcs, lists: map[ast.Node]*constants{}}), expr.Patch(total),
	}
	switch kind {
	case Bool:
		out = append(out, expr.AsBool())
	case String:
		out = append(out, expr.AsKind(reflect.String))
	default:
		out = append(out, expr.AsAny())
	}
	for _, f := range slices.Concat(totalFuncs, funcs) {
		if f.Signature == nil {
			f.Signature = new(func(...any) any)
		}
		out = append(out, expr.Function(f.Name, f.Fn, f.Signature))
	}
	return out
}
