package detect

import (
	"iter"
	"math/bits"

	"github.com/firebreak-io/firebreak/internal/conf"
	"github.com/firebreak-io/firebreak/internal/event"
)

// needing is a detector that says what events have to be like to matter to it:
// as one of the alternatives.
type needing interface {
	Needs(paths []string) []conf.Needs
}

// indexed are the paths that the index knows. A detector is found by the first
// of them that it needs: the one by which events differ most.
var indexed = []string{"rule", "object.subresource", "object.resource", "verb", "class", "outcome", "source"}

// valueOf is an event's value of each of them.
func valueOf(e *event.Event, path int) string {
	switch path {
	case 0:
		return e.Rule
	case 1:
		return e.Object.Subresource
	case 2:
		return e.Object.Resource
	case 3:
		return e.Verb
	case 4:
		return e.Class
	case 5:
		return string(e.Outcome)
	}
	return string(e.Source)
}

// index finds the detectors that an event could matter to, so that what an
// event costs grows with those and not with all that there are.
type index struct {
	// byValue are those detectors to ask, for each path and value; rest those
	// of which nothing is known.
	byValue []map[string]set
	rest    set
	// needs are each detector's alternatives.
	needs [][]need
	found set
}

// set is the places of detectors.
type set []uint64

// need is one alternative: texts for some of the paths.
type need []choice

// choice is the texts that a path may have: mostly one.
type choice struct {
	path int
	one  string
	more map[string]struct{}
}

func newChoice(path int, texts []string) choice {
	c := choice{path: path}
	if len(texts) == 1 {
		c.one = texts[0]
		return c
	}
	c.more = make(map[string]struct{}, len(texts))
	for _, text := range texts {
		c.more[text] = struct{}{}
	}
	return c
}

func (c *choice) has(text string) bool {
	if c.more == nil {
		return text == c.one
	}
	_, ok := c.more[text]
	return ok
}

func newIndex(detectors []Detector) *index {
	words := (len(detectors) + 63) / 64
	x := &index{rest: make(set, words), found: make(set, words), needs: make([][]need, len(detectors))}
	for range indexed {
		x.byValue = append(x.byValue, map[string]set{})
	}
	for i, d := range detectors {
		x.add(i, alternatives(d), words)
	}
	return x
}

// alternatives are what a detector needs; of one that does not say, its
// sources.
func alternatives(d Detector) []conf.Needs {
	if n, ok := d.(needing); ok {
		return n.Needs(indexed)
	}
	var sources []string
	for _, s := range d.Sources() {
		sources = append(sources, string(s))
	}
	return []conf.Needs{{"source": sources}}
}

func (x *index) add(i int, all []conf.Needs, words int) {
	for _, n := range all {
		var one need
		first := true
		for path, name := range indexed {
			texts, ok := n[name]
			if !ok {
				continue
			}
			for _, text := range texts {
				if !first {
					break
				}
				if x.byValue[path][text] == nil {
					x.byValue[path][text] = make(set, words)
				}
				x.byValue[path][text][i/64] |= 1 << (i % 64)
			}
			one = append(one, newChoice(path, texts))
			first = false
		}
		if first {
			x.rest[i/64] |= 1 << (i % 64)
		}
		x.needs[i] = append(x.needs[i], one)
	}
}

// of gives the places of the detectors that an event could matter to, in their
// order.
func (x *index) of(e *event.Event) iter.Seq[int] {
	copy(x.found, x.rest)
	for path, values := range x.byValue {
		for w, word := range values[valueOf(e, path)] {
			x.found[w] |= word
		}
	}
	return func(yield func(int) bool) {
		for w, word := range x.found {
			for ; word != 0; word &= word - 1 {
				i := w*64 + bits.TrailingZeros64(word)
				if x.could(i, e) && !yield(i) {
					return
				}
			}
		}
	}
}

// could says whether an event is as one of the alternatives.
func (x *index) could(i int, e *event.Event) bool {
	for _, n := range x.needs[i] {
		ok := true
		for j := range n {
			if ok = n[j].has(valueOf(e, n[j].path)); !ok {
				break
			}
		}
		if ok {
			return true
		}
	}
	return false
}
