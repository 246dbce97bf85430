package conf

import (
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"

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
	// Exprs are the arguments as expressions, for [Expression.Tell].
	Exprs []Expression
	// Constants holds for each argument its value where that is a constant: a
	// float64 or a text, and nil elsewhere.
	Constants []any
	// Text is the call as it is written, but for spaces.
	Text string
	// At is where in the expression it is written, in bytes, for
	// [Expression.ErrorfAt].
	At int
}

// Nests says whether its first argument has calls of others in it.
func (a *Aggregate) Nests() bool {
	return len(a.Args) > 0 && strings.Contains(a.Args[0].Source(), aggregateName+"(")
}

// Of is which of the expression's calls its first argument is, when it is
// nothing more than that; -1 when it isn't.
func (a *Aggregate) Of() int {
	if len(a.Args) > 0 {
		i := -1
		if _, err := fmt.Sscanf(a.Args[0].Source(), aggregateName+"(%d)", &i); err == nil && a.Args[0].Source() == fmt.Sprintf(aggregateName+"(%d)", i) {
			return i
		}
	}
	return -1
}

// CompileAggregates compiles an expression in which the named functions are
// aggregates. It gives each different call once; when the program runs it asks
// value for the number of the i-th, and only when the expression needs it. A
// name that ends in ? is of a function that gives true or false, which is
// whether the number is not 0; one that ends in + is of a function whose
// arguments may have aggregates in them, which come before it. Everything else is as in [Expression.Compile].
// The program may be run by as many at a time as value may be called by; see also
// [Program.Asking].
func (e Expression) CompileAggregates(env any, kind Kind, names []string, value func(i int) float64, funcs ...Func) (*Program, []Aggregate, error) {
	found := newAggregates(names, value)
	program, err := compileWith(e.at, e.Text, 0, e.Text, env, kind, found.functions(funcs), expr.Patch(found), expr.Patch(found.asked))
	if err != nil {
		return nil, nil, err
	}
	calls, err := found.arguments(e.at, e.Text, e.ErrorfAt, env, funcs)
	return program, calls, err
}

// CompileAggregates is for the expressions of a template what
// [Expression.CompileAggregates] is for one.
func (t Template) CompileAggregates(env any, names []string, value func(i int) float64, funcs ...Func) (*Text, []Aggregate, error) {
	found := newAggregates(names, value)
	text, err := t.compile(env, found.functions(funcs), expr.Patch(found), expr.Patch(found.asked))
	if err != nil {
		return nil, nil, err
	}
	anywhere := func(_ int, format string, args ...any) *Error { return t.Errorf(format, args...) }
	calls, err := found.arguments(t.at, "", anywhere, env, funcs)
	return text, calls, err
}

// Asking is the same program of [Expression.CompileAggregates], but asks somebody
// else for its numbers. It takes next to no time, and one of them may run beside
// the other.
func (p *Program) Asking(value func(i int) float64) *Program {
	if p == nil {
		return nil
	}
	for i, c := range p.program.Constants {
		if _, ok := c.(*asked); ok {
			own := *p.program
			own.Constants = slices.Clone(own.Constants)
			own.Constants[i] = &asked{value}
			return &Program{&own, p.text}
		}
	}
	return p
}

// Asking is for a text what [Program.Asking] is for a program.
func (t *Text) Asking(value func(i int) float64) *Text {
	own := &Text{slices.Clone(t.parts)}
	for i := range own.parts {
		own.parts[i].program = own.parts[i].program.Asking(value)
	}
	return own
}

// asked is who knows the numbers of a program. It is among the program's
// constants, once, so that another can take its place.
type asked struct{ value func(i int) float64 }

// Visit gives it to the questions as their second argument.
func (q *asked) Visit(node *ast.Node) {
	call, ok := (*node).(*ast.CallNode)
	if !ok || len(call.Arguments) != 1 {
		return
	}
	if name, ok := call.Callee.(*ast.IdentifierNode); ok && (name.Value == aggregateName || name.Value == holdsName) {
		who := &ast.ConstantNode{Value: q}
		who.SetType(reflect.TypeFor[*asked]())
		call.Arguments = append(call.Arguments, who)
	}
}

// What a call is put in place of; no expression can name it.
const (
	aggregateName = "__aggregate"
	holdsName     = "__holds"
)

