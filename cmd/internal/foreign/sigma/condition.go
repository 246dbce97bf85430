package sigma

import (
	"errors"
	"fmt"
	"maps"
	"path"
	"regexp"
	"slices"
	"strings"

	"github.com/firebreak-io/firebreak/cmd/internal/foreign/logic"
	"github.com/firebreak-io/firebreak/internal/conf"
)

// maxCondition bounds a condition, in bytes.
const maxCondition = 4 << 10

var token = regexp.MustCompile(`\s*([()|]|[^\s()|]+)`)

// reader reads a condition: identifiers with and, or, not and parentheses, and
// "1 of x*" and "all of them".
type reader struct {
	logic.Reader
	names map[string]string
}

// condition writes the expression of a condition over search identifiers.
func condition(text string, names map[string]string) (string, error) {
	if len(text) > maxCondition {
		return "", fmt.Errorf("condition has more than %d bytes", maxCondition)
	}
	r := &reader{names: names}
	r.Term, r.Missing = r.term, "an identifier"
	for _, m := range token.FindAllStringSubmatch(text, -1) {
		r.Words = append(r.Words, m[1])
	}
	out, err := r.Read()
	if err != nil {
		return "", err
	}
	switch r.Peek() {
	case "":
		return out, nil
	case "|":
		return "", errors.New("aggregations after | are of an older Sigma; a correlation rule says it")
	}
	return "", fmt.Errorf("%q was not expected", r.Peek())
}

// term is an identifier, or several of them.
func (r *reader) term(t string) (string, error) {
	if slices.Contains([]string{"1", "any", "all"}, strings.ToLower(t)) && strings.EqualFold(r.Peek(), "of") {
		r.Take()
		return r.of(strings.EqualFold(t, "all"), r.Take())
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
	return logic.Join(found, map[bool]string{true: "and", false: "or"}[all]), nil
}
