package conf

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	goccy "github.com/goccy/go-yaml/ast"

	"github.com/expr-lang/expr/ast"
)

// Member is a place at which an expression asks for something under a name, as
// steps.isolate.state does for isolate, state under steps.
type Member struct {
	// Names are those behind the first, as far as they are constants.
	Names []string

	at     origin
	text   string
	offset int
}

// Errorf makes a problem where the member is written.
func (m Member) Errorf(format string, args ...any) *Error {
	return m.at.errorf(m.text, m.offset, "%s", fmt.Sprintf(format, args...))
}

// Members are the places at which the expression asks for something under
// root, in the order in which they are written. One that can't be read has
// none; [Expression.Compile] says why.
func (e Expression) Members(root string, funcs ...Func) []Member {
	if e.IsZero() {
		return nil
	}
	return members(e.at, e.Text, 0, e.Text, root, funcs)
}

// Members are those of the template's expressions.
func (t Template) Members(root string, funcs ...Func) []Member {
	var out []Member
	for i := 0; i < len(t.Text); {
		rest := t.Text[i:]
		switch {
		case strings.HasPrefix(rest, "$${"):
			i += 3
		case strings.HasPrefix(rest, "${"):
			n := closing(rest[2:])
			if n < 0 {
				return out
			}
			out = append(out, members(t.at, t.Text, i+2, rest[2:2+n], root, funcs)...)
			i += n + 3
		default:
			i++
		}
	}
	return out
}

// Templates are the texts with `${…}` in it, in the order in which they are
// written.
func (r Raw) Templates() []Template {
	var out []Template
	var walk func(n goccy.Node)
	walk = func(n goccy.Node) {
		switch n := n.(type) {
		case *goccy.MappingNode, *goccy.MappingValueNode:
			for _, e := range entries(n) {
				walk(e.Value)
			}
		case *goccy.SequenceNode:
			for _, item := range n.Values {
				walk(item)
			}
		default:
			if value, _ := plainScalar(n); value != nil {
				if text, ok := value.(string); ok && strings.Contains(text, "${") {
					out = append(out, Template{text, origin{r.part, n}})
				}
			}
		}
	}
	if !r.IsZero() {
		walk(r.node)
	}
	return out
}

func members(at origin, whole string, base int, text, root string, funcs []Func) []Member {
	if len(text) > MaxExpressionBytes {
		return nil
	}
	tree, problem := parseExpression(text, funcs)
	if problem != nil {
		return nil
	}
	var out []Member
	inner := map[ast.Node]bool{}
	record := func(n ast.Node) {
		if names := namesOf(n); len(names) > 0 && names[0] == root && !inner[n] {
			out = append(out, Member{names[1:], at, whole, base + byteOffset(text, begin(n))})
		}
	}
	walkDown(tree, func(n ast.Node) {
		record(n)
		switch n := n.(type) {
		case *ast.ChainNode:
			inner[n.Node] = inner[n] || namesOf(n.Node) != nil
		case *ast.MemberNode:
			inner[n.Node] = inner[n] || namesOf(n) != nil
		}
	})
	slices.SortStableFunc(out, func(a, b Member) int { return cmp.Compare(a.offset, b.offset) })
	return out
}

// walkDown visits each node before its children.
func walkDown(tree ast.Node, visit func(ast.Node)) {
	var order []ast.Node
	ast.Walk(&tree, visitor(func(n ast.Node) { order = append(order, n) }))
	for i := len(order) - 1; i >= 0; i-- {
		visit(order[i])
	}
}

// namesOf are the names of a path; nil of anything else.
func namesOf(n ast.Node) []string {
	switch n := n.(type) {
	case *ast.IdentifierNode:
		return []string{n.Value}
	case *ast.ChainNode:
		return namesOf(n.Node)
	case *ast.MemberNode:
		name, ok := n.Property.(*ast.StringNode)
		if of := namesOf(n.Node); ok && of != nil {
			return append(of, name.Value)
		}
	}
	return nil
}
