package detect

import (
	"iter"
	"math/bits"

	"github.com/firebreak-io/firebreak/internal/event"
)

// index finds the detectors that an event could matter to.
type index struct {
	bySource map[event.Source][]uint64
	bits     []uint64
}

func newIndex(detectors []Detector) *index {
	x := &index{bySource: map[event.Source][]uint64{}, bits: make([]uint64, (len(detectors)+63)/64)}
	for i, d := range detectors {
		for _, source := range d.Sources() {
			if x.bySource[source] == nil {
				x.bySource[source] = make([]uint64, len(x.bits))
			}
			x.bySource[source][i/64] |= 1 << (i % 64)
		}
	}
	return x
}

// of gives the places of the detectors, in their order.
func (x *index) of(e *event.Event) iter.Seq[int] {
	return func(yield func(int) bool) {
		for w, word := range x.bySource[e.Source] {
			for ; word != 0; word &= word - 1 {
				if !yield(w*64 + bits.TrailingZeros64(word)) {
					return
				}
			}
		}
	}
}
