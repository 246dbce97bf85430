package falco

import (
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/firebreak-io/firebreak/cmd/internal/foreign"
	"github.com/firebreak-io/firebreak/cmd/internal/foreign/logic"
	"github.com/firebreak-io/firebreak/internal/conf"
)

// maxCondition bounds a condition, in bytes.
const maxCondition = 16 << 10

// names are the lists and macros that conditions may name.
type names struct {
	lists  map[string][]string
	macros map[string]bool
}

// reader reads a condition
// (https://falco.org/docs/concepts/rules/conditions/).
type reader struct {
	logic.Reader
	names names
}

var token = regexp.MustCompile(`^\s*("(?:[^"\\]|\\.)*"|'[^']*'|[(),]|<=|>=|!=|=|<|>|[^\s(),=!<>\[]+(?:\[[^\]]*\])?)`)

// condition writes the expression of a condition.
func condition(text string, n names) (string, error) {
	if len(text) > maxCondition {
		return "", fmt.Errorf("condition has more than %d bytes", maxCondition)
	}
	r := &reader{names: n}
	r.Term, r.Missing = r.term, "a field or a macro"
	for rest := strings.TrimSpace(text); rest != ""; {
		m := token.FindStringSubmatch(rest)
		if m == nil {
			return "", fmt.Errorf("can't read %.20q", rest)
		}
		r.Words = append(r.Words, m[1])
		rest = strings.TrimSpace(rest[len(m[0]):])
	}
	out, err := r.Read()
	if err == nil && r.Peek() != "" {
		err = fmt.Errorf("%q was not expected", r.Peek())
	}
	return out, err
}

// term is a test, or a macro.
func (r *reader) term(t string) (string, error) {
	if strings.ContainsAny(t[:1], `"'(),=!<>`) {
		return "", fmt.Errorf("%s is missing before %q", r.Missing, t)
	}
	if operator := strings.ToLower(r.Peek()); slices.Contains(operators, operator) {
		r.Take()
		return r.compare(t, operator)
	}
	if !r.names.macros[t] {
		return "", fmt.Errorf("there is no macro %q", t)
	}
	return "macros." + sharedName(t), nil
}

var operators = []string{
	"=", "==", "!=", "<", "<=", ">", ">=", "contains", "icontains", "startswith", "endswith", "glob", "iglob", "regex", "in", "intersects", "pmatch", "exists",
}

// compare writes the expression of one test.
func (r *reader) compare(name, operator string) (string, error) {
	if name == "jevt.rawtime" || name == "evt.num" {
		return r.constant(operator)
	}
	f, err := fieldOf(name)
	if err != nil {
		return "", err
	}
	if operator == "exists" {
		return f.exists(), nil
	}
	values, lists, err := r.values()
	if err != nil {
		return "", err
	}
	switch operator {
	case "pmatch":
		for _, l := range lists {
			values = append(values, r.names.lists[l]...)
		}
		return f.among(operator, values, nil), nil
	case "in", "intersects":
		return f.among(operator, values, lists), nil
	}
	if len(values) != 1 || len(lists) > 0 {
		return "", fmt.Errorf("%s takes one value", operator)
	}
	return f.single(operator, values[0])
}

// constant reads the ways to say always and never: every event has a time and a
// number, and it is not 0.
func (r *reader) constant(operator string) (string, error) {
	if operator == "exists" {
		return "true", nil
	}
	values, _, err := r.values()
	if err != nil || len(values) != 1 || values[0] != "0" {
		return "", errors.New("the time and the number of an event can be compared with 0 only")
	}
	switch operator {
	case "=", "==", "<", "<=":
		return "false", nil
	case "!=", ">", ">=":
		return "true", nil
	}
	return "", fmt.Errorf("%s is not for numbers", operator)
}

