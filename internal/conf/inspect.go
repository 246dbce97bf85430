package conf

import (
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"

	"github.com/expr-lang/expr/ast"
	"github.com/expr-lang/expr/builtin"
	"github.com/expr-lang/expr/conf"
	"github.com/expr-lang/expr/file"
	"github.com/expr-lang/expr/parser"

	"github.com/firebreak-io/firebreak/internal/conf/pattern"
)

// iterating are the built-in functions that take a predicate.
var iterating = []string{
	"all", "any", "none", "one", "filter", "map", "find", "findIndex", "findLast", "findLastIndex", "count", "sum",
}

// plainFunctions are the other built-in functions that may be called. Left out
// is what makes its argument larger (repeat, replace, toBase64, toJSON), costs
// more than its argument's length (sort, uniq, groupBy), or reads the clock.
var plainFunctions = []string{
	"len", "abs", "ceil", "floor", "round", "int", "float", "string", "trim", "trimPrefix", "trimSuffix", "upper", "lower",
	"split", "indexOf", "lastIndexOf", "hasPrefix", "hasSuffix", "fromBase64", "duration", "first", "last", "keys", "values",
	"concat", "join", "min", "max", "type",
}

// cheap are those that take no longer for a longer argument.
var cheap = []string{"abs", "ceil", "floor", "round", "int", "float", "first", "last", "type", "len", "min", "max", "hasPrefix", "hasSuffix"}

const (
	maxPatternBytes = 512
	// maxPatternSize is in instructions of the compiled pattern.
	maxPatternSize = 1000
	maxJoin        = 16
)

// inspector walks an expression before it is compiled and finds what is
// refused. Positions are in characters.
type inspector struct {
	funcs []string
	// calls are those functions, part is the document that the text is of.
	calls []Func
	part  part
	// root is the struct whose fields are names.
	root reflect.Type
	// from says which macro a node was written in.
	from map[ast.Node]string
	// depth counts the loops around, long those of them that are not over a
	// literal.
	depth, long int
	// locals are the names that let has bound, and whether each may be
	// iterated inside a loop.
	locals map[string]bool
	err    *file.Error
}

func inspect(text string, root reflect.Type, p part, funcs []Func) *file.Error {
	in := inspector{root: root, locals: map[string]bool{}, calls: funcs, part: p, from: map[ast.Node]string{}}
	for _, f := range funcs {
		in.funcs = append(in.funcs, f.Name)
	}
	tree, err := parseExpression(text, funcs)
	if err != nil {
		return err
	}
	x := expander{lib: p.lib, funcs: funcs, text: p.text, from: in.from}
	if err := x.expand(&tree); err != nil {
		return err
	}
	in.walk(tree)
	return in.err
}

// parseExpression gives the tree of a text; the functions may be named as
// built-in ones are.
func parseExpression(text string, funcs []Func) (ast.Node, *file.Error) {
	config := conf.CreateNew()
	config.MaxNodes = maxNodes
	for _, f := range funcs {
		config.Functions[f.Name] = &builtin.Function{Name: f.Name, Func: f.Fn}
	}
	tree, err := parser.ParseWithConfig(text, config)
	if err != nil {
		var f *file.Error
		if errors.As(err, &f) {
			return nil, f
		}
		return nil, &file.Error{Message: strings.SplitN(err.Error(), "\n", 2)[0]}
	}
	return tree.Node, nil
}

func (in *inspector) refuse(n ast.Node, format string, args ...any) {
	if in.err != nil {
		return
	}
	message := fmt.Sprintf(format, args...)
	if name := in.from[n]; name != "" {
		message = fmt.Sprintf("macros.%s (%s): %s", name, in.part.lib.macroPlace(name), message)
	}
	in.err = &file.Error{Location: n.Location(), Message: message}
}

func (in *inspector) walk(n ast.Node) {
	if n == nil || in.err != nil {
		return
	}
	switch n := n.(type) {
	case *ast.UnaryNode:
		in.walk(n.Node)
	case *ast.BinaryNode:
		in.binary(n)
	case *ast.ChainNode:
		in.walk(n.Node)
	case *ast.MemberNode:
		if _, ok := shared(n, "lists"); ok {
			return // the expander knows that it is there
		}
		in.walk(n.Node)
		in.walk(n.Property)
		in.field(n)
	case *ast.SliceNode:
		in.walk(n.Node)
		in.walk(n.From)
		in.walk(n.To)
	case *ast.CallNode:
		in.call(n)
	case *ast.BuiltinNode:
		in.builtin(n)
	case *ast.PredicateNode:
		in.walk(n.Node)
	case *ast.ConditionalNode:
		in.walk(n.Cond)
		in.walk(n.Exp1)
		in.walk(n.Exp2)
	case *ast.VariableDeclaratorNode:
		in.walk(n.Value)
		if n.Name == "lists" || n.Name == "macros" {
			in.refuse(n, "%s can't be a name of let", n.Name)
		}
		in.locals[n.Name] = in.inner(n.Value)
		in.walk(n.Expr)
	case *ast.SequenceNode:
		in.refuse(n, "; between expressions is not supported")
	case *ast.ArrayNode:
		for _, item := range n.Nodes {
			in.walk(item)
		}
	case *ast.MapNode:
		for _, pair := range n.Pairs {
			in.walk(pair)
		}
	case *ast.PairNode:
		in.walk(n.Key)
		in.walk(n.Value)
	case *ast.IdentifierNode:
		if strings.HasPrefix(n.Value, "__") || n.Value == "$env" {
			in.refuse(n, "unknown name %s", n.Value)
		}
		if n.Value == "lists" || n.Value == "macros" {
			in.refuse(n, "%s is followed by a name, as in %s.mine", n.Value, n.Value)
		}
		in.field(n)
	}
}

