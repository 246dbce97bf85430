package pattern

import (
	"runtime"
	"sync"
	"weak"
)

// shared are the patterns that somebody uses, by their text: many rules ask for the
// same one, and what was found out for one rule serves the others.
type shared struct {
	mu  sync.Mutex
	all map[string]weak.Pointer[Pattern]
}

var patterns = &shared{all: map[string]weak.Pointer[Pattern]{}}

// Compile gives a pattern, the same one to all who ask while somebody has it.
func Compile(text string) (*Pattern, error) { return patterns.compile(text) }

func (s *shared) compile(text string) (*Pattern, error) {
	if p := s.find(text); p != nil {
		return p, nil
	}
	p, err := compile(text)
	if err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if there := s.all[text].Value(); there != nil {
		return there, nil
	}
	s.all[text] = weak.Make(p)
	runtime.AddCleanup(p, s.forget, text)
	return p, nil
}

func (s *shared) find(text string) *Pattern {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.all[text].Value()
}

// forget drops a text, unless its pattern was made anew.
func (s *shared) forget(text string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if p, ok := s.all[text]; ok && p.Value() == nil {
		delete(s.all, text)
	}
}

// Work is what a pattern has cost: it does not depend on the machine.
type Work struct {
	// Stepped are the bytes that cost a step, Made the states that were made on the
	// way, Left the bytes that were left to package regexp.
	Stepped, Made, Left uint64
}

// Sub is what was spent since o.
func (w Work) Sub(o Work) Work { return Work{w.Stepped - o.Stepped, w.Made - o.Made, w.Left - o.Left} }

// Spent is the work of each pattern that somebody has, since it was made.
func Spent() map[string]Work {
	patterns.mu.Lock()
	defer patterns.mu.Unlock()
	out := make(map[string]Work, len(patterns.all))
	for text, weak := range patterns.all {
		if p := weak.Value(); p != nil {
			out[text] = Work{p.stepped.Load(), p.made.Load(), p.left.Load()}
		}
	}
	return out
}
