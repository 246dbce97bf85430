package sigma

import (
	"errors"
	"regexp"
	"slices"
	"strings"

	"github.com/firebreak-io/firebreak/cmd/internal/foreign/logic"
	"github.com/firebreak-io/firebreak/internal/conf"
)

// search writes the expression of one search identifier: a mapping holds when
// all of its fields do, a list when one of its items does.
func search(v conf.Value, l *logsource) (string, error) {
	switch {
	case v.IsMapping():
		var all []string
		for _, p := range v.Pairs() {
			one, err := test(p, l)
			if err != nil {
				return "", err
			}
			all = append(all, one)
		}
		if len(all) == 0 {
			return "", v.Errorf("empty")
		}
		return logic.Join(all, "and"), nil
	case v.IsList():
		var any []string
		for _, item := range v.Items() {
			one, err := search(item, l)
			if err != nil {
				return "", err
			}
			any = append(any, one)
		}
		if len(any) == 0 {
			return "", v.Errorf("empty")
		}
		return logic.Join(any, "or"), nil
	}
	return keyword(v, match{}, l)
}

// keyword looks for a word anywhere in an event.
func keyword(v conf.Value, m match, l *logsource) (string, error) {
	if l.keywords == "" {
		return "", v.Errorf("words that may be anywhere in an event can't be looked for in %s events", l.source)
	}
	m.modifiers = append([]string{"contains"}, m.modifiers...)
	return m.expression(l.keywords, text, v, l)
}

// test writes the expression of one field with its values.
func test(p conf.Pair, l *logsource) (string, error) {
	parts := strings.Split(p.Key, "|")
	m := match{modifiers: parts[1:], cased: slices.Contains(parts, "cased")}
	for _, modifier := range m.modifiers {
		if !slices.Contains(known, modifier) {
			return "", p.At.Errorf("modifier %q can't be said%s", modifier, conf.Suggest(modifier, known))
		}
	}
	one := func(v conf.Value) (string, error) { return keyword(v, m, l) }
	if parts[0] != "" {
		f, err := l.field(parts[0])
		if err != nil {
			return "", p.At.Errorf("%v", err)
		}
		one = func(v conf.Value) (string, error) { return m.of(f, v, l) }
	}
	var tests []string
	for _, v := range p.Value.Items() {
		t, err := one(v)
		if err != nil {
			return "", err
		}
		tests = append(tests, t)
	}
	if len(tests) == 0 {
		t, err := one(p.Value)
		if err != nil {
			return "", err
		}
		tests = []string{t}
	}
	operator := "or"
	if m.has("all") {
		operator = "and"
	}
	out := logic.Join(merged(tests, operator), operator)
	if m.has("neq") {
		out = "not (" + out + ")"
	}
	return out, nil
}

// of compares a field with a value; of a list, its items.
func (m match) of(f field, v conf.Value, l *logsource) (string, error) {
	if f.kind != list {
		return m.expression(f.expr, f.kind, v, l)
	}
	value, _ := v.Scalar()
	empty := value == nil || value == ""
	if m.has("exists") {
		empty = value == false
	}
	if empty || m.has("exists") {
		return map[bool]string{true: "len(" + f.expr + ") == 0", false: "len(" + f.expr + ") > 0"}[empty], nil
	}
	inner, err := m.expression("#", loose, v, l)
	return "any(" + f.expr + ", {" + inner + "})", err
}

var equality = regexp.MustCompile(`^(\S.*) == ("(?:[^"\\]|\\.)*")$`)

// merged writes several comparisons of one value with constants as one.
func merged(tests []string, operator string) []string {
	if operator != "or" || len(tests) < 2 {
		return tests
	}
	var left string
	var right []string
	for _, t := range tests {
		m := equality.FindStringSubmatch(t)
		if m == nil || left != "" && m[1] != left || strings.ContainsAny(m[1], " {") {
			return tests
		}
		left, right = m[1], append(right, m[2])
	}
	return []string{left + " in [" + strings.Join(right, ", ") + "]"}
}

// detection writes the expression of a rule's detection.
func detection(v conf.Value, l *logsource) (string, error) {
	names := map[string]string{}
	var errs []error
	for _, p := range v.Pairs() {
		switch p.Key {
		case "condition", "timeframe":
			if p.Key == "timeframe" {
				errs = append(errs, p.At.Errorf("timeframe is of old aggregations; a correlation rule says it"))
			}
			continue
		}
		one, err := search(p.Value, l)
		if err != nil {
			errs = append(errs, err)
			continue
		}
		names[p.Key] = one
	}
	if err := errors.Join(errs...); err != nil {
		return "", err
	}
	var any []string
	conditions := v.Get("condition").Items()
	if len(conditions) == 0 {
		return "", v.Errorf("detection has no condition")
	}
	for _, c := range conditions {
		one, err := condition(c.Text(), names)
		if err != nil {
			return "", c.Errorf("%v", err)
		}
		any = append(any, one)
	}
	out := strings.Join(any, " or ")
	if l.where != "" {
		out = l.where + " and (" + out + ")"
	}
	return out, nil
}
