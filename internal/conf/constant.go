package conf

import (
	"slices"

	"github.com/expr-lang/expr/ast"
)

// constants are the items of a list, quick to look up.
type constants struct {
	items []any
	texts map[string]struct{}
	// others are the items that are no text.
	others []any
}

func newConstants(items []any) *constants {
	c := &constants{items: slices.Clone(items), texts: map[string]struct{}{}}
	for _, item := range c.items {
		if text, ok := item.(string); ok {
			c.texts[text] = struct{}{}
		} else {
			c.others = append(c.others, item)
		}
	}
	return c
}

// has says whether a value is among them, as the operator in does.
func (c *constants) has(v any) bool {
	if text, ok := v.(string); ok {
		_, has := c.texts[text]
		return has
	}
	return within(v, c.others)
}

// shared says whether a node is lists.NAME or macros.NAME, and gives the name.
func shared(n ast.Node, kind string) (name string, ok bool) {
	m, ok := n.(*ast.MemberNode)
	if !ok {
		return "", false
	}
	base, ok := m.Node.(*ast.IdentifierNode)
	if !ok || base.Value != kind {
		return "", false
	}
	property, ok := m.Property.(*ast.StringNode)
	if !ok {
		return "", false
	}
	return property.Value, true
}

// constantValue is what a node stands for when it is a constant: text, an int,
// a float64, a bool, or a list of them.
func constantValue(n ast.Node, lib *Library) (any, bool) {
	switch n := n.(type) {
	case *ast.StringNode:
		return n.Value, true
	case *ast.IntegerNode:
		return n.Value, true
	case *ast.FloatNode:
		return n.Value, true
	case *ast.BoolNode:
		return n.Value, true
	case *ast.ConstantNode:
		items, ok := n.Value.([]any)
		return items, ok
	case *ast.ArrayNode:
		items := make([]any, len(n.Nodes))
		for i, item := range n.Nodes {
			var ok bool
			if items[i], ok = constantValue(item, lib); !ok {
				return nil, false
			}
		}
		return items, true
	case *ast.BinaryNode:
		return joinedConstant(n)
	case *ast.MemberNode:
		if name, ok := shared(n, "lists"); ok {
			return lib.List(name)
		}
	}
	return nil, false
}

func joinedConstant(n *ast.BinaryNode) (any, bool) {
	text, ok := constantText(n)
	return text, ok
}

// prepared asks a function about its constant arguments, and refuses others
// where only constants may stand.
func (in *inspector) prepared(name string, args []ast.Node) {
	i := slices.IndexFunc(in.calls, func(f Func) bool { return f.Name == name })
	if i < 0 {
		return
	}
	f := in.calls[i]
	for i, arg := range args {
		value, constant := constantValue(arg, in.part.lib)
		if !constant {
			if f.Constant != nil && f.Constant(i) {
				in.refuse(arg, "argument %d of %s has to be a constant", i+1, name)
			}
			continue
		}
		if f.Prepare == nil {
			continue
		}
		if _, err := f.Prepare(i, value); err != nil {
			in.refuse(arg, "%s: %v", name, err)
		}
	}
}

// preparer puts lists in the place of their names, and what functions prepared
// in the place of constants.
type preparer struct {
	lib   *Library
	funcs []Func
	lists map[ast.Node]*constants
}

// Visit is called for each node after its children.
func (p *preparer) Visit(node *ast.Node) {
	switch n := (*node).(type) {
	case *ast.MemberNode:
		if name, ok := shared(n, "lists"); ok && p.lib != nil && p.lib.sets[name] != nil {
			set := p.lib.sets[name]
			list := &ast.ConstantNode{Value: set.items}
			ast.Patch(node, list)
			p.lists[list] = set
		}
	case *ast.BinaryNode:
		if set := p.lists[n.Right]; set != nil && n.Operator == "in" {
			replace(node, boolType, "__inlist", n.Left, &ast.ConstantNode{Value: set})
		}
	case *ast.CallNode:
		p.call(n)
	}
}

func (p *preparer) call(n *ast.CallNode) {
	name, ok := n.Callee.(*ast.IdentifierNode)
	if !ok {
		return
	}
	i := slices.IndexFunc(p.funcs, func(f Func) bool { return f.Name == name.Value })
	if i < 0 || p.funcs[i].Prepare == nil {
		return
	}
	for j := range n.Arguments {
		value, constant := constantValue(n.Arguments[j], p.lib)
		if !constant {
			continue
		}
		if ready, err := p.funcs[i].Prepare(j, value); err == nil { // the inspector refused the others
			ast.Patch(&n.Arguments[j], &ast.ConstantNode{Value: ready})
		}
	}
}