// arguments compiles what the calls of an expression are given. What is wrong
// with an argument is told where it is written, if it is written once as it is
// printed, else at its call.
func (a *aggregates) arguments(
	at origin, whole string, fail func(int, string, ...any) *Error, env any, funcs []Func,
) ([]Aggregate, error) {
	out := make([]Aggregate, len(a.calls))
	for i, call := range a.calls {
		out[i] = Aggregate{Name: call.Callee.(*ast.IdentifierNode).Value, Text: a.written(i), At: byteOffset(whole, call.Callee.Location().From)}
		from, with := origin{part: part{lib: at.part.lib, text: at.part.text}}, funcs
		nests := slices.Contains(a.nesting, out[i].Name)
		if nests {
			from.part.nested, with = true, a.functions(funcs)
		}
		for _, arg := range call.Arguments {
			text := arg.String()
			if !nests && strings.Contains(text, aggregateName+"(") {
				return nil, fail(out[i].At, "%s: takes what single events have, and no number that is made of many", out[i].Text)
			}
			program, err := compileWith(from, text, 0, text, env, Any, with, expr.Patch(a.asked))
			if err != nil {
				return nil, misplacedIn(at, whole, text, err, fail(out[i].At, "%s: %v", out[i].Text, err))
			}
			out[i].Args = append(out[i].Args, program)
			out[i].Exprs = append(out[i].Exprs, Expression{Text: text, at: from})
			out[i].Constants = append(out[i].Constants, constantOf(arg))
		}
	}
	return out, nil
}

// misplacedIn is the error of an argument at its place in the whole expression;
// where that is not known, otherwise.
func misplacedIn(at origin, whole, text string, err error, otherwise *Error) error {
	var problem *Error
	if !errors.As(err, &problem) || problem.Line != 1 || strings.Count(whole, text) != 1 {
		return otherwise
	}
	return at.errorf(whole, strings.Index(whole, text)+byteOffset(text, problem.Column-1), "%s", problem.Msg)
}

// written is a call as somebody wrote it: with the calls in its arguments.
func (a *aggregates) written(i int) string {
	text := a.calls[i].String()
	for j := i - 1; j >= 0; j-- {
		for _, name := range []string{aggregateName, holdsName} {
			if in := fmt.Sprintf("%s(%d)", name, j); strings.Contains(text, in) {
				text = strings.ReplaceAll(text, in, a.calls[j].String())
			}
		}
	}
	return text
}

func constantOf(n ast.Node) any {
	switch n := n.(type) {
	case *ast.StringNode:
		return n.Value
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
	names   []string
	boolean []string
	nesting []string
	calls   []*ast.CallNode
	asked   *asked
}

func newAggregates(names []string, value func(i int) float64) *aggregates {
	a := &aggregates{asked: &asked{value}}
	for _, name := range names {
		if plain, ok := strings.CutSuffix(name, "?"); ok {
			a.boolean, name = append(a.boolean, plain), plain
		}
		if plain, ok := strings.CutSuffix(name, "+"); ok {
			a.nesting, name = append(a.nesting, plain), plain
		}
		a.names = append(a.names, name)
	}
	return a
}

// functions are those that the expression is compiled with.
func (a *aggregates) functions(funcs []Func) []Func {
	all := slices.Clone(funcs)
	for _, name := range a.names {
		f := Func{Name: name, Signature: new(func(...any) float64), Fn: func(...any) (any, error) { return 0.0, nil }}
		if slices.Contains(a.boolean, name) {
			f.Signature, f.Fn = new(func(...any) bool), func(...any) (any, error) { return false, nil }
		}
		all = append(all, f)
	}
	return append(all, Func{
		Name: aggregateName, Signature: new(func(int, ...*asked) float64), Fn: func(a ...any) (any, error) { return answer(a), nil },
	}, Func{
		Name: holdsName, Signature: new(func(int, ...*asked) bool), Fn: func(a ...any) (any, error) { return answer(a) != 0, nil },
	})
}

func answer(args []any) float64 { return args[1].(*asked).value(args[0].(int)) }

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
	if slices.Contains(a.boolean, name.Value) {
		ask.Callee = &ast.IdentifierNode{Value: holdsName}
		ask.SetType(boolType)
	}
	ast.Patch(node, ask)
}
