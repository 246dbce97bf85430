// Package layout keeps the plan of the house: which room may import which, who owns a dependency, how
// long a file may be, and that every exported name says what it promises. Its tests read the sources
// of the module and nothing else, so they hold for all build tags and need no tool.
package layout

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"path"
	"path/filepath"
	"strings"
)

// Module is the path of the module.
const Module = "github.com/firebreak-io/firebreak"

// File is one Go file of the module.
type File struct {
	// Path is relative to the module's root, with slashes; Dir is its folder, "." for the root.
	Path, Dir string
	// Test says that it is compiled for tests alone.
	Test bool
	// Lines is how long it is.
	Lines int
	// Imports are the paths that it imports, with the position of each.
	Imports []Import
	// Syntax is the parsed file and Set its positions.
	Syntax *ast.File
	Set    *token.FileSet
}

// Import is one import of a file.
type Import struct{ Path, Position string }

// Files parses all Go files below the module's root, which is a folder. Nested modules, testdata and
// hidden folders are left out.
func Files(root fs.FS) ([]File, error) {
	set := token.NewFileSet()
	var files []File
	err := fs.WalkDir(root, ".", func(name string, entry fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case entry.IsDir():
			return skip(root, name)
		case path.Ext(name) != ".go":
			return nil
		}
		file, err := parse(root, set, name)
		if err != nil {
			return fmt.Errorf("read layout: %w", err)
		}
		files = append(files, file)
		return nil
	})
	return files, err
}

// skip is fs.SkipDir for a folder that is no part of the module.
func skip(root fs.FS, dir string) error {
	base := path.Base(dir)
	if dir == "." {
		return nil
	}
	if base == "testdata" || strings.HasPrefix(base, ".") || strings.HasPrefix(base, "_") {
		return fs.SkipDir
	}
	if _, err := fs.Stat(root, path.Join(dir, "go.mod")); err == nil {
		return fs.SkipDir
	}
	return nil
}

func parse(root fs.FS, set *token.FileSet, name string) (File, error) {
	source, err := fs.ReadFile(root, name)
	if err != nil {
		return File{}, err
	}
	syntax, err := parser.ParseFile(set, name, source, parser.ParseComments|parser.SkipObjectResolution)
	if err != nil {
		return File{}, err
	}
	file := File{
		Path: name, Dir: filepath.ToSlash(path.Dir(name)), Test: strings.HasSuffix(name, "_test.go"),
		Lines: strings.Count(string(source), "\n"), Syntax: syntax, Set: set,
	}
	for _, spec := range syntax.Imports {
		file.Imports = append(file.Imports, Import{
			Path: strings.Trim(spec.Path.Value, `"`), Position: set.Position(spec.Pos()).String(),
		})
	}
	return file, nil
}

// within says whether a path is a folder or import path, or below it.
func within(name, dir string) bool { return name == dir || strings.HasPrefix(name, dir+"/") }
