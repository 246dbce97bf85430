// Package falco makes rules of Firebreak of Falco's rules for the API server's
// audit log (https://falco.org/docs/concepts/rules/): lists and macros stay
// lists and macros, exceptions become unless. What can't be said is a problem
// at its place, and its rule is left out. Rules of other sources are Falco's to
// find; Firebreak reads its alerts.
package falco

import (
	"regexp"
	"slices"
	"strings"

	"github.com/firebreak-io/firebreak/cmd/internal/foreign"
	"github.com/firebreak-io/firebreak/internal/conf"
)

// item is a list, a macro or a rule, with what was added to it.
type item struct {
	kind, name string
	file       string
	at         conf.Value
	// Each part is where it was given last; conditions are added to.
	parts      map[string]conf.Value
	conditions []conf.Value
	exceptions []conf.Value
	items      []conf.Value
	err        error
}

type importer struct {
	all    []*item
	result foreign.Result
}

// Import reads all items of files.
func Import(files []foreign.File) foreign.Result {
	im := &importer{}
	for _, f := range files {
		docs, err := conf.Values(f.Name, f.Data)
		im.result.Problems = append(im.result.Problems, conf.Problems(err)...)
		for _, doc := range docs {
			for _, v := range doc.Items() {
				im.read(f.Name, v)
			}
		}
	}
	im.write()
	return im.result
}

func (im *importer) problem(err error) {
	im.result.Problems = append(im.result.Problems, conf.Problems(err)...)
}

// read takes one item of a file, or what it adds to another.
func (im *importer) read(file string, v conf.Value) {
	for _, kind := range []string{"list", "macro", "rule"} {
		name := v.Get(kind).Text()
		if name == "" {
			continue
		}
		mode := v.Get("override")
		appends, _ := v.Get("append").Scalar()
		before := im.find(kind, name)
		if before == nil || appends != true && mode.IsZero() && !(kind == "rule" && v.Get("condition").IsZero()) {
			fresh := &item{kind: kind, name: name, file: file, at: v, parts: map[string]conf.Value{}}
			if before != nil {
				*before = *fresh
			} else {
				im.all = append(im.all, fresh)
			}
			before = im.find(kind, name)
		}
		before.add(v, func(key string) bool { return appends == true || mode.Get(key).Text() == "append" })
		return
	}
	for _, key := range []string{"required_engine_version", "required_plugin_versions"} {
		if !v.Get(key).IsZero() {
			return
		}
	}
	im.problem(v.Errorf("neither list, macro nor rule"))
}

func (im *importer) find(kind, name string) *item {
	i := slices.IndexFunc(im.all, func(x *item) bool { return x.kind == kind && x.name == name })
	if i < 0 {
		return nil
	}
	return im.all[i]
}

// add takes the parts of an item; those that appends names are added to what
// there is.
func (x *item) add(v conf.Value, appends func(key string) bool) {
	for _, p := range v.Pairs() {
		var into *[]conf.Value
		switch p.Key {
		case "condition":
			into = &x.conditions
		case "exceptions":
			into = &x.exceptions
		case "items":
			into = &x.items
		default:
			if !appends(p.Key) || x.parts[p.Key].IsZero() {
				x.parts[p.Key] = p.Value
			}
			continue
		}
		if !appends(p.Key) {
			*into = nil
		}
		if p.Key == "condition" {
			*into = append(*into, p.Value)
		} else {
			*into = append(*into, p.Value.Items()...)
		}
	}
}

// write makes documents of the items: the lists and macros that are used by
// what can be said, and the rules.
func (im *importer) write() {
	n := names{lists: map[string][]string{}, macros: map[string]bool{}}
	for _, x := range im.all {
		switch x.kind {
		case "list":
			n.lists[x.name] = im.flat(x, 0)
		case "macro":
			n.macros[x.name] = true
		}
	}
	macros := map[string]string{}
	for _, x := range im.all {
		if x.kind == "macro" {
			macros[x.name], x.err = x.expression(n)
		}
	}
	taken := foreign.Names{}
	var rules []foreign.Document
	for _, x := range im.all {
		if x.kind == "rule" {
			im.result.Read++
			d, err := im.rule(x, n, taken)
			if err != nil {
				im.problem(err)
				continue
			}
			rules = append(rules, d)
		}
	}
	im.result.Documents = append(im.shared(rules, n, macros), rules...)
}

