package detect

// recent remembers the last ids that it was told, in bounded memory, and in
// which frame each was.
type recent struct {
	ids  map[string]struct{}
	ring []seen
	next int
}

type seen struct {
	id       string
	sequence uint64
}

func newRecent(limit int) *recent {
	return &recent{ids: map[string]struct{}{}, ring: make([]seen, 0, limit)}
}

// add says whether the id is new, and remembers it.
func (r *recent) add(id string, sequence uint64) bool {
	if _, known := r.ids[id]; known {
		return false
	}
	if len(r.ring) < cap(r.ring) {
		r.ring = append(r.ring, seen{id, sequence})
	} else {
		delete(r.ids, r.ring[r.next].id)
		r.ring[r.next] = seen{id, sequence}
		r.next = (r.next + 1) % len(r.ring)
	}
	r.ids[id] = struct{}{}
	return true
}

// oldest is the frame of the oldest id, or 0.
func (r *recent) oldest() uint64 {
	if len(r.ring) == 0 {
		return 0
	}
	if len(r.ring) < cap(r.ring) {
		return r.ring[0].sequence
	}
	return r.ring[r.next].sequence
}
