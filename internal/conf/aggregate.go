package conf

import (
	"reflect"
	"slices"

	"github.com/expr-lang/expr"
	"github.com/expr-lang/expr/ast"
)

// Aggregate is one call of an aggregate function in an expression: a number
// that is made of many events, as in distinct(object.namespace).
type Aggregate struct {
	// Name is the function's.
	Name string
	// Args are its arguments, each of a kind of its own: compiled against the
	// same env as the expression.
	Args []*Program
	// Constants holds for each argument its value where that is a constant
	// number, and nil elsewhere.
	Constants []any
	// Text is the call as it is written, but for spaces.
	Text string
}

// CompileAggregates compiles an expression in which the named functions are
// aggregates. It gives each different call once; when the program runs it asks
// value for the number of the i-th. Everything else is as in
// [Expression.Compile]. The program may be run by as many at a time as value
// may be called by.
func (e Expression) CompileAggregates(env any, kind Kind, names []string, value func(i int) float64, funcs ...Func) (*Program, []Aggregate, error) {
	found := &aggregates{names: names}
	all := slices.Clone(funcs)
	for _, name := range names {
		all = append(all, Func{Name: name, Signature: new(func(...any) float64), Fn: func(...any) (any, error) { return 0.0, nil }})
	}
	all = append(all, Func{
		Name: aggregateName, Signature: new(func(int) float64), Fn: func(a ...any) (any, error) { return value(a[0].(int)), nil },
	})
	program, err := compileWith(e.at, e.Text, 0, e.Text, env, kind, all, expr.Patch(found))
	if err != nil {
		return nil, nil, err
	}
	calls, err := e.arguments(found.calls, env, funcs)
	return program, calls, err
}

// aggregateName is what a call is put in place of; no expression can name it.
const aggregateName = "__aggregate"

// arguments compiles what the calls are given.
func (e Expression) arguments(calls []*ast.CallNode, env any, funcs []Func) ([]Aggregate, error) {
	out := make([]Aggregate, len(calls))
	for i, call := range calls {
		out[i] = Aggregate{Name: call.Callee.(*ast.IdentifierNode).Value, Text: call.String()}
		for _, arg := range call.Arguments {
			program, err := Compile(env, arg.String(), Any, funcs...)
			if err != nil {
				return nil, e.Errorf("%s: %v", call.String(), err)
			}
			out[i].Args = append(out[i].Args, program)
			out[i].Constants = append(out[i].Constants, constantOf(arg))
		}
	}
	return out, nil
}

func constantOf(n ast.Node) any {
	switch n := n.(type) {
	case *ast.IntegerNode:
		return float64(n.Value)
	case *ast.FloatNode:
		return n.Value
	}
	return nil
}

// aggregates finds the calls of aggregate functions, the same ones once, and
// puts questions for their values in their place.
type aggregates struct {
	names []string
	calls []*ast.CallNode
}

// Visit is called for each node after its children.
func (a *aggregates) Visit(node *ast.Node) {
	call, ok := (*node).(*ast.CallNode)
	if !ok {
		return
	}
	name, ok := call.Callee.(*ast.IdentifierNode)
	if !ok || !slices.Contains(a.names, name.Value) {
		return
	}
	text := call.String()
	i := slices.IndexFunc(a.calls, func(c *ast.CallNode) bool { return c.String() == text })
	if i < 0 {
		i = len(a.calls)
		a.calls = append(a.calls, call)
	}
	ask := &ast.CallNode{
		Callee: &ast.IdentifierNode{Value: aggregateName}, Arguments: []ast.Node{&ast.IntegerNode{Value: i}},
	}
	ask.Arguments[0].SetType(reflect.TypeFor[int]())
	ask.SetType(reflect.TypeFor[float64]())
	ast.Patch(node, ask)
}
