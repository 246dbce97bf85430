package detect

import (
	"crypto/sha256"
	"encoding/binary"

	"github.com/firebreak-io/firebreak/detect/pack"
	"github.com/firebreak-io/firebreak/detect/sequence"
	"github.com/firebreak-io/firebreak/internal/event"
)

// maxRequests is how many requests a rule remembers, so that their other stages
// are not counted again. What is forgotten counts once more: nothing is missed.
const maxRequests = 2048

// requestBytes is about what one takes.
const requestBytes = 80

// request is what was taken of a request to the API into one group. The API
// server writes an event for each of its stages, of which the later ones know
// more; together they count as one event.
type request struct {
	hash uint64
	// seen says that there was a stage of it.
	seen bool
	// taken are the aggregates or steps that had something of it, by bits.
	taken uint64
	// time and order are those of the first stage.
	time  int64
	order uint64
}

// requests are the last ones that a rule looked at.
type requests struct {
	at   map[uint64]int
	ring []request
	next int
}

// counting remembers requests for a rule that has to count them: one about audit
// events that does not itself say which stages it means. It is nil of others.
func (s *RuleSpec) counting(sources []event.Source) *requests {
	const stage = "fields.stage"
	if s.Window == nil && s.Sequence == nil && s.Suppress == nil {
		return nil
	}
	audit := false
	for _, source := range sources {
		audit = audit || source == event.SourceAudit
	}
	if !audit || s.When.Mentions(stage) || s.Unless.Mentions(stage) {
		return nil
	}
	if w := s.Window; w != nil {
		for _, x := range w.By {
			if x.Mentions(stage) {
				return nil
			}
		}
		if w.Having.Mentions(stage) {
			return nil
		}
	}
	if q := s.Sequence; q != nil {
		for _, st := range q.Steps {
			if st.When.Mentions(stage) {
				return nil
			}
		}
	}
	return &requests{at: map[uint64]int{}}
}

// of is what is known of an event's request in a group. The place is good until
// it is asked for another one. Of what is no request nothing is known.
func (r *requests) of(e *event.Event, group [16]byte) *request {
	id := ""
	if r != nil && e.Source == event.SourceAudit {
		id = origin(e)
	}
	if id == "" || id == e.ID {
		return &request{}
	}
	sum := sha256.Sum256(append(group[:], id...))
	hash := binary.LittleEndian.Uint64(sum[:8])
	if i, known := r.at[hash]; known {
		return &r.ring[i]
	}
	one := request{hash: hash}
	if len(r.ring) < maxRequests {
		r.ring = append(r.ring, one)
		r.at[hash] = len(r.ring) - 1
		return &r.ring[len(r.ring)-1]
	}
	i := r.next
	delete(r.at, r.ring[i].hash)
	r.ring[i], r.at[hash] = one, i
	r.next = (i + 1) % maxRequests
	return &r.ring[i]
}

// again leaves of the steps that an event belongs to those that no other stage of
// its request gave, and makes it the same event as the first one: no event is two
// steps of a sequence.
func (r *request) again(steps uint, entry *sequence.Entry) uint {
	if r.seen {
		entry.Time, entry.Order = r.time, r.order
	}
	r.seen, r.time, r.order = true, entry.Time, entry.Order
	steps &^= uint(r.taken)
	r.taken |= uint64(steps)
	return steps
}

func (r *requests) stats() Memory { return Memory{Bytes: len(r.ring) * requestBytes} }

// save writes them, the oldest first.
func (r *requests) save(out *pack.Writer) {
	out.Len(len(r.ring))
	for i := range r.ring {
		one := r.ring[(r.next+i)%len(r.ring)]
		var hash [8]byte
		binary.LittleEndian.PutUint64(hash[:], one.hash)
		out.Fixed(hash[:])
		out.Bool(one.seen)
		out.Uint(one.taken)
		out.Int(one.time)
		out.Uint(one.order)
	}
}

func (r *requests) load(in *pack.Reader) {
	for range in.Count(maxRequests) {
		hash := in.Fixed(8)
		if hash == nil {
			return
		}
		one := request{hash: binary.LittleEndian.Uint64(hash), seen: in.Bool(), taken: in.Uint(), time: in.Int(), order: in.Uint()}
		if _, twice := r.at[one.hash]; twice {
			in.Fail()
			return
		}
		r.at[one.hash] = len(r.ring)
		r.ring = append(r.ring, one)
	}
}
