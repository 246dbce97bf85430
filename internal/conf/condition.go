package conf

import (
	"slices"
	"strings"

	"github.com/expr-lang/expr/ast"
)

// How the parts of a [Condition] hold together.
const (
	OpAnd   = "and"
	OpOr    = "or"
	OpNot   = "not"
	OpMacro = "macro"
)

// Condition is a condition taken apart, to tell people what each part of it
// says of something. It is not safe for concurrent use.
type Condition struct {
	// Op is and, or, not or macro; it is empty of a test, which has no parts.
	Op string
	// Text is the part as it is written, but for spaces and parentheses; of a
	// macro its name, as in macros.by_a_node.
	Text string
	// File, Line and Column say where it is written, as far as that is known.
	File         string
	Line, Column int
	// Parts are several of and and or, one of not, and what a macro stands for.
	Parts []*Condition

	program *question
	reads   []*question
}

// Taking says what the conditions of an expression may use beside env.
type Taking struct {
	Funcs []Func
	// Aggregates are the names of functions whose numbers Ask knows, as
	// [Expression.CompileAggregates] takes them.
	Aggregates []string
	// Ask gives the number of a call, as it is written but for spaces; it is
	// false when it can't be known.
	Ask func(call string) (value float64, ok bool)
}

// Conditions takes an expression apart that [Expression.Compile] has no
// complaints about, over the same env. Macros are parts with their own places.
func (e Expression) Conditions(env any, t Taking) (*Condition, error) {
	if len(e.Text) > MaxExpressionBytes {
		return nil, e.Errorf("expression has more than %d bytes", MaxExpressionBytes)
	}
	b := &taker{Taking: t, env: env, lib: e.at.part.lib, document: e.at.part.text}
	c, err := b.expression(e)
	if err != nil {
		return nil, e.Errorf("%v", err)
	}
	return c, nil
}

// taker takes expressions apart.
type taker struct {
	Taking
	env      any
	lib      *Library
	document string
	stack    []string
	nodes    int
}

func (b *taker) expression(e Expression) (*Condition, error) {
	tree, problem := parseExpression(e.Text, append(slices.Clone(b.Funcs), newAggregates(b.Aggregates, nil).functions(nil)...))
	if problem != nil {
		return nil, problem
	}
	return b.take(e, "", tree), nil
}

// take makes a condition of a tree; before are the lets that it stands behind.
func (b *taker) take(e Expression, before string, n ast.Node) *Condition {
	c := &Condition{Text: n.String()}
	at := e.at.errorf(e.Text, byteOffset(e.Text, begin(n)), "")
	c.File, c.Line, c.Column = at.File, at.Line, at.Column
	if b.nodes++; b.nodes > maxNodes {
		return c
	}
	if name, ok := shared(n, "macros"); ok {
		b.macro(c, name)
		return c
	}
	switch n := n.(type) {
	case *ast.UnaryNode:
		if n.Operator == "not" || n.Operator == "!" {
			c.Op, c.Parts = OpNot, []*Condition{b.take(e, before, n.Node)}
			return c
		}
	case *ast.BinaryNode:
		if op := logical(n.Operator); op != "" {
			c.Op = op
			for _, part := range operands(n, op) {
				c.Parts = append(c.Parts, b.take(e, before, part))
			}
			return c
		}
	case *ast.VariableDeclaratorNode:
		return b.take(e, before+"let "+n.Name+" = "+n.Value.String()+"; ", n.Expr)
	}
	c.program = b.question(before+c.Text, Bool)
	c.reads = b.readings(before, n)
	return c
}

// macro makes the parts of a macro's name.
func (b *taker) macro(c *Condition, name string) {
	c.Op, c.Text = OpMacro, "macros."+name
	if b.lib == nil || slices.Contains(b.stack, name) || len(b.stack) >= maxMacroDepth {
		return
	}
	b.stack = append(b.stack, name)
	defer func() { b.stack = b.stack[:len(b.stack)-1] }()
	for _, e := range b.lib.macros[name] {
		if part, err := b.expression(e); err == nil {
			c.Parts = append(c.Parts, part)
		}
	}
}

