package pattern

import (
	"regexp"
	"regexp/syntax"
	"sync/atomic"
)

// Pattern is a compiled regular expression (RE2). It is safe for concurrent use.
type Pattern struct {
	plain *regexp.Regexp
	size  int
	// graph is nil of a pattern that is left to package regexp.
	graph *graph
	// free are automata that nobody uses at present.
	free chan *automaton
	last atomic.Pointer[answer]
	// These count for [Spent].
	stepped, made, left atomic.Uint64
}

// answer is what was said of a text. Rules ask the same of an event's text, one
// after the other.
type answer struct {
	text  string
	match bool
}

// remembered is from which length on an answer is kept: what is shorter is asked
// again in less time.
const remembered = 256

// atOnce is how many automata of a pattern are kept for those who use it at the
// same time.
const atOnce = 4

// compile compiles a pattern that nobody else has.
func compile(text string) (*Pattern, error) {
	plain, err := regexp.Compile(text)
	if err != nil {
		return nil, err
	}
	p := &Pattern{plain: plain, free: make(chan *automaton, atOnce)}
	if parsed, err := syntax.Parse(text, syntax.Perl); err == nil {
		if program, err := syntax.Compile(parsed.Simplify()); err == nil {
			p.size, p.graph = len(program.Inst), newGraph(program)
		}
	}
	return p, nil
}

// MatchString says whether a text has the pattern in it, as
// [regexp.Regexp.MatchString] does.
func (p *Pattern) MatchString(text string) bool {
	if len(text) < remembered {
		return p.match(text)
	}
	if a := p.last.Load(); a != nil && a.text == text {
		return a.match
	}
	a := &answer{text, p.match(text)}
	p.last.Store(a)
	return a.match
}

func (p *Pattern) match(text string) bool {
	if p.graph == nil {
		p.left.Add(uint64(len(text)))
		return p.plain.MatchString(text)
	}
	var a *automaton
	select {
	case a = <-p.free:
	default:
		a = newAutomaton(p.graph)
	}
	match, known := a.match(text)
	p.stepped.Add(a.work.stepped)
	if p.made.Add(a.work.made); !known {
		p.left.Add(uint64(len(text)))
	}
	select {
	case p.free <- a:
	default:
	}
	if !known {
		return p.plain.MatchString(text)
	}
	return match
}

// Size is how many instructions the pattern's program has.
func (p *Pattern) Size() int { return p.size }

// String is the pattern as it is written.
func (p *Pattern) String() string { return p.plain.String() }

// MarshalText is [Pattern.String]: expressions are told apart by their text.
func (p *Pattern) MarshalText() ([]byte, error) { return []byte(p.String()), nil }