// flat are the items of a list, with those of the lists that it names.
func (im *importer) flat(x *item, depth int) []string {
	out := []string{}
	for _, v := range x.items {
		if inner := im.find("list", v.Text()); inner != nil && inner != x && depth < 16 {
			out = append(out, im.flat(inner, depth+1)...)
		} else {
			out = append(out, plainItem(v.Text()))
		}
	}
	return out
}

// documentName is the name of the document of a list or macro. It says where it
// is from, so that it takes the place of none that comes with Firebreak.
func documentName(name string) string { return foreign.Name("falco " + name) }

func sharedName(name string) string { return conf.SharedName(documentName(name)) }

func plainItem(s string) string {
	if len(s) > 1 && s[0] == '"' {
		return plain(s)
	}
	return s
}

// expression is that of all conditions together. One that is added begins with
// the word that joins it.
func (x *item) expression(n names) (string, error) {
	if len(x.conditions) == 0 {
		return "", x.at.Errorf("%s %q has no condition", x.kind, x.name)
	}
	var text strings.Builder
	for i, c := range x.conditions {
		if i > 0 {
			text.WriteString(" ")
		}
		text.WriteString(c.Text())
	}
	out, err := condition(text.String(), n)
	if err != nil {
		return "", x.conditions[len(x.conditions)-1].Errorf("%s %q: %v", x.kind, x.name, err)
	}
	return out, nil
}

var (
	macroName = regexp.MustCompile(`\bmacros\.([a-z0-9_]+)`)
	listName  = regexp.MustCompile(`\blists\.([a-z0-9_]+)`)
)

// usable finds why a macro that an expression names, or one of that macro's,
// could not be read.
func (im *importer) usable(expr string, n names, depth int) error {
	for _, m := range macroName.FindAllStringSubmatch(expr, -1) {
		for _, x := range im.all {
			if x.kind != "macro" || sharedName(x.name) != m[1] {
				continue
			}
			if x.err != nil {
				return x.err
			}
			inner, err := x.expression(n)
			if err == nil && depth < 16 {
				err = im.usable(inner, n, depth+1)
			}
			if err != nil {
				return err
			}
		}
	}
	return nil
}

// shared are the documents of the lists and macros that rules reach.
func (im *importer) shared(rules []foreign.Document, n names, macros map[string]string) []foreign.Document {
	reached := map[string]bool{}
	var visit func(text string)
	visit = func(text string) {
		for _, m := range listName.FindAllStringSubmatch(text, -1) {
			reached["list "+m[1]] = true
		}
		for _, m := range macroName.FindAllStringSubmatch(text, -1) {
			if reached["macro "+m[1]] {
				continue
			}
			reached["macro "+m[1]] = true
			for name, expr := range macros {
				if sharedName(name) == m[1] {
					visit(expr)
				}
			}
		}
	}
	for _, r := range rules {
		visit(r.YAML())
	}
	var out []foreign.Document
	for _, x := range im.all {
		if !reached[x.kind+" "+sharedName(x.name)] {
			continue
		}
		d := foreign.Document{Name: documentName(x.name), From: x.file, Line: x.at.Line()}
		switch x.kind {
		case "list":
			d.Kind = "List"
			d.Spec = []foreign.Entry{{Key: "items", Value: n.lists[x.name]}}
			if len(n.lists[x.name]) == 0 {
				d.Spec = []foreign.Entry{{Key: "items", Value: foreign.Nothing{}}}
			}
		case "macro":
			d.Kind = "Macro"
			d.Spec = []foreign.Entry{{Key: "when", Value: foreign.Expression(macros[x.name])}}
		}
		out = append(out, d)
	}
	return out
}
