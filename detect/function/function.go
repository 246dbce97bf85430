// Package function holds what the expressions of rules may call beside the
// functions that every expression knows.
//
// A function is pure, total and fast: it reads values that strangers wrote, so
// a value of the wrong type, or one that is too long, gives false, nil or empty
// text, never an error. Its cost is linear in its arguments. What a rule's
// author writes as a constant is checked, and made ready, when the rule is
// loaded.
//
// A function is one file here, or stands in one with its like, and registers
// itself.
package function

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/firebreak-io/firebreak/internal/conf"
)

// Function is one entry of the catalogue.
type Function struct {
	conf.Func
	// Usage shows how it is called and what it gives, as in
	// `entropy(text) number`.
	Usage string
	// Doc says what it does, in a sentence or two.
	Doc string
	// Example is an expression that is true.
	Example string
}

var catalogue = map[string]Function{}

func register(f Function) {
	if _, twice := catalogue[f.Name]; twice {
		panic(fmt.Sprintf("function %s is registered twice", f.Name))
	}
	catalogue[f.Name] = f
}

// All lists the functions by name.
func All() []Function {
	return slices.SortedFunc(maps.Values(catalogue), func(a, b Function) int { return strings.Compare(a.Name, b.Name) })
}

// Funcs are the functions as expressions are compiled with.
func Funcs() []conf.Func {
	all := All()
	out := make([]conf.Func, len(all))
	for i, f := range all {
		out[i] = f.Func
	}
	return out
}

// maxText bounds the text that a function looks at; of a longer one it sees the
// beginning.
const maxText = 64 << 10

// text is v as text, empty when it is none.
func text(v any) string {
	s, _ := v.(string)
	if len(s) > maxText {
		s = s[:maxText]
	}
	return s
}

// maxItems bounds the lists that a function looks at.
const maxItems = 8192

// items is v as a list, empty when it is none. A longer one than a function
// looks at is cut.
func items(v any) []any {
	switch v := v.(type) {
	case []any:
		return v[:min(len(v), maxItems)]
	case []string:
		out := make([]any, 0, min(len(v), maxItems))
		for _, s := range v[:min(len(v), maxItems)] {
			out = append(out, s)
		}
		return out
	}
	return nil
}

// flat are the texts of arguments that are text or lists of text.
func flat(args []any) []string {
	var out []string
	for _, a := range args {
		if s, ok := a.(string); ok {
			out = append(out, s)
		}
		for _, item := range items(a) {
			if s, ok := item.(string); ok {
				out = append(out, s)
			}
		}
	}
	return out
}

// constantTexts are the texts of a constant, which may be text or a list of
// texts; else it is an error.
func constantTexts(constant any) ([]string, error) {
	out := flat([]any{constant})
	if list, ok := constant.([]any); ok && len(out) != len(list) || !ok && len(out) != 1 {
		return nil, fmt.Errorf("want text, or a list of texts")
	}
	return out, nil
}

// afterFirst says that all arguments but the first are constants.
func afterFirst(i int) bool { return i > 0 }
