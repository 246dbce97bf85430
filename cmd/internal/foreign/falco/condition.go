package falco

import (
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/firebreak-io/firebreak/cmd/internal/foreign"
	"github.com/firebreak-io/firebreak/internal/conf"
)

// Bounds of a condition.
const (
	maxCondition = 16 << 10
	maxNesting   = 64
)

// names are the lists and macros that conditions may name.
type names struct {
	lists  map[string][]string
	macros map[string]bool
}

// reader reads a condition
// (https://falco.org/docs/concepts/rules/conditions/).
type reader struct {
	tokens []string
	names  names
	depth  int
}

var token = regexp.MustCompile(`^\s*("(?:[^"\\]|\\.)*"|'[^']*'|[(),]|<=|>=|!=|=|<|>|[^\s(),=!<>\[]+(?:\[[^\]]*\])?)`)

// condition writes the expression of a condition.
func condition(text string, n names) (string, error) {
	if len(text) > maxCondition {
		return "", fmt.Errorf("condition has more than %d bytes", maxCondition)
	}
	r := &reader{names: n}
	for rest := strings.TrimSpace(text); rest != ""; {
		m := token.FindStringSubmatch(rest)
		if m == nil {
			return "", fmt.Errorf("can't read %.20q", rest)
		}
		r.tokens = append(r.tokens, m[1])
		rest = strings.TrimSpace(rest[len(m[0]):])
	}
	out, err := r.or()
	if err == nil && r.peek() != "" {
		err = fmt.Errorf("%q was not expected", r.peek())
	}
	return out, err
}

func (r *reader) peek() string {
	if len(r.tokens) == 0 {
		return ""
	}
	return r.tokens[0]
}

func (r *reader) take() string {
	t := r.peek()
	if t != "" {
		r.tokens = r.tokens[1:]
	}
	return t
}

func (r *reader) or() (string, error) { return r.several("or", r.and) }

func (r *reader) and() (string, error) { return r.several("and", r.not) }

func (r *reader) several(word string, part func() (string, error)) (string, error) {
	var all []string
	for {
		one, err := part()
		if err != nil {
			return "", err
		}
		all = append(all, one)
		if !strings.EqualFold(r.peek(), word) {
			break
		}
		r.take()
	}
	if len(all) == 1 {
		return all[0], nil
	}
	return "(" + strings.Join(all, " "+word+" ") + ")", nil
}

func (r *reader) not() (string, error) {
	if r.depth++; r.depth > maxNesting {
		return "", errors.New("nested too deep")
	}
	defer func() { r.depth-- }()
	t := r.take()
	switch {
	case strings.EqualFold(t, "not"):
		inner, err := r.not()
		return "not (" + inner + ")", err
	case t == "(":
		inner, err := r.or()
		if err == nil && r.take() != ")" {
			err = errors.New("( is not closed by )")
		}
		return inner, err
	case t == "" || strings.ContainsAny(t[:1], `"'(),=!<>`):
		return "", fmt.Errorf("a field or a macro is missing before %q", t)
	}
	if operator := strings.ToLower(r.peek()); slices.Contains(operators, operator) {
		r.take()
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
	t := r.take()
	if t != "(" {
		if t == "" || strings.ContainsAny(t[:1], "),=!<>") {
			return nil, nil, fmt.Errorf("a value is missing before %q", t)
		}
		return []string{plain(t)}, nil, nil
	}
	for {
		switch t = r.take(); {
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
