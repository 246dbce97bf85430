package conf

import (
	"slices"

	"github.com/expr-lang/expr/ast"
)

// maxProof bounds the steps of a proof.
const maxProof = 20_000

// Implies says whether of whatever all of the facts are true, at least one of
// the goals is. It looks at how they are written, not at what they mean: what
// it says is certain, and what it can't see is false.
//
// It sees and, or and not; that a part is written in both; and what follows
// from comparing one value with constant texts (==, !=, in, not in). It does
// not see what follows from patterns, from numbers, or from let.
func Implies(facts []Expression, goals ...Expression) bool {
	p := prover{steps: maxProof}
	var known []clause
	for _, fact := range facts {
		if tree := parseClause(fact); tree != nil {
			known = append(known, clauseOf(tree, false))
		}
	}
	var any clause
	for _, goal := range goals {
		if tree := parseClause(goal); tree != nil {
			any.parts = append(any.parts, clauseOf(tree, false))
		}
	}
	if len(any.parts) == 0 {
		return false
	}
	any.kind = either
	return p.proves(known, any)
}

// parseClause is the tree of an expression with its macros and lists written
// out, or nil.
func parseClause(e Expression) ast.Node {
	if len(e.Text) > MaxExpressionBytes {
		return nil
	}
	tree, err := parseExpression(e.Text, nil)
	if err != nil {
		return nil
	}
	x := expander{lib: e.at.part.lib, text: e.at.part.text, literal: true}
	if err := x.expand(&tree); err != nil {
		return nil
	}
	return tree
}

// How the parts of a clause hold together.
type clauseKind int

const (
	literal clauseKind = iota // no parts
	both                      // all of them
	either                    // one of them
)

// clause is an expression with its negations at the literals.
type clause struct {
	kind  clauseKind
	parts []clause
	// A literal says that the value of the operand is among the texts, or,
	// without texts, that the operand is true; negated, that it is not.
	operand string
	texts   []string
	not     bool
}

func clauseOf(n ast.Node, not bool) clause {
	switch n := n.(type) {
	case *ast.UnaryNode:
		if n.Operator == "not" || n.Operator == "!" {
			return clauseOf(n.Node, !not)
		}
	case *ast.BinaryNode:
		if c, ok := binaryClause(n, not); ok {
			return c
		}
	case *ast.BoolNode:
		if n.Value != not {
			return clause{kind: both} // of nothing: true
		}
		return clause{kind: either}
	}
	return clause{operand: canonical(n), not: not}
}

func binaryClause(n *ast.BinaryNode, not bool) (clause, bool) {
	switch n.Operator {
	case "and", "&&", "or", "||":
		kind := both
		if (n.Operator == "or" || n.Operator == "||") != not {
			kind = either
		}
		return clause{kind: kind, parts: []clause{clauseOf(n.Left, not), clauseOf(n.Right, not)}}, true
	case "==", "!=":
		not = not != (n.Operator == "!=")
		left, right := n.Left, n.Right
		if _, constant := constantText(left); constant {
			left, right = right, left
		}
		if text, constant := constantText(right); constant {
			return clause{operand: canonical(left), texts: []string{text}, not: not}, true
		}
		return clause{operand: canonical(&ast.BinaryNode{Operator: "==", Left: n.Left, Right: n.Right}), not: not}, true
	case "in":
		list, ok := n.Right.(*ast.ArrayNode)
		if !ok || len(list.Nodes) == 0 {
			return clause{}, false
		}
		c := clause{operand: canonical(n.Left), not: not}
		for _, item := range list.Nodes {
			text, constant := constantText(item)
			if !constant {
				return clause{}, false
			}
			c.texts = append(c.texts, text)
		}
		return c, true
	}
	return clause{}, false
}

// constantText is the text of a constant, which may be joined of several.
func constantText(n ast.Node) (string, bool) {
	switch n := n.(type) {
	case *ast.StringNode:
		return n.Value, true
	case *ast.BinaryNode:
		if n.Operator == "+" {
			left, ok := constantText(n.Left)
			right, too := constantText(n.Right)
			return left + right, ok && too
		}
	}
	return "", false
}

