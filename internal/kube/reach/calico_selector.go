package reach

import (
	"fmt"
	"slices"
	"strings"
)

// term is a compiled selector of Calico's: it asks for labels by key.
type term func(of func(string) (string, bool)) bool

// What a selector may hold, so that a hostile one costs nothing.
const (
	maxSelector      = 16 << 10
	maxSelectorDepth = 32
)

// calicoSelector compiles a selector such as
//
//	app == 'web' && has(tier) && !(zone in {'a', 'b'})
func (c *compiler) calicoSelector(text string) (term, error) {
	if len(text) > maxSelector {
		return nil, fmt.Errorf("selector is longer than %d bytes", maxSelector)
	}
	tokens, err := scanSelector(text)
	if err != nil {
		return nil, fmt.Errorf("selector %.60q: %w", text, err)
	}
	p := selectorParser{tokens: tokens, collector: c.collector}
	t, err := p.or(0)
	if err == nil && p.at < len(p.tokens) {
		err = fmt.Errorf("unexpected %q", p.tokens[p.at].text)
	}
	if err != nil {
		return nil, fmt.Errorf("selector %.60q: %w", text, err)
	}
	return t, nil
}

type token struct {
	text   string
	quoted bool
}

func scanSelector(s string) ([]token, error) {
	var out []token
	for s = strings.TrimSpace(s); s != ""; s = strings.TrimSpace(s) {
		switch {
		case s[0] == '\'' || s[0] == '"':
			end := strings.IndexByte(s[1:], s[0])
			if end < 0 {
				return nil, fmt.Errorf("string does not end")
			}
			out = append(out, token{s[1 : end+1], true})
			s = s[end+2:]
		case slices.ContainsFunc([]string{"==", "!=", "&&", "||"}, func(op string) bool { return strings.HasPrefix(s, op) }):
			out = append(out, token{text: s[:2]})
			s = s[2:]
		case strings.ContainsRune("(){},!", rune(s[0])):
			out = append(out, token{text: s[:1]})
			s = s[1:]
		default:
			end := strings.IndexFunc(s, func(r rune) bool { return strings.ContainsRune(" \t\r\n(){},!=&|'\"", r) })
			if end < 0 {
				end = len(s)
			}
			if end == 0 {
				return nil, fmt.Errorf("unexpected %q", s[:1])
			}
			out = append(out, token{text: s[:end]})
			s = s[end:]
		}
	}
	return out, nil
}

type selectorParser struct {
	tokens []token
	at     int
	*collector
}

// take goes past a token of this text, if it is next.
func (p *selectorParser) take(text string) bool {
	if p.at < len(p.tokens) && p.tokens[p.at] == (token{text: text}) {
		p.at++
		return true
	}
	return false
}

func (p *selectorParser) note(key string) {
	p.keys[key] = true
	p.accounts = p.accounts || key == calicoAccount
}

func (p *selectorParser) next() token {
	if p.at >= len(p.tokens) {
		return token{}
	}
	p.at++
	return p.tokens[p.at-1]
}

func (p *selectorParser) or(depth int) (term, error) {
	return p.list(depth, "||", p.and, func(a, b term) term {
		return func(of func(string) (string, bool)) bool { return a(of) || b(of) }
	})
}

func (p *selectorParser) and(depth int) (term, error) {
	return p.list(depth, "&&", p.unary, func(a, b term) term {
		return func(of func(string) (string, bool)) bool { return a(of) && b(of) }
	})
}

func (p *selectorParser) list(depth int, op string, part func(int) (term, error), combine func(a, b term) term) (term, error) {
	left, err := part(depth)
	for err == nil && p.take(op) {
		var right term
		if right, err = part(depth); err == nil {
			left = combine(left, right)
		}
	}
	return left, err
}

func (p *selectorParser) unary(depth int) (term, error) {
	if depth > maxSelectorDepth {
		return nil, fmt.Errorf("nested too deeply")
	}
	switch {
	case p.take("!"):
		t, err := p.unary(depth + 1)
		return func(of func(string) (string, bool)) bool { return !t(of) }, err
	case p.take("("):
		t, err := p.or(depth + 1)
		if err == nil && !p.take(")") {
			err = fmt.Errorf("a parenthesis is not closed")
		}
		return t, err
	}
	return p.test()
}

// test is has(k), all(), global() or a comparison.
func (p *selectorParser) test() (term, error) {
	first := p.next()
	if first.quoted || first.text == "" {
		return nil, fmt.Errorf("unexpected end or string")
	}
	if p.take("(") {
		switch {
		case first.text == "all" && p.take(")"):
			return func(func(string) (string, bool)) bool { return true }, nil
		case first.text == "global" && p.take(")"):
			return func(func(string) (string, bool)) bool { return false }, nil
		case first.text == "has":
			key := p.next().text
			if !p.take(")") {
				return nil, fmt.Errorf("has() takes one label")
			}
			p.note(key)
			return func(of func(string) (string, bool)) bool { _, ok := of(key); return ok }, nil
		}
		return nil, fmt.Errorf("unknown function %s()", first.text)
	}
	p.note(first.text)
	return p.compare(first.text)
}

func (p *selectorParser) compare(key string) (term, error) {
	op := p.next().text
	if op == "not" && p.take("in") {
		set, err := p.set()
		return func(of func(string) (string, bool)) bool { v, ok := of(key); return !ok || !slices.Contains(set, v) }, err
	}
	if op == "in" {
		set, err := p.set()
		return func(of func(string) (string, bool)) bool { v, ok := of(key); return ok && slices.Contains(set, v) }, err
	}
	if op == "starts" || op == "ends" {
		if !p.take("with") {
			return nil, fmt.Errorf("unexpected %q", op)
		}
	}
	value := p.next()
	if !value.quoted {
		return nil, fmt.Errorf("a value in quotes must follow %q", op)
	}
	tests := map[string]func(v, x string) bool{
		"==": func(v, x string) bool { return v == x }, "contains": strings.Contains,
		"starts": strings.HasPrefix, "ends": strings.HasSuffix,
	}
	if op == "!=" {
		return func(of func(string) (string, bool)) bool { v, ok := of(key); return !ok || v != value.text }, nil
	}
	test, ok := tests[op]
	if !ok {
		return nil, fmt.Errorf("unknown operator %q", op)
	}
	return func(of func(string) (string, bool)) bool { v, ok := of(key); return ok && test(v, value.text) }, nil
}

func (p *selectorParser) set() ([]string, error) {
	if !p.take("{") {
		return nil, fmt.Errorf("a set in braces must follow in")
	}
	var out []string
	for !p.take("}") {
		v := p.next()
		if !v.quoted {
			return nil, fmt.Errorf("a set holds values in quotes")
		}
		out = append(out, v.text)
		p.take(",")
	}
	return out, nil
}
