package pattern

import (
	"regexp"
	"regexp/syntax"
	"sync"
	"sync/atomic"
)

// Pattern is a compiled regular expression (RE2). It is safe for concurrent use.
type Pattern struct {
	plain *regexp.Regexp
	size  int
	// graph is nil of a pattern that is left to package regexp.
	graph *graph
	mu    sync.Mutex
	// free are automata that nobody uses at present.
	free []*automaton
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
	p := &Pattern{plain: plain}
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
	a := p.take()
	match, known := a.match(text)
	p.stepped.Add(a.work.stepped)
	if p.made.Add(a.work.made); !known {
		p.left.Add(uint64(len(text)))
	}
	p.give(a)
	if !known {
		return p.plain.MatchString(text)
	}
	return match
}

// take gives an automaton that nobody else uses until give is called.
func (p *Pattern) take() *automaton {
	p.mu.Lock()
	n := len(p.free)
	if n == 0 {
		p.mu.Unlock()
		return newAutomaton(p.graph)
	}
	a := p.free[n-1]
	p.free = p.free[:n-1]
	p.mu.Unlock()
	return a
}

func (p *Pattern) give(a *automaton) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if len(p.free) < atOnce {
		p.free = append(p.free, a)
	}
}

// Size is how many instructions the pattern's program has.
func (p *Pattern) Size() int { return p.size }

// String is the pattern as it is written.
func (p *Pattern) String() string { return p.plain.String() }

// MarshalText is [Pattern.String]: expressions are told apart by their text.
func (p *Pattern) MarshalText() ([]byte, error) { return []byte(p.String()), nil }
