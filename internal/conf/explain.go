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
	// What the library's parser and compiler say of tokens and types.
	badToken  = regexp.MustCompile(`^unexpected token (?:EOF|[A-Za-z]+\("(.*)"\))$`)
	badTypes  = regexp.MustCompile(`^invalid operation: (\S+) \(mismatched types (.+) and (.+)\)$`)
	badResult = regexp.MustCompile(`^expected (\S+), but got (\S+)$`)
	hidden    = regexp.MustCompile(`\(type .*\) to call __\S+|__\S+`)
)

// explain rewords a message of the expression library in the words of the
// fields, and adds a suggestion.
func explain(message string, env any) string {
	message, _, _ = strings.Cut(message, "\n")
	types := map[string]reflect.Type{}
	root := reflect.TypeOf(env)
	collect(root, types)
	if m := noName.FindStringSubmatch(message); m != nil {
		meant := Suggest(m[1], exprNames(root))
		if meant == "" {
			meant = "; text stands in quotes"
		}
		return fmt.Sprintf("unknown name %q%s", m[1], meant)
	}
	if m := noField.FindStringSubmatch(message); m != nil {
		t := types[m[1]]
		if t == nil {
			return fmt.Sprintf("unknown field %q", m[2])
		}
		return fmt.Sprintf("unknown field %q%s", m[2], Suggest(m[2], exprNames(t)))
	}
	if m := badToken.FindStringSubmatch(message); m != nil {
		return unexpected(m[1])
	}
	if m := badTypes.FindStringSubmatch(message); m != nil {
		return fmt.Sprintf("%s between %s and %s: they are never of one type", m[1], typeWord(m[2]), typeWord(m[3]))
	}
	if m := badResult.FindStringSubmatch(message); m != nil {
		return fmt.Sprintf("expected %s, but got %s", typeWord(m[1]), typeWord(m[2]))
	}
	return message
}

// commented tells of a # that begins a comment of YAML, where an expression ends
// before it.
func commented(e *Error) *Error {
	line, _, _ := strings.Cut(e.Snippet, "\n")
	if e.Msg == endsEarly && strings.Contains(line, " #") {
		e.Msg += "; # behind a space begins a comment in YAML, so put the expression in quotes or below >-"
	}
	return e
}

const endsEarly = "the expression ends too early"

// meant are the operators of other languages.
var meant = map[string]string{"=": "==", "===": "==", "is": "==", "<>": "!=", "&": "and", "|": "or", "~": "matches", "=~": "matches", "like": "glob(text, pattern)"}

// operators are those that are words.
var operators = []string{"and", "or", "not", "in", "contains", "startsWith", "endsWith", "matches"}

// unexpected says what stands where it can't, and what may have been meant.
func unexpected(token string) string {
	switch {
	case token == "":
		return endsEarly
	case meant[strings.ToLower(token)] != "":
		return fmt.Sprintf("unexpected %s, did you mean %s?", token, meant[strings.ToLower(token)])
	case token == ",":
		return "unexpected , (a list is written [a, b])"
	}
	return fmt.Sprintf("unexpected %s%s", token, Meant(token, operators))
}

// typeWord is a type of Go in the words of documents.
func typeWord(name string) string {
	switch name {
	case "string":
		return "text"
	case "int", "int64", "float64":
		return "a number"
	case "bool":
		return "true or false"
	case "time.Time":
		return "a time"
	case "[]string", "[]interface {}", "[]any":
		return "a list"
	}
	return name
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
