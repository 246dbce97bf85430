package conf

import (
	"strings"

	"github.com/expr-lang/expr/ast"
)

// Mentions says whether an expression asks for a path, as in fields.stage, by
// itself or in a macro. Where that can't be told, as the expression can't be
// read by itself, it says so if the path's last name stands anywhere in the
// text.
func (e Expression) Mentions(path string) bool {
	if e.IsZero() {
		return false
	}
	tree := parseClause(e)
	if tree == nil {
		return strings.Contains(e.Text, path[strings.LastIndexByte(path, '.')+1:])
	}
	found := false
	ast.Walk(&tree, visitor(func(n ast.Node) { found = found || pathOf(n) == path }))
	return found
}

// pathOf is how a name or a member of it is written; empty of anything else.
func pathOf(n ast.Node) string {
	switch n := n.(type) {
	case *ast.IdentifierNode:
		return n.Value
	case *ast.ChainNode:
		return pathOf(n.Node)
	case *ast.MemberNode:
		name, ok := n.Property.(*ast.StringNode)
		if of := pathOf(n.Node); ok && of != "" {
			return of + "." + name.Value
		}
	}
	return ""
}
