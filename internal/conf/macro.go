package conf

import (
	"fmt"
	"slices"
	"strings"

	"github.com/expr-lang/expr/ast"
	"github.com/expr-lang/expr/file"
)

// maxMacroDepth bounds macros within macros.
const maxMacroDepth = 16

// expander puts the trees of macros in the place of their names. What it puts
// there has the place of the name.
type expander struct {
	lib   *Library
	funcs []Func
	// text is that of the document, empty if there is none.
	text string
	// literal says that lists are written out, too.
	literal bool
	// from, if there is one, is told which macro a node was written in.
	from map[ast.Node]string

	stack []string
	nodes int
	err   *file.Error
}

// expand changes the tree. An unknown name, a macro that uses itself and a tree
// of too many nodes are errors.
func (x *expander) expand(tree *ast.Node) *file.Error {
	ast.Walk(tree, x)
	return x.err
}

func (x *expander) fail(n ast.Node, format string, args ...any) {
	if x.err == nil {
		x.err = &file.Error{Location: n.Location(), Message: fmt.Sprintf(format, args...)}
	}
}

// Visit is called for each node after its children.
func (x *expander) Visit(node *ast.Node) {
	if x.nodes++; x.nodes > maxNodes {
		x.fail(*node, "more than %d nodes with the macros written out", maxNodes)
	}
	if x.err != nil {
		return
	}
	n := *node
	if name, ok := shared(n, "lists"); ok && x.known(n, "lists", name) && x.literal {
		x.list(node, name)
	}
	if name, ok := shared(n, "macros"); ok && x.known(n, "macros", name) {
		x.macro(node, name)
	}
}

// known says whether there is something of that name, and refuses it if not.
func (x *expander) known(n ast.Node, kind, name string) bool {
	if !x.lib.has(kind, name) {
		one := strings.TrimSuffix(kind, "s")
		x.fail(n, "unknown %s %q%s", one, name, Suggest(name, x.lib.names(kind)))
		return false
	}
	// The version of a document is made of the names that its text shows.
	if x.text != "" && len(x.stack) == 0 && !slices.Contains(named(x.text), kind+"."+name) {
		x.fail(n, "write %s.%s plainly", kind, name)
		return false
	}
	return true
}

// list writes a list out.
func (x *expander) list(node *ast.Node, name string) {
	array := &ast.ArrayNode{}
	for _, item := range x.lib.lists[name] {
		switch item := item.(type) {
		case string:
			array.Nodes = append(array.Nodes, &ast.StringNode{Value: item})
		case int64:
			array.Nodes = append(array.Nodes, &ast.IntegerNode{Value: int(item)})
		default:
			array.Nodes = append(array.Nodes, &ast.ConstantNode{Value: item})
		}
	}
	ast.Patch(node, array)
}

// macro puts the tree of a macro in the place of a node.
func (x *expander) macro(node *ast.Node, name string) {
	use := *node
	if slices.Contains(x.stack, name) || len(x.stack) >= maxMacroDepth {
		x.fail(use, "macro %q uses itself: %s", name, strings.Join(append(x.stack, name), " → "))
		return
	}
	x.stack = append(x.stack, name)
	defer func() { x.stack = x.stack[:len(x.stack)-1] }()
	var whole ast.Node
	for _, e := range x.lib.macros[name] {
		tree, err := x.parse(e)
		if err != nil {
			x.fail(use, "macros.%s (%s): %s", name, x.lib.macroPlace(name), err.Message)
			return
		}
		x.own(tree, use, name)
		ast.Walk(&tree, x)
		if whole == nil {
			whole = tree
		} else {
			whole = &ast.BinaryNode{Operator: "or", Left: whole, Right: tree}
			whole.SetLocation(use.Location())
		}
	}
	if x.err == nil && whole != nil {
		*node = whole
	}
}

func (x *expander) parse(e Expression) (ast.Node, *file.Error) {
	if len(e.Text) > MaxExpressionBytes {
		return nil, &file.Error{Message: fmt.Sprintf("expression has more than %d bytes", MaxExpressionBytes)}
	}
	return parseExpression(e.Text, x.funcs)
}

// own gives the nodes of a macro the place of its name.
func (x *expander) own(tree, use ast.Node, name string) {
	ast.Walk(&tree, visitor(func(n ast.Node) {
		n.SetLocation(use.Location())
		if x.from != nil && x.from[n] == "" {
			x.from[n] = name
		}
	}))
}

type visitor func(ast.Node)

// Visit is called for each node after its children.
func (v visitor) Visit(node *ast.Node) { v(*node) }

// inliner does what the expander does while the compiler runs; the inspector
// has found what is wrong.
type inliner struct {
	lib   *Library
	funcs []Func
}

// Visit is called for each node after its children.
func (i inliner) Visit(node *ast.Node) {
	if name, ok := shared(*node, "macros"); ok && i.lib != nil {
		x := expander{lib: i.lib, funcs: i.funcs}
		x.macro(node, name)
	}
}
