package pattern

import (
	"encoding/binary"
	"regexp/syntax"
	"slices"
	"unicode/utf8"
)

// automaton is what is known of a graph so far: states, and where each class of
// characters leads. It is used by one goroutine.
type automaton struct {
	g      *graph
	states map[string]*state
	begin  *state
	bytes  int
	// work is that of the last text.
	work work

	// What is used while a state is made.
	seen    []uint32 // the round in which an instruction was seen
	round   uint32
	stack   []uint32
	threads []uint32
	key     []byte
}

// work counts bytes that were stepped over, and states that were made.
type work struct{ stepped, made uint64 }

// state is the instructions that threads wait at, and what stood before.
type state struct {
	threads []uint32
	before  uint8
	next    []*state // by class, the end of the text last; nil is not known
}

// What stands before a place in the text, as far as the program asks.
const (
	atBegin uint8 = 1 << iota
	afterWord
	afterLine
)

// matched is where every match leads, failed where no match can.
var matched, failed = &state{}, &state{}

// maxBytes bounds the states of an automaton, about.
const maxBytes = 256 << 10

// perMade is how many bytes of text there have to be for each state that it asks
// for, once it has asked for the first ones.
const (
	perMade   = 8
	freeMakes = 128
)

func newAutomaton(g *graph) *automaton {
	a := &automaton{g: g, seen: make([]uint32, len(g.program.Inst))}
	a.clear()
	return a
}

func (a *automaton) clear() {
	a.states, a.bytes = map[string]*state{}, 0
	a.begin = a.state(nil, atBegin)
}

// match says whether the pattern is in a text; it does not know of one that asks
// for too many new states.
func (a *automaton) match(text string) (match, known bool) {
	left := freeMakes + len(text)/perMade
	a.work = work{stepped: uint64(len(text))}
	s := a.begin
	for i := 0; i < len(text); {
		class, size := a.g.ascii[text[i]&(utf8.RuneSelf-1)], 1
		if text[i] >= utf8.RuneSelf {
			var r rune
			r, size = utf8.DecodeRuneInString(text[i:])
			class = a.g.find(r)
		}
		next := s.next[class]
		if next == nil {
			if left--; left < 0 {
				a.work.stepped = uint64(i) // #nosec G115 -- not negative
				return false, false
			}
			next = a.make(s, int(class))
		}
		i += size
		if next == matched {
			a.work.stepped = uint64(i) // #nosec G115 -- not negative
			return true, true
		}
		s = next
	}
	last := s.next[a.g.end()]
	if last == nil {
		last = a.make(s, a.g.end())
	}
	return last == matched, true
}

// make finds out where a class leads from a state.
func (a *automaton) make(s *state, class int) *state {
	a.work.made++
	var r rune = -1
	if class < len(a.g.bounds) {
		r = a.g.bounds[class]
	}
	to := a.step(s, r)
	s.next[class] = to
	return to
}

// step follows all threads of a state over a character, -1 at the end.
func (a *automaton) step(s *state, r rune) *state {
	flags := around(s.before, r)
	if a.round++; a.round == 0 {
		clear(a.seen)
		a.round = 1
	}
	a.threads, a.stack = a.threads[:0], append(a.stack[:0], uint32(a.g.program.Start)) // #nosec G115 -- not negative
	a.stack = append(a.stack, s.threads...)
	for len(a.stack) > 0 {
		pc := a.stack[len(a.stack)-1]
		a.stack = a.stack[:len(a.stack)-1]
		if a.seen[pc] == a.round {
			continue
		}
		a.seen[pc] = a.round
		switch in := &a.g.program.Inst[pc]; in.Op {
		case syntax.InstMatch:
			return matched
		case syntax.InstAlt, syntax.InstAltMatch:
			a.stack = append(a.stack, in.Out, in.Arg)
		case syntax.InstCapture, syntax.InstNop:
			a.stack = append(a.stack, in.Out)
		case syntax.InstEmptyWidth:
			if syntax.EmptyOp(in.Arg)&^flags == 0 { // #nosec G115 -- it was one
				a.stack = append(a.stack, in.Out)
			}
		case syntax.InstRune, syntax.InstRune1, syntax.InstRuneAny, syntax.InstRuneAnyNotNL:
			if r >= 0 && in.MatchRune(r) {
				a.threads = append(a.threads, in.Out)
			}
		}
	}
	if r < 0 {
		return failed
	}
	return a.state(a.threads, a.after(r))
}

// around is what holds between what stood before and a character.
func around(before uint8, r rune) syntax.EmptyOp {
	var flags syntax.EmptyOp
	if before&atBegin != 0 {
		flags |= syntax.EmptyBeginText | syntax.EmptyBeginLine
	}
	if before&afterLine != 0 {
		flags |= syntax.EmptyBeginLine
	}
	if r < 0 {
		flags |= syntax.EmptyEndText | syntax.EmptyEndLine
	}
	if r == '\n' {
		flags |= syntax.EmptyEndLine
	}
	if before&afterWord != 0 != syntax.IsWordChar(r) {
		return flags | syntax.EmptyWordBoundary
	}
	return flags | syntax.EmptyNoWordBoundary
}

// after is what stands before the next character, as far as it matters.
func (a *automaton) after(r rune) uint8 {
	switch {
	case a.g.words && syntax.IsWordChar(r):
		return afterWord
	case a.g.lines && r == '\n':
		return afterLine
	}
	return 0
}

// state is that of some threads: the one there is, or a new one. When there are
// too many all are forgotten.
func (a *automaton) state(threads []uint32, before uint8) *state {
	slices.Sort(threads)
	threads = slices.Compact(threads)
	a.key = append(a.key[:0], before)
	for _, t := range threads {
		a.key = binary.LittleEndian.AppendUint32(a.key, t)
	}
	if s := a.states[string(a.key)]; s != nil {
		return s
	}
	size := 8*(len(a.g.bounds)+1) + 2*len(a.key) + 160
	if a.bytes+size > maxBytes && len(a.states) > 1 {
		a.clear()
		return a.state(threads, before)
	}
	s := &state{threads: slices.Clone(threads), before: before, next: make([]*state, len(a.g.bounds)+1)}
	a.states[string(a.key)] = s
	a.bytes += size
	return s
}
