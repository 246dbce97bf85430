package ingest

// rememberedIDs is how many ids of events a source's summaries remember.
const rememberedIDs = 1 << 15

// seen remembers the ids of the newest events, so that what a sender sends
// again is not counted again. It is not safe for concurrent use.
type seen struct {
	ids  map[string]struct{}
	ring []string
	next int
}

func newSeen(n int) *seen { return &seen{ids: make(map[string]struct{}, n), ring: make([]string, n)} }

// add says whether an id is new. None at all is always.
func (s *seen) add(id string) bool {
	if id == "" {
		return true
	}
	if _, again := s.ids[id]; again {
		return false
	}
	delete(s.ids, s.ring[s.next])
	s.ids[id], s.ring[s.next] = struct{}{}, id
	s.next = (s.next + 1) % len(s.ring)
	return true
}
