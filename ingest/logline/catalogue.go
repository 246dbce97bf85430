package logline

import (
	"cmp"
	"slices"
	"strings"
)

// catalogue holds the parsers in the order of recognition, and which of them
// a text's first byte leaves.
var catalogue struct {
	all    []Parser
	text   [256][]*Parser
	object []*Parser
}

// register adds a parser. Only init functions call it.
func register(p Parser) {
	c := &catalogue
	c.all = append(c.all, p)
	slices.SortStableFunc(c.all, func(a, b Parser) int {
		return cmp.Or(cmp.Compare(a.Order, b.Order), strings.Compare(a.Name, b.Name))
	})
	c.text, c.object = [256][]*Parser{}, nil
	for i := range c.all {
		p := &c.all[i]
		if p.Object != nil {
			c.object = append(c.object, p)
		}
		for b := range c.text {
			if p.Parse != nil && !p.Chosen && (p.First == "" || strings.IndexByte(p.First, byte(b)) >= 0) {
				c.text[b] = append(c.text[b], p)
			}
		}
	}
}

// Parsers is the catalogue, by name.
func Parsers() []Parser {
	return slices.SortedFunc(slices.Values(catalogue.all), func(a, b Parser) int { return strings.Compare(a.Name, b.Name) })
}

// Lookup finds the parser of a name.
func Lookup(name string) (Parser, bool) {
	i := slices.IndexFunc(catalogue.all, func(p Parser) bool { return p.Name == name })
	if i < 0 {
		return Parser{}, false
	}
	return catalogue.all[i], true
}

// Recognise gives what the first parser that knows the text says, in their
// order. A text that none knows is a message without a format.
func Recognise(text string) Message {
	return Parser{}.Read(text)
}

// Read gives what this parser says of the text, and where the text isn't of
// its form what [Recognise] says: a program writes more than one form.
func (p Parser) Read(text string) Message {
	m, ok := read(p, text, true)
	if !ok {
		return Message{Text: text}
	}
	return m
}

// Within is for wrappers: it gives what the program's parser, or else the
// first other that knows it, says of the text behind a prefix.
func Within(program, text string) (Message, bool) {
	p, _ := byProgram(program)
	return read(p, text, false)
}

func read(chosen Parser, text string, wrappers bool) (Message, bool) {
	if text == "" {
		return Message{}, false
	}
	if fields, ok := decode(text); ok {
		return readObject(chosen, fields)
	}
	if chosen.Parse != nil && (wrappers || !chosen.Wrapper) {
		if m, ok := chosen.Parse(text); ok {
			return named(m, chosen.Name), true
		}
	}
	for _, p := range catalogue.text[text[0]] {
		guess := p.Guess
		if p.Wrapper && !wrappers || p.Unplaced && chosen.Name != "" || guess == nil && p.Name == chosen.Name {
			continue
		}
		if guess == nil {
			guess = p.Parse
		}
		if m, ok := guess(text); ok {
			return named(m, p.Name), true
		}
	}
	return Message{}, false
}

func readObject(chosen Parser, fields map[string]any) (Message, bool) {
	if chosen.Object != nil {
		if m, ok := chosen.Object(fields); ok {
			return withFields(named(m, chosen.Name), fields), true
		}
	}
	for _, p := range catalogue.object {
		if p.Name == chosen.Name {
			continue
		}
		if m, ok := p.Object(fields); ok {
			return withFields(named(m, p.Name), fields), true
		}
	}
	return Message{}, false
}

// named sets the format; what a wrapper found within keeps its own.
func named(m Message, name string) Message {
	if m.Format == "" {
		m.Format = name
	}
	return m
}

func withFields(m Message, fields map[string]any) Message {
	if m.Fields == nil {
		m.Fields = fields
	}
	return m
}
