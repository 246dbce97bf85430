package conf

import (
	"fmt"
	"reflect"
	"regexp"
	"slices"
	"strings"
)

var (
	noName  = regexp.MustCompile(`^unknown name (\S+)`)
	noField = regexp.MustCompile(`^type (\S+) has no (?:field|method) (\S+)`)
	hidden  = regexp.MustCompile(`\(type .*\) to call __\S+|__\S+`)
)

// explain rewords a message of the expression library in the words of the
// fields, and adds a suggestion.
func explain(message string, env any) string {
	message, _, _ = strings.Cut(message, "\n")
	types := map[string]reflect.Type{}
	root := reflect.TypeOf(env)
	collect(root, types)
	if m := noName.FindStringSubmatch(message); m != nil {
		return fmt.Sprintf("unknown name %q%s", m[1], Suggest(m[1], exprNames(root)))
	}
	if m := noField.FindStringSubmatch(message); m != nil {
		t := types[m[1]]
		if t == nil {
			return fmt.Sprintf("unknown field %q", m[2])
		}
		return fmt.Sprintf("unknown field %q%s", m[2], Suggest(m[2], exprNames(t)))
	}
	return message
}

func collect(t reflect.Type, into map[string]reflect.Type) {
	for t != nil && slices.Contains([]reflect.Kind{reflect.Pointer, reflect.Slice, reflect.Map}, t.Kind()) {
		t = t.Elem()
	}
	if t == nil || t.Kind() != reflect.Struct || into[t.String()] != nil {
		return
	}
	into[t.String()] = t
	for i := range t.NumField() {
		collect(t.Field(i).Type, into)
	}
}

// exprNames are the names that expressions may use of a struct.
func exprNames(t reflect.Type) []string {
	for t != nil && t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	if t == nil || t.Kind() != reflect.Struct {
		return nil
	}
	var out []string
	for i := range t.NumField() {
		f := t.Field(i)
		if name := f.Tag.Get("expr"); name != "" && name != "-" {
			out = append(out, name)
		}
	}
	return out
}
