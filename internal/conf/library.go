package conf

import (
	"encoding/json"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"
)

// Library is what the expressions of several documents share: lists of
// constants, named lists.NAME, and macros, named macros.NAME. A - in the name
// of a document is a _ in an expression: the List trusted-users is
// lists.trusted_users.
//
// It is filled before the documents that use it are decoded ([Document.Use]),
// and not changed afterwards; then it is safe for concurrent use. The zero
// value is an empty one.
type Library struct {
	lists  map[string][]any
	macros map[string][]Expression
	// sets are the lists as they are looked up.
	sets map[string]*constants
}

// SetList gives a list its items: texts, int64s, float64s and bools.
func (l *Library) SetList(name string, items []any) {
	if l.lists == nil {
		l.lists, l.sets = map[string][]any{}, map[string]*constants{}
	}
	name = SharedName(name)
	l.lists[name] = slices.Clone(items)
	l.sets[name] = newConstants(items)
}

// AddToList adds items to a list, which there need not be yet.
func (l *Library) AddToList(name string, items []any) {
	l.SetList(name, slices.Concat(l.lists[SharedName(name)], items))
}

// SetMacro gives a macro its expression.
func (l *Library) SetMacro(name string, e Expression) {
	if l.macros == nil {
		l.macros = map[string][]Expression{}
	}
	l.macros[SharedName(name)] = []Expression{e}
}

// AddToMacro adds an expression to a macro, which holds when one of its
// expressions does.
func (l *Library) AddToMacro(name string, e Expression) {
	before := l.macros[SharedName(name)]
	l.SetMacro(name, e)
	l.macros[SharedName(name)] = slices.Concat(before, []Expression{e})
}

// List gives the items of a list by its name in expressions.
func (l *Library) List(name string) (items []any, ok bool) {
	if l == nil {
		return nil, false
	}
	items, ok = l.lists[name]
	return slices.Clone(items), ok
}

// Names are those of all lists and macros as expressions write them, as in
// lists.trusted_users; in order.
func (l *Library) Names() []string {
	if l == nil {
		return nil
	}
	var out []string
	for name := range l.lists {
		out = append(out, "lists."+name)
	}
	for name := range l.macros {
		out = append(out, "macros."+name)
	}
	slices.Sort(out)
	return out
}

// names are those of the lists or the macros.
func (l *Library) names(kind string) []string {
	switch {
	case l == nil:
		return nil
	case kind == "lists":
		return slices.Sorted(maps.Keys(l.lists))
	}
	return slices.Sorted(maps.Keys(l.macros))
}

// has says whether there is a list or macro of a name.
func (l *Library) has(kind, name string) bool {
	if l == nil {
		return false
	}
	_, ok := l.macros[name]
	if kind == "lists" {
		_, ok = l.lists[name]
	}
	return ok
}

// SharedName is the name of a List or Macro in expressions.
func SharedName(name string) string { return strings.ReplaceAll(name, "-", "_") }

// macroPlace is where a macro is written, or its name.
func (l *Library) macroPlace(name string) string {
	if l == nil || len(l.macros[name]) == 0 {
		return name
	}
	at := l.macros[name][0].Errorf("")
	if at.File == "" {
		return name
	}
	return fmt.Sprintf("%s:%d:%d", at.File, at.Line, at.Column)
}

// naming finds where a text names a list or a macro.
var naming = regexp.MustCompile("\\b(lists|macros)[\\s?.\\[\"'`]*([A-Za-z0-9_]+)")

// named are the lists and macros that a text may name.
func named(text string) []string {
	var out []string
	for _, m := range naming.FindAllStringSubmatch(text, -1) {
		out = append(out, m[1]+"."+m[2])
	}
	return out
}

// reach are the lists and macros of the library that a text names, and those
// that its macros name; in order.
func (l *Library) reach(text string) []string {
	if l == nil {
		return nil
	}
	found := map[string]bool{}
	todo := named(text)
	for len(todo) > 0 {
		name := todo[0]
		todo = todo[1:]
		kind, plain, _ := strings.Cut(name, ".")
		if found[name] || !slices.Contains(l.names(kind), plain) {
			continue
		}
		found[name] = true
		if kind == "macros" {
			for _, e := range l.macros[plain] {
				todo = append(todo, named(e.Text)...)
			}
		}
	}
	return slices.Sorted(maps.Keys(found))
}

// definition is the text that a name of [Library.reach] stands for.
func (l *Library) definition(name string) string {
	kind, plain, _ := strings.Cut(name, ".")
	var what any = l.lists[plain]
	if kind == "macros" {
		what = l.macros[plain]
	}
	text, err := json.Marshal(what)
	if err != nil {
		return fmt.Sprint(what)
	}
	return string(text)
}