func (in *inspector) binary(n *ast.BinaryNode) {
	in.walk(n.Left)
	in.walk(n.Right)
	in.compared(n)
	switch n.Operator {
	case "..":
		in.refuse(n, "ranges (..) are not supported")
	case "matches":
		constant, ok := n.Right.(*ast.StringNode)
		if !ok {
			in.refuse(n.Right, "the pattern of matches has to be a constant")
			return
		}
		if _, err := Pattern(constant.Value); err != nil {
			in.refuse(n.Right, "%s", err)
		}
		in.hoist("matches", n.Left)
	}
}

// Pattern compiles a regular expression (RE2) if its size is within what an
// expression may use.
func Pattern(text string) (*pattern.Pattern, error) {
	if len(text) > maxPatternBytes {
		return nil, fmt.Errorf("pattern has %d bytes, more than %d", len(text), maxPatternBytes)
	}
	p, err := pattern.Compile(text)
	if err != nil {
		return nil, err
	}
	if p.Size() > maxPatternSize {
		return nil, fmt.Errorf("pattern is too large: %d instructions, more than %d", p.Size(), maxPatternSize)
	}
	return p, nil
}

func (in *inspector) call(n *ast.CallNode) {
	name, ok := n.Callee.(*ast.IdentifierNode)
	switch {
	case !ok:
		in.refuse(n, "methods can't be called")
	case in.part.nested && (name.Value == aggregateName || name.Value == holdsName):
		return
	case !slices.Contains(in.funcs, name.Value) || strings.HasPrefix(name.Value, "__"):
		in.refuse(n, "unknown function %s%s", name.Value, in.instead(name.Value))
	}
	for _, arg := range n.Arguments {
		in.walk(arg)
	}
	if ok {
		in.prepared(name.Value, n.Arguments)
		in.hoist(name.Value, n.Arguments...)
	}
}

func (in *inspector) builtin(n *ast.BuiltinNode) {
	if slices.Contains(plainFunctions, n.Name) {
		if n.Name == "join" && len(n.Arguments) > 1 {
			if sep, ok := n.Arguments[1].(*ast.StringNode); !ok || len(sep.Value) > maxJoin {
				in.refuse(n.Arguments[1], "the separator of join has to be a constant of at most %d bytes", maxJoin)
			}
		}
		if !slices.Contains(cheap, n.Name) {
			in.hoist(n.Name, n.Arguments...)
		}
		for _, arg := range n.Arguments {
			in.walk(arg)
		}
		return
	}
	if !slices.Contains(iterating, n.Name) {
		in.refuse(n, "function %s is not supported%s", n.Name, Suggest(n.Name, slices.Concat(iterating, plainFunctions, in.funcs)))
		return
	}
	if len(n.Arguments) == 0 {
		return
	}
	in.walk(n.Arguments[0])
	if in.depth > 0 && !in.inner(n.Arguments[0]) {
		in.refuse(n, "%s inside a loop has to go over a part of the outer loop's item, or a literal", n.Name)
	}
	if in.depth >= 2 {
		in.refuse(n, "more than one loop inside another")
	}
	long := 1
	if _, literal := n.Arguments[0].(*ast.ArrayNode); literal {
		long = 0
	}
	in.depth, in.long = in.depth+1, in.long+long
	for _, arg := range n.Arguments[1:] {
		in.walk(arg)
	}
	in.depth, in.long = in.depth-1, in.long-long
}

// hoist refuses work, inside of a loop, on a value that does not come from the
// loop's item: a long list times a long text would take seconds.
func (in *inspector) hoist(name string, args ...ast.Node) {
	if in.long == 0 {
		return
	}
	for _, arg := range args {
		if !in.inner(arg) {
			in.refuse(arg, "%s of something that is the same for each item of the loop; take it out of the loop with let", name)
		}
	}
}

// inner says whether a value comes from the item of the loop around it, or is
// a constant: then all rounds together look at no more than the event has.
func (in *inspector) inner(n ast.Node) bool {
	switch n := n.(type) {
	case *ast.PointerNode, *ast.StringNode, *ast.IntegerNode, *ast.BoolNode, *ast.NilNode:
		return true
	case *ast.ChainNode:
		return in.inner(n.Node)
	case *ast.MemberNode:
		if _, ok := shared(n, "lists"); ok {
			return true
		}
		return in.inner(n.Node)
	case *ast.SliceNode:
		return in.inner(n.Node)
	case *ast.IdentifierNode:
		return in.locals[n.Value]
	case *ast.CallNode:
		return len(n.Arguments) > 0 && !slices.ContainsFunc(n.Arguments, func(a ast.Node) bool { return !in.inner(a) })
	case *ast.ArrayNode:
		return len(n.Nodes) <= 32
	case *ast.BinaryNode:
		return in.inner(n.Left) && in.inner(n.Right)
	case *ast.BuiltinNode:
		return len(n.Arguments) > 0 && !slices.ContainsFunc(n.Arguments, func(a ast.Node) bool {
			_, predicate := a.(*ast.PredicateNode)
			return !predicate && !in.inner(a)
		})
	}
	return false
}

// instead says what somebody may have meant by a function that is not there.
func (in *inspector) instead(name string) string {
	for _, operator := range []string{"startsWith", "endsWith", "contains", "matches"} {
		if strings.EqualFold(name, operator) {
			return fmt.Sprintf(": it is an operator, as in verb %s %q", operator, "x")
		}
	}
	return Suggest(name, slices.Concat(iterating, plainFunctions, in.funcs))
}