// values reads a value, or several in parentheses: a name of a list stands for
// the list.
func (r *reader) values() (values, lists []string, err error) {
	t := r.Take()
	if t != "(" {
		if t == "" || strings.ContainsAny(t[:1], "),=!<>") {
			return nil, nil, fmt.Errorf("a value is missing before %q", t)
		}
		return []string{plain(t)}, nil, nil
	}
	for {
		switch t = r.Take(); {
		case t == ")":
			return values, lists, nil
		case t == "":
			return nil, nil, errors.New("( is not closed by )")
		case t == ",":
		case r.names.lists[t] != nil:
			lists = append(lists, t)
		default:
			values = append(values, plain(t))
		}
	}
}

func plain(t string) string {
	if t == "<NA>" || t == `"<NA>"` {
		return "" // what Falco says of a field that is not there
	}
	if t[0] == '\'' {
		return strings.Trim(t, "'")
	}
	if s, err := strconv.Unquote(t); err == nil && t[0] == '"' {
		return s
	}
	return strings.Trim(t, `"`)
}

// text is the field as text.
func (f field) text() string {
	if f.loose {
		return "string(" + f.expr + ")"
	}
	return f.expr
}

func (f field) exists() string {
	if f.list {
		return "len(" + f.expr + ") > 0"
	}
	return f.text() + ` != ""`
}

// among tests whether a value is one of several. Of a list field, in is for all
// of its items, and the others for one of them.
func (f field) among(operator string, values, lists []string) string {
	x, test := f.text(), []string(nil)
	if f.list {
		x = "string(#)"
	}
	if operator == "pmatch" {
		var paths []string
		for _, v := range values {
			paths = append(paths, v, strings.TrimSuffix(v, "/")+"/**")
		}
		if len(paths) > 0 {
			test = append(test, "glob("+x+", "+foreign.Literals(paths)+")")
		}
	} else {
		if len(values) > 0 {
			test = append(test, x+" in "+foreign.Literals(values))
		}
		for _, l := range lists {
			test = append(test, x+" in lists."+sharedName(l))
		}
	}
	if len(test) == 0 {
		return "false"
	}
	inner := strings.Join(test, " or ")
	switch {
	case !f.list:
		return "(" + inner + ")"
	case operator == "in":
		return fmt.Sprintf("(len(%s) > 0 and all(%s, {%s}))", f.expr, f.expr, inner)
	}
	return fmt.Sprintf("any(%s, {%s})", f.expr, inner)
}

// single tests a value with one other; of a list, whether one of its items
// passes.
func (f field) single(operator, value string) (string, error) {
	x := f.text()
	if f.list {
		x = "string(#)"
	}
	out, not := "", false
	switch operator {
	case "=", "==", "!=":
		out, not = x+" == "+foreign.Literal(value), operator == "!="
	case "<", "<=", ">", ">=":
		if _, err := strconv.ParseFloat(value, 64); err != nil {
			return "", fmt.Errorf("%q is no number", value)
		}
		x = strings.TrimSuffix(strings.TrimPrefix(x, "string("), ")")
		if !f.loose && !f.list {
			return "", fmt.Errorf("%s is of numbers", operator)
		}
		out = x + " " + operator + " " + value
	case "contains":
		out = x + " contains " + foreign.Literal(value)
	case "icontains":
		out = "lower(" + x + ") contains " + foreign.Literal(strings.ToLower(value))
	case "startswith":
		out = x + " startsWith " + foreign.Literal(value)
	case "endswith":
		out = x + " endsWith " + foreign.Literal(value)
	case "regex":
		re := "^(?:" + value + ")$"
		if _, err := conf.Pattern(re); err != nil {
			return "", fmt.Errorf("pattern can't be said: %w", err)
		}
		out = x + " matches " + foreign.Literal(re)
	default: // glob, iglob
		flags := map[string]string{"glob": "(?s)", "iglob": "(?si)"}[operator]
		quoted := strings.NewReplacer(`\*`, ".*", `\?`, ".").Replace(regexp.QuoteMeta(value))
		out = x + " matches " + foreign.Literal(flags+"^"+quoted+"$")
	}
	if f.list {
		out = fmt.Sprintf("any(%s, {%s})", f.expr, out)
	}
	if not {
		out = "not (" + out + ")"
	}
	return out, nil
}
