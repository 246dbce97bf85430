package pattern

import (
	"regexp/syntax"
	"slices"
	"unicode"
	"unicode/utf8"
)

// graph is a pattern's program, and the classes of characters that it can tell
// apart.
type graph struct {
	program *syntax.Prog
	// bounds are where classes begin, the first at 0. Of each class all characters
	// are alike.
	bounds []rune
	ascii  [utf8.RuneSelf]uint8
	// words and lines say that the program asks about the edges of those.
	words, lines bool
}

// maxClasses is what fits a byte, with the end of the text.
const maxClasses = 255

// newGraph is nil of a program with too many classes.
func newGraph(program *syntax.Prog) *graph {
	g := &graph{program: program}
	at := map[rune]bool{0: true}
	add := func(from, to rune) { at[from], at[to+1] = true, true }
	for i := range program.Inst {
		switch in := &program.Inst[i]; in.Op {
		case syntax.InstRune, syntax.InstRune1:
			ranges(in, add)
		case syntax.InstRuneAnyNotNL:
			add('\n', '\n')
		case syntax.InstEmptyWidth:
			g.asks(syntax.EmptyOp(in.Arg), add) // #nosec G115 -- it was one
		}
		if len(at) > maxClasses {
			return nil
		}
	}
	for r := range at {
		if r <= unicode.MaxRune {
			g.bounds = append(g.bounds, r)
		}
	}
	slices.Sort(g.bounds)
	for r := range rune(utf8.RuneSelf) {
		g.ascii[r] = g.find(r)
	}
	return g
}

// ranges gives the characters that an instruction takes.
func ranges(in *syntax.Inst, add func(from, to rune)) {
	if len(in.Rune) == 1 { // a character, perhaps in all its cases
		r := in.Rune[0]
		add(r, r)
		for f := unicode.SimpleFold(r); f != r; f = unicode.SimpleFold(f) {
			add(f, f)
		}
		return
	}
	for i := 0; i+1 < len(in.Rune); i += 2 {
		add(in.Rune[i], in.Rune[i+1])
	}
}

func (g *graph) asks(op syntax.EmptyOp, add func(from, to rune)) {
	if op&(syntax.EmptyWordBoundary|syntax.EmptyNoWordBoundary) != 0 {
		g.words = true
		add('0', '9')
		add('A', 'Z')
		add('_', '_')
		add('a', 'z')
	}
	if op&(syntax.EmptyBeginLine|syntax.EmptyEndLine) != 0 {
		g.lines = true
		add('\n', '\n')
	}
}

// find is the class of a character.
func (g *graph) find(r rune) uint8 {
	i, found := slices.BinarySearch(g.bounds, r)
	if !found {
		i--
	}
	return uint8(i) // #nosec G115 -- bounded by maxClasses
}

// end is the class of the end of the text.
func (g *graph) end() int { return len(g.bounds) }
