package conf

import (
	"maps"
	"slices"
)

// Needs are what has to be true for something to be: the value of each of these
// paths is one of its texts.
type Needs map[string][]string

// maxNeeds bounds the alternatives of [Select].
const maxNeeds = 32

// Select says what has to be true of some paths, as in object.resource, where
// all of the expressions are: at least one of the alternatives, each of which
// may say nothing. It looks at how they are written, at comparisons of a path
// with constant texts (==, in) under and, or and not; what it can't see it
// leaves out. Without alternatives the expressions are never true. All paths
// have to be of text.
func Select(paths []string, all ...Expression) []Needs {
	operands := map[string]string{}
	for _, path := range paths {
		if tree := parseClause(Expression{Text: path}); tree != nil {
			operands[canonical(tree)] = path
		}
	}
	out := []Needs{{}}
	for _, e := range all {
		if tree := parseClause(e); tree != nil && !e.IsZero() {
			out = together(out, clauseOf(tree, false).needs(operands))
		}
	}
	return out
}

func (c clause) needs(operands map[string]string) []Needs {
	out := []Needs{{}}
	switch c.kind {
	case both:
		for _, part := range c.parts {
			out = together(out, part.needs(operands))
		}
	case either:
		out = nil
		for _, part := range c.parts {
			if out = append(out, part.needs(operands)...); len(out) > maxNeeds {
				return []Needs{{}}
			}
		}
	default:
		if path, ok := operands[c.operand]; ok && c.texts != nil && !c.not {
			out[0][path] = c.texts
		}
	}
	return out
}

// together is what is needed when both are. Where that would be too much to
// say it is what the one with more to say needs.
func together(a, b []Needs) []Needs {
	if len(a)*len(b) > maxNeeds {
		if says(a) >= says(b) {
			return a
		}
		return b
	}
	out := []Needs{}
	for _, x := range a {
		for _, y := range b {
			if z, possible := x.And(y); possible {
				out = append(out, z)
			}
		}
	}
	return out
}

// And is what is needed when both are; it is false when that can't be.
func (n Needs) And(o Needs) (Needs, bool) {
	out := maps.Clone(n)
	for path, texts := range o {
		if have, ok := out[path]; ok {
			texts = slices.DeleteFunc(slices.Clone(texts), func(t string) bool { return !slices.Contains(have, t) })
		}
		if len(texts) == 0 {
			return nil, false
		}
		out[path] = texts
	}
	return out, true
}

// says is how many paths are needed in each alternative.
func says(all []Needs) int {
	least := 1 << 20
	for _, n := range all {
		least = min(least, len(n))
	}
	return least
}
