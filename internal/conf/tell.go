package conf

import (
	"slices"

	"github.com/expr-lang/expr/ast"
)

// Domain is what is known beforehand of the value of a name. The zero value is
// nothing.
type Domain struct {
	kind   domainKind
	texts  []string
	lo, hi float64
}

type domainKind int

const (
	open    domainKind = iota
	given              // one value, known when the expression is evaluated
	among              // one of the texts
	between            // a number from lo to hi
	yes
	no
)

// Given is of a name whose value is known when the expression is evaluated.
func Given() Domain { return Domain{kind: given} }

// Among is of a name whose value is one of the texts.
func Among(texts ...string) Domain { return Domain{kind: among, texts: texts} }

// Between is of a name whose value is a number from one to another.
func Between(lo, hi float64) Domain { return Domain{kind: between, lo: lo, hi: hi} }

// Answer is what can be said of an expression's value when only domains of names
// are known.
type Answer int

// The answers. Told is a value that is the same whatever the names with domains
// of several values have, and is known once the given ones are.
const (
	Open Answer = iota
	Told
	Never  // false
	Always // true
)

// Tell says whether the value of the expression is the same whatever the values
// of the names are, within what is known of them. It asks for names with their
// dots (http.status), and for the beginning of one of which it knows nothing
// (object of object.name). It looks at how the expression is written: what it
// says is certain, and what it can't see is [Open].
func (e Expression) Tell(known func(path string) Domain) Answer {
	tree := parseClause(e)
	if tree == nil {
		return Open
	}
	t := teller{known: known, locals: map[string]Domain{}}
	switch d := t.of(tree); {
	case d.kind == yes:
		return Always
	case d.kind == no:
		return Never
	case d.one():
		return Told
	}
	return Open
}

// Parts are the expressions that all have to be true for this one to be: those
// between its ands, if it has any.
func (e Expression) Parts() []Expression {
	tree := parseClause(e)
	if tree == nil {
		return []Expression{e}
	}
	var parts func(n ast.Node) []Expression
	parts = func(n ast.Node) []Expression {
		if b, ok := n.(*ast.BinaryNode); ok && (b.Operator == "and" || b.Operator == "&&") {
			return slices.Concat(parts(b.Left), parts(b.Right))
		}
		return []Expression{{Text: n.String(), at: origin{part: part{lib: e.at.part.lib}}}}
	}
	return parts(tree)
}

// one says that there is one value, now or when the expression is evaluated.
func (d Domain) one() bool {
	switch d.kind {
	case open:
		return false
	case among:
		return len(d.texts) == 1
	case between:
		return d.lo == d.hi
	}
	return true
}

func yesOrNo(v bool) Domain {
	if v {
		return Domain{kind: yes}
	}
	return Domain{kind: no}
}

func (d Domain) not() Domain {
	switch d.kind {
	case yes:
		return yesOrNo(false)
	case no:
		return yesOrNo(true)
	}
	return combined(d)
}

// combined is of what is made of several values in a way that is not looked at.
func combined(all ...Domain) Domain {
	if slices.ContainsFunc(all, func(d Domain) bool { return !d.one() }) {
		return Domain{}
	}
	return Given()
}

// teller follows domains through a tree.
type teller struct {
	known  func(path string) Domain
	locals map[string]Domain
}

func (t *teller) of(n ast.Node) Domain {
	switch n := n.(type) {
	case nil:
		return Given()
	case *ast.NilNode, *ast.ConstantNode, *ast.PointerNode:
		return Given() // what a pointer goes over is looked at where the loop is
	case *ast.BoolNode:
		return yesOrNo(n.Value)
	case *ast.StringNode:
		return Among(n.Value)
	case *ast.IntegerNode:
		return Between(float64(n.Value), float64(n.Value))
	case *ast.FloatNode:
		return Between(n.Value, n.Value)
	case *ast.IdentifierNode, *ast.MemberNode, *ast.ChainNode:
		return t.name(n)
	case *ast.UnaryNode:
		return t.unary(n)
	case *ast.BinaryNode:
		return t.binary(n)
	case *ast.ConditionalNode:
		return t.choice(n)
	case *ast.VariableDeclaratorNode:
		before, bound := t.locals[n.Name]
		t.locals[n.Name] = t.of(n.Value)
		d := t.of(n.Expr)
		if delete(t.locals, n.Name); bound {
			t.locals[n.Name] = before
		}
		return d
	case *ast.PredicateNode:
		return t.of(n.Node)
	case *ast.BuiltinNode:
		return t.all(n.Arguments)
	case *ast.CallNode:
		return t.all(n.Arguments)
	case *ast.ArrayNode:
		return t.all(n.Nodes)
	case *ast.SliceNode:
		return t.all([]ast.Node{n.Node, n.From, n.To})
	}
	return Domain{}
}

func (t *teller) all(nodes []ast.Node) Domain {
	var ds []Domain
	for _, n := range nodes {
		ds = append(ds, t.of(n))
	}
	return combined(ds...)
}

// name is a name, or a part of a value.
func (t *teller) name(n ast.Node) Domain {
	switch n := n.(type) {
	case *ast.ChainNode:
		return t.of(n.Node)
	case *ast.IdentifierNode:
		if d, local := t.locals[n.Value]; local {
			return d
		}
		return t.known(n.Value)
	case *ast.MemberNode:
		if path := pathOf(n); path != "" && !t.isLocal(n) {
			if d := t.known(path); d.kind != open {
				return d
			}
		}
		return combined(t.of(n.Node), t.of(n.Property))
	}
	return Domain{}
}

// isLocal says whether a path begins with a name of let.
func (t *teller) isLocal(n ast.Node) bool {
	switch n := n.(type) {
	case *ast.ChainNode:
		return t.isLocal(n.Node)
	case *ast.MemberNode:
		return t.isLocal(n.Node)
	case *ast.IdentifierNode:
		_, local := t.locals[n.Value]
		return local
	}
	return false
}

func (t *teller) unary(n *ast.UnaryNode) Domain {
	d := t.of(n.Node)
	switch {
	case n.Operator == "not" || n.Operator == "!":
		return d.not()
	case n.Operator == "-" && d.kind == between:
		return Between(-d.hi, -d.lo)
	}
	return combined(d)
}

// choice is one of two, by a condition.
func (t *teller) choice(n *ast.ConditionalNode) Domain {
	switch cond := t.of(n.Cond); cond.kind {
	case yes:
		return t.of(n.Exp1)
	case no:
		return t.of(n.Exp2)
	default:
		return combined(cond, t.of(n.Exp1), t.of(n.Exp2))
	}
}
