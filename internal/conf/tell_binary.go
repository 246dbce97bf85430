package conf

import (
	"slices"

	"github.com/expr-lang/expr/ast"
)

// binary follows domains through an operator of two operands.
func (t *teller) binary(n *ast.BinaryNode) Domain {
	if n.Operator == "in" {
		if list, ok := n.Right.(*ast.ArrayNode); ok {
			return t.in(t.of(n.Left), list)
		}
	}
	a, b := t.of(n.Left), t.of(n.Right)
	switch n.Operator {
	case "and", "&&":
		return a.and(b)
	case "or", "||":
		return a.not().and(b.not()).not()
	case "==":
		return a.equals(b)
	case "!=":
		return a.equals(b).not()
	case "<":
		return a.below(b, false)
	case "<=":
		return a.below(b, true)
	case ">":
		return b.below(a, false)
	case ">=":
		return b.below(a, true)
	}
	return combined(a, b)
}

func (d Domain) and(o Domain) Domain {
	switch {
	case d.kind == no || o.kind == no:
		return yesOrNo(false)
	case d.kind == yes:
		return o
	case o.kind == yes:
		return d
	}
	return combined(d, o)
}

func (d Domain) equals(o Domain) Domain {
	switch {
	case d.kind == among && o.kind == among:
		if !slices.ContainsFunc(d.texts, func(s string) bool { return slices.Contains(o.texts, s) }) {
			return yesOrNo(false)
		}
		if d.one() && o.one() {
			return yesOrNo(true)
		}
	case d.kind == between && o.kind == between:
		if d.hi < o.lo || o.hi < d.lo {
			return yesOrNo(false)
		}
		if d.one() && o.one() {
			return yesOrNo(true)
		}
	}
	return combined(d, o)
}

// below says whether d is less than o, or, if equal ones count, no more.
func (d Domain) below(o Domain, equal bool) Domain {
	if d.kind == between && o.kind == between {
		switch {
		case d.hi < o.lo || equal && d.hi == o.lo:
			return yesOrNo(true)
		case d.lo > o.hi || !equal && d.lo == o.hi:
			return yesOrNo(false)
		}
	}
	return combined(d, o)
}

// in says whether d is one of a list's items.
func (t *teller) in(d Domain, list *ast.ArrayNode) Domain {
	out, items := yesOrNo(false), []Domain{}
	for _, n := range list.Nodes {
		item := t.of(n)
		items = append(items, item)
		out = out.not().and(d.equals(item).not()).not()
	}
	if out.kind == open && d.kind == among && !slices.ContainsFunc(d.texts, func(s string) bool {
		return !slices.ContainsFunc(items, func(item Domain) bool { return Among(s).equals(item).kind == yes })
	}) {
		return yesOrNo(true)
	}
	return out
}