func logical(operator string) string {
	switch operator {
	case "and", "&&":
		return OpAnd
	case "or", "||":
		return OpOr
	}
	return ""
}

// operands are those of a chain of one operator, in the order in which they are
// written.
func operands(n ast.Node, op string) []ast.Node {
	if b, ok := n.(*ast.BinaryNode); ok && logical(b.Operator) == op {
		return append(operands(b.Left, op), operands(b.Right, op)...)
	}
	return []ast.Node{n}
}

// begin is where the first character of a tree is, in characters.
func begin(n ast.Node) int {
	first := n.Location().From
	ast.Walk(&n, visitor(func(n ast.Node) { first = min(first, n.Location().From) }))
	return first
}

// readings are the values that a test looks at: fields, and what functions make
// of them.
func (b *taker) readings(before string, n ast.Node) []*question {
	var texts []string
	for _, r := range looksAt(n) {
		if text := r.String(); r != n && !slices.Contains(texts, text) && len(texts) < maxReadings {
			texts = append(texts, text)
		}
	}
	var out []*question
	for _, text := range texts {
		if q := b.question(before+text, Any); q != nil {
			q.text = text
			out = append(out, q)
		}
	}
	return out
}

// maxReadings bounds the values that are told of one test.
const maxReadings = 24

// looksAt are the paths and calls in a tree that have a value of their own,
// those furthest out first where they begin alike.
func looksAt(n ast.Node) []ast.Node {
	var all []ast.Node
	drop := func(gone ast.Node) {
		all = slices.DeleteFunc(all, func(o ast.Node) bool { return o == gone })
	}
	ast.Walk(&n, visitor(func(n ast.Node) {
		if _, ok := shared(n, "lists"); ok {
			drop(n.(*ast.MemberNode).Node)
			return
		}
		switch x := n.(type) {
		case *ast.IdentifierNode:
			all = append(all, n)
		case *ast.MemberNode:
			if slices.Contains(all, x.Node) && constant(x.Property) {
				drop(x.Node)
				all = append(all, n)
			}
		case *ast.ChainNode:
			if slices.Contains(all, x.Node) {
				drop(x.Node)
				all = append(all, n)
			}
		case *ast.CallNode:
			drop(x.Callee)
			if !loops(n) {
				all = append(all, n)
			}
		case *ast.BuiltinNode:
			if !loops(n) {
				all = append(all, n)
			}
		}
	}))
	return all
}

func constant(n ast.Node) bool {
	switch n.(type) {
	case *ast.StringNode, *ast.IntegerNode:
		return true
	}
	return false
}

// loops says whether something in a tree is of the item of a loop.
func loops(n ast.Node) bool {
	found := false
	ast.Walk(&n, visitor(func(n ast.Node) {
		switch n.(type) {
		case *ast.PointerNode, *ast.PredicateNode:
			found = true
		}
	}))
	return found
}

// question is a text that is compiled by itself, or nil where it can't be.
func (b *taker) question(text string, kind Kind) *question {
	q := &question{text: text}
	if len(text) > MaxExpressionBytes {
		return nil
	}
	e := Expression{Text: text, at: origin{part: part{lib: b.lib}}}
	program, calls, err := e.CompileAggregates(b.env, kind, b.Aggregates, q.number, b.Funcs...)
	if err != nil {
		return nil
	}
	for _, call := range calls {
		q.calls = append(q.calls, call.Text)
	}
	q.program, q.ask = program, b.Ask
	return q
}

// question is one program, and the calls that it asks about.
type question struct {
	text    string
	program *Program
	calls   []string
	ask     func(call string) (float64, bool)
	unknown bool
}

func (q *question) number(i int) float64 {
	if q.ask != nil {
		if v, ok := q.ask(q.calls[i]); ok {
			return v
		}
	}
	q.unknown = true
	return 0
}

// value is false for ok when a call that it needs is not known.
func (q *question) value(env any) (v any, ok bool, err error) {
	if q == nil {
		return nil, false, nil
	}
	q.unknown = false
	v, err = q.program.Any(env)
	return v, err == nil && !q.unknown, err
}

// String names an operator with what it holds together, for messages.
func (c *Condition) String() string { return strings.TrimSpace(c.Op + " " + c.Text) }