// canonical is the same text for expressions that are written alike, whatever
// their spaces and quotes, and whether with words or with signs.
func canonical(n ast.Node) string {
	ast.Walk(&n, spelling{})
	return ast.Dump(n)
}

type spelling struct{}

// Visit writes operators in one way, and joins constant texts.
func (spelling) Visit(node *ast.Node) {
	switch n := (*node).(type) {
	case *ast.UnaryNode:
		if n.Operator == "not" {
			n.Operator = "!"
		}
	case *ast.BinaryNode:
		switch n.Operator {
		case "and":
			n.Operator = "&&"
		case "or":
			n.Operator = "||"
		}
		if text, ok := constantText(n); ok {
			ast.Patch(node, &ast.StringNode{Value: text})
		}
	}
}

// prover looks for a proof, for so many steps.
type prover struct{ steps int }

func (p *prover) proves(facts []clause, goal clause) bool {
	if p.steps--; p.steps < 0 {
		return false
	}
	// What holds all together is as many facts.
	for i, f := range facts {
		if f.kind == both {
			return p.proves(slices.Concat(facts[:i], f.parts, facts[i+1:]), goal)
		}
	}
	switch goal.kind {
	case both:
		return !slices.ContainsFunc(goal.parts, func(g clause) bool { return !p.proves(facts, g) })
	case either:
		parts := alternatives(goal)
		if slices.ContainsFunc(parts, func(g clause) bool { return p.direct(facts, g) }) {
			return true
		}
	default:
		if p.direct(facts, goal) {
			return true
		}
	}
	// Of a fact that is one of several, each has to lead to the goal.
	for i, f := range facts {
		if f.kind == either {
			rest := slices.Concat(facts[:i], facts[i+1:])
			return !slices.ContainsFunc(f.parts, func(part clause) bool { return !p.proves(append(slices.Clone(rest), part), goal) })
		}
	}
	return false
}

// direct proves a literal by one of the facts, or all parts of a goal.
func (p *prover) direct(facts []clause, goal clause) bool {
	if p.steps--; p.steps < 0 {
		return false
	}
	switch goal.kind {
	case both:
		return !slices.ContainsFunc(goal.parts, func(g clause) bool { return !p.direct(facts, g) })
	case either:
		return slices.ContainsFunc(alternatives(goal), func(g clause) bool { return p.direct(facts, g) })
	}
	return slices.ContainsFunc(facts, func(f clause) bool { return f.kind == literal && f.implies(goal) })
}

// alternatives are the parts of a goal of which one is enough. Those that
// compare the same value with constants are one.
func alternatives(goal clause) []clause {
	var out []clause
	for _, part := range goal.parts {
		if part.kind == either {
			out = append(out, alternatives(part)...)
			continue
		}
		i := slices.IndexFunc(out, func(o clause) bool {
			return o.kind == literal && part.kind == literal && o.operand == part.operand && !o.not && !part.not && o.texts != nil && part.texts != nil
		})
		if i < 0 {
			out = append(out, part)
			continue
		}
		out[i].texts = slices.Concat(out[i].texts, part.texts)
	}
	return out
}

// implies is of two literals.
func (c clause) implies(goal clause) bool {
	if c.operand != goal.operand || (c.texts == nil) != (goal.texts == nil) {
		return false
	}
	within := func(a, b []string) bool {
		return !slices.ContainsFunc(a, func(s string) bool { return !slices.Contains(b, s) })
	}
	switch {
	case c.texts == nil:
		return c.not == goal.not
	case !c.not && !goal.not:
		return within(c.texts, goal.texts)
	case !c.not && goal.not:
		return !slices.ContainsFunc(c.texts, func(s string) bool { return slices.Contains(goal.texts, s) })
	case c.not && goal.not:
		return within(goal.texts, c.texts)
	}
	return false
}
