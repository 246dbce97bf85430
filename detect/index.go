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

// need is one alternative: a set of texts for some of the paths.
type need []struct {
	path  int
	texts map[string]struct{}
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
			values := map[string]struct{}{}
			for _, text := range texts {
				values[text] = struct{}{}
				if !first {
					continue
				}
				if x.byValue[path][text] == nil {
					x.byValue[path][text] = make(set, words)
				}
				x.byValue[path][text][i/64] |= 1 << (i % 64)
			}
			one = append(one, struct {
				path  int
				texts map[string]struct{}
			}{path, values})
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
		for _, c := range n {
			if _, ok = c.texts[valueOf(e, c.path)]; !ok {
				break
			}
		}
		if ok {
			return true
		}
	}
	return false
}
