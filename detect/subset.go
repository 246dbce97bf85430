package detect

import "github.com/firebreak-io/firebreak/internal/event"

// For gives a set of those detectors alone that the events could matter to. It
// finds the same in them, and takes less time to open.
func (s *RuleSet) For(events []event.Event) *RuleSet {
	s.indexOnce.Do(func() { s.index = newIndex(s.detectors) })
	some := make([]bool, len(s.detectors))
	s.indexMu.Lock()
	for i := range events {
		for at := range s.index.of(&events[i]) {
			some[at] = true
		}
	}
	s.indexMu.Unlock()
	out := &RuleSet{library: s.library, layers: s.layers}
	for i, d := range s.detectors {
		if some[i] {
			out.detectors = append(out.detectors, d)
		}
	}
	return out
}
