// Package schema makes the JSON Schema of documents of the code that reads
// them, with the words of its comments. What it makes lies in
// playbooks/schema.json and playbooks/actions.json, from where the program has it;
// a test keeps those current, and writes it with -update.
package schema

import (
	"bytes"
	"encoding/json"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"path"
	"reflect"
	"strings"

	"github.com/firebreak-io/firebreak/cmd/internal/config"
	"github.com/firebreak-io/firebreak/cmd/internal/files"
	"github.com/firebreak-io/firebreak/detect"
	"github.com/firebreak-io/firebreak/internal/conf"
	"github.com/firebreak-io/firebreak/respond"
	"github.com/firebreak-io/firebreak/respond/action"
)

const module = "github.com/firebreak-io/firebreak/"

// Specs are the empty specs of all kinds of documents.
func Specs() map[string]any {
	specs := map[string]any{files.PlaybookKind: respond.EmptySpec(), files.GroupKind: respond.EmptyGroup(), config.Kind: config.Config{}}
	for _, k := range detect.Kinds() {
		specs[k.Name] = k.Spec
	}
	return specs
}

// Make writes the schema of kinds; source holds the module's sources.
func Make(source fs.FS, specs map[string]any) ([]byte, error) {
	c := comments{source: source, packages: map[string]map[string]string{}}
	out := conf.Schema(specs, c.field)
	if c.err != nil {
		return nil, fmt.Errorf("make schema: %w", c.err)
	}
	return encode(out)
}

// Actions writes the schema of the parameters of each action, by its name; source
// holds the module's sources.
func Actions(source fs.FS) ([]byte, error) {
	c := comments{source: source, packages: map[string]map[string]string{}}
	specs := map[string]any{}
	for _, k := range action.Kinds() {
		specs[k.Name] = k.Config()
	}
	all := map[string]any{}
	each, _ := conf.Schema(specs, c.field)["allOf"].([]any)
	for _, one := range each {
		all[kindOf(one)] = under(one, "then", "properties", "spec")
	}
	if c.err != nil {
		return nil, fmt.Errorf("make schema of actions: %w", c.err)
	}
	return encode(all)
}

// under goes into objects by their keys; nil is that there is no such place.
func under(one any, keys ...string) any {
	for _, key := range keys {
		m, _ := one.(map[string]any)
		one = m[key]
	}
	return one
}

// encode writes a schema as it is stored.
func encode(out any) ([]byte, error) {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	enc.SetIndent("", " ")
	err := enc.Encode(out)
	return b.Bytes(), err
}

// Only takes all kinds but one out of a schema.
func Only(all []byte, kind string) ([]byte, error) {
	var s map[string]any
	if err := json.Unmarshal(all, &s); err != nil {
		return nil, fmt.Errorf("read schema: %w", err)
	}
	properties, _ := s["properties"].(map[string]any)
	each, _ := s["allOf"].([]any)
	var known []string
	for _, one := range each {
		name := kindOf(one)
		known = append(known, name)
		if name == kind {
			properties["kind"] = map[string]any{"const": kind}
			s["allOf"] = []any{one}
			return json.MarshalIndent(s, "", " ")
		}
	}
	return nil, fmt.Errorf("unknown kind %q%s", kind, conf.Suggest(kind, known))
}

func kindOf(one any) string {
	name, _ := under(one, "if", "properties", "kind", "const").(string)
	return name
}

// comments finds what stands above the fields of structs.
type comments struct {
	source   fs.FS
	packages map[string]map[string]string
	err      error
}

func (c *comments) field(in reflect.Type, field string) string {
	dir, ok := strings.CutPrefix(in.PkgPath(), module)
	if !ok {
		return ""
	}
	if c.packages[dir] == nil {
		c.packages[dir] = map[string]string{}
		if err := c.read(dir); err != nil {
			c.err = err
		}
	}
	return c.packages[dir][in.Name()+"."+field]
}

func (c *comments) read(dir string) error {
	names, err := fs.Glob(c.source, path.Join(dir, "*.go"))
	if err != nil {
		return err
	}
	for _, name := range names {
		data, err := fs.ReadFile(c.source, name)
		if err != nil {
			return err
		}
		file, err := parser.ParseFile(token.NewFileSet(), name, data, parser.ParseComments)
		if err != nil {
			return err
		}
		ast.Inspect(file, func(n ast.Node) bool {
			spec, ok := n.(*ast.TypeSpec)
			if !ok {
				return true
			}
			if s, ok := spec.Type.(*ast.StructType); ok {
				for _, f := range s.Fields.List {
					for _, fieldName := range f.Names {
						c.packages[dir][spec.Name.Name+"."+fieldName.Name] = words(f)
					}
				}
			}
			return true
		})
	}
	return nil
}

func words(f *ast.Field) string {
	text := f.Doc.Text()
	if text == "" {
		text = f.Comment.Text()
	}
	return strings.Join(strings.Fields(strings.NewReplacer("[", "", "]", "").Replace(text)), " ")
}
