package detect

import (
	"crypto/sha256"
	"encoding/hex"
	"math"

	"github.com/firebreak-io/firebreak/detect/pack"
)

// recent remembers the last ids that it was told, in bounded memory, and in
// which frame each was.
type recent struct {
	ids   map[shortID]struct{}
	limit int
	ring  []seen // grows to the limit
	next  int
	// added counts what was ever remembered.
	added uint64
}

// shortID is an id as [event.HashID] makes them, in half the room. Of other ids
// it is a hash.
type shortID [16]byte

type seen struct {
	id       shortID
	sequence uint64
}

func shorten(id string) (s shortID) {
	if len(id) == 2*len(s) {
		if _, err := hex.Decode(s[:], []byte(id)); err == nil {
			return s
		}
	}
	sum := sha256.Sum256([]byte(id))
	return shortID(sum[:len(s)])
}

func newRecent(limit int) *recent {
	return &recent{ids: map[shortID]struct{}{}, limit: limit}
}

// add says whether the id is new, and remembers it.
func (r *recent) add(id string, sequence uint64) bool { return r.addShort(shorten(id), sequence) }

func (r *recent) addShort(id shortID, sequence uint64) bool {
	if _, known := r.ids[id]; known {
		return false
	}
	r.added++
	if len(r.ring) < r.limit {
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
	return r.ring[r.next].sequence // of a ring that is not full it is the first
}

// save writes all ids, the oldest first.
func (r *recent) save(out *pack.Writer) {
	out.Len(len(r.ring))
	last := int64(0)
	for i := range r.ring {
		s := r.ring[(r.next+i)%len(r.ring)]
		out.Fixed(s.id[:])
		out.Int(int64(s.sequence) - last) // #nosec G115 -- sequences are counted
		last = int64(s.sequence)          // #nosec G115
	}
}

// load reads what save wrote.
func (r *recent) load(in *pack.Reader) error {
	last := int64(0)
	for range in.Count(math.MaxInt32) {
		id := in.Fixed(len(shortID{}))
		last += in.Int()
		if in.Err() != nil {
			break
		}
		r.addShort(shortID(id), uint64(last)) // #nosec G115 -- it was one
	}
	return in.Done()
}
