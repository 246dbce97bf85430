package sigma

import (
	"errors"
	"fmt"
	"maps"
	"path"
	"regexp"
	"slices"
	"strings"

	"github.com/firebreak-io/firebreak/internal/conf"
)

// Bounds of a condition.
const (
	maxCondition = 4 << 10
	maxNesting   = 32
)

var token = regexp.MustCompile(`\s*([()|]|[^\s()|]+)`)

// reader reads a condition: identifiers with and, or, not and parentheses, and
// "1 of x*" and "all of them".
type reader struct {
	tokens []string
	names  map[string]string
	depth  int
}

// condition writes the expression of a condition over search identifiers.
func condition(text string, names map[string]string) (string, error) {
	if len(text) > maxCondition {
		return "", fmt.Errorf("condition has more than %d bytes", maxCondition)
	}
	r := &reader{names: names}
	for _, m := range token.FindAllStringSubmatch(text, -1) {
		r.tokens = append(r.tokens, m[1])
	}
	out, err := r.or()
	if err != nil {
		return "", err
	}
	switch r.peek() {
	case "":
		return out, nil
	case "|":
		return "", errors.New("aggregations after | are of an older Sigma; a correlation rule says it")
	}
	return "", fmt.Errorf("%q was not expected", r.peek())
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
			return join(all, " "+word+" "), nil
		}
		r.take()
	}
}

func (r *reader) not() (string, error) {
	if r.depth++; r.depth > maxNesting {
		return "", errors.New("nested too deep")
	}
	defer func() { r.depth-- }()
	t := r.take()
	switch strings.ToLower(t) {
	case "not":
		inner, err := r.not()
		return "not (" + inner + ")", err
	case "(":
		inner, err := r.or()
		if err == nil && r.take() != ")" {
			err = errors.New("( is not closed by )")
		}
		return inner, err
	case "1", "any", "all":
		if strings.EqualFold(r.peek(), "of") {
			r.take()
			return r.of(strings.ToLower(t) == "all", r.take())
		}
	case "", ")", "and", "or":
		return "", fmt.Errorf("an identifier is missing before %q", t)
	}
	one, ok := r.names[t]
	if !ok {
		return "", fmt.Errorf("unknown search identifier %q%s", t, conf.Suggest(t, slices.Collect(maps.Keys(r.names))))
	}
	return one, nil
}

// of is for all identifiers that are like a pattern.
func (r *reader) of(all bool, pattern string) (string, error) {
	var found []string
	for _, name := range slices.Sorted(maps.Keys(r.names)) {
		like, err := path.Match(pattern, name)
		if pattern == "them" {
			like, err = !strings.HasPrefix(name, "_"), nil
		}
		if err == nil && like {
			found = append(found, r.names[name])
		}
	}
	if len(found) == 0 {
		return "", fmt.Errorf("no search identifier is like %q", pattern)
	}
	return join(found, map[bool]string{true: " and ", false: " or "}[all]), nil
}
