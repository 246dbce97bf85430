package layout

import (
	"fmt"
	"go/ast"
	"go/token"
)

// Undocumented names each package without a comment and each exported function, type, constant,
// variable and method of an exported type without one. A comment on a group is one for its members.
// Files for tests are left out.
func Undocumented(files []File) []string {
	packages := map[string]bool{}
	var wrong []string
	for _, file := range files {
		if file.Test {
			continue
		}
		packages[file.Dir] = packages[file.Dir] || file.Syntax.Doc != nil
		for _, decl := range file.Syntax.Decls {
			for _, name := range undocumented(decl) {
				wrong = append(wrong, fmt.Sprintf("%s: %s has no comment", file.Set.Position(name.Pos()), name.Name))
			}
		}
	}
	for dir, documented := range packages {
		if !documented {
			wrong = append(wrong, dir+": the package has no comment")
		}
	}
	return wrong
}

func undocumented(decl ast.Decl) []*ast.Ident {
	switch decl := decl.(type) {
	case *ast.FuncDecl:
		if decl.Doc == nil && decl.Name.IsExported() && (decl.Recv == nil || exportedReceiver(decl.Recv)) {
			return []*ast.Ident{decl.Name}
		}
	case *ast.GenDecl:
		if decl.Doc != nil || decl.Tok == token.IMPORT {
			return nil
		}
		var names []*ast.Ident
		for _, spec := range decl.Specs {
			names = append(names, undocumentedSpec(spec)...)
		}
		return names
	}
	return nil
}

func undocumentedSpec(spec ast.Spec) []*ast.Ident {
	switch spec := spec.(type) {
	case *ast.TypeSpec:
		if spec.Doc == nil && spec.Comment == nil && spec.Name.IsExported() {
			return []*ast.Ident{spec.Name}
		}
	case *ast.ValueSpec:
		if spec.Doc != nil || spec.Comment != nil {
			return nil
		}
		var names []*ast.Ident
		for _, name := range spec.Names {
			if name.IsExported() {
				names = append(names, name)
			}
		}
		return names
	}
	return nil
}

// exportedReceiver says whether a method's type is exported: *T, T, T[P].
func exportedReceiver(list *ast.FieldList) bool {
	expr := list.List[0].Type
	for {
		switch e := expr.(type) {
		case *ast.StarExpr:
			expr = e.X
		case *ast.IndexExpr:
			expr = e.X
		case *ast.IndexListExpr:
			expr = e.X
		case *ast.Ident:
			return e.IsExported()
		default:
			return false
		}
	}
}
