package baseline

import (
	"math"
	"time"

	"github.com/firebreak-io/firebreak/detect/pack"
)

// Entity is what is remembered of one. It is valid until the next call of
// [Store.Touch].
type Entity struct {
	// Label is its name for people, cut short.
	Label string

	key, peers  Key
	first, last int64
	seen        uint32 // observations
	tables      []table
	series      []series
	sums        []sum
	versions    table
	grace       int64 // until when
	bytes       int
	note        string
	link
}

// When an entity is established: after so many observations and so long.
const (
	establishedSeen = 8
	establishedFor  = 10 * time.Minute
	entityBytes     = 320
	versionsKept    = 8
	groupBytes      = 96
	// maxNote is how many bytes of a note are kept.
	maxNote = 2 << 10
)

// Established says that the entity has been there long enough to count for
// others.
func (e *Entity) Established() bool { return e.segment == settled }

// Seen is how many observations there were, and First the time of the first.
func (e *Entity) Seen() uint32 { return e.seen }

// First is the time of the first observation.
func (e *Entity) First() time.Time { return time.Unix(0, e.first).UTC() }

// Gap is the time since the entity was last seen, before now; false for one
// that is new.
func (e *Entity) Gap(now time.Time) (time.Duration, bool) {
	if e.last == 0 {
		return 0, false
	}
	return time.Duration(max(0, now.UnixNano()-e.last)), true
}

// Rollout takes the entity's version, an image's digest. One that it never had,
// when it had another, opens a time of grace in which its own past counts less.
// It says whether this one did.
func (e *Entity) Rollout(version Value, now time.Time, length time.Duration) bool {
	fresh := len(e.versions.slots) > 0 && !e.versions.has(version.Hash)
	e.versions.add(version, 1, now, versionsKept)
	if fresh {
		e.grace = max(e.grace, now.Add(length).UnixNano())
	}
	return fresh
}

// InGrace says whether the time of grace lasts.
func (e *Entity) InGrace(now time.Time) bool { return now.UnixNano() < e.grace }

// Note is what SetNote kept.
func (e *Entity) Note() string { return e.note }

// SetNote keeps a text of the caller's beside the entity, as long as that is
// remembered; one of more than 2 KiB is not kept. It counts for the bytes from
// the next [Store.Observe] on.
func (e *Entity) SetNote(text string) {
	if len(text) > maxNote {
		text = ""
	}
	e.note = text
}

// Last is the time of the last observation.
func (e *Entity) Last() time.Time { return time.Unix(0, e.last).UTC() }

// Presence is the share of the intervals since the first observation that there
// was one in, up to the last; 0 of an entity that is not established.
func (e *Entity) Presence(every time.Duration) float64 {
	if !e.Established() {
		return 0
	}
	return float64(e.seen) / (float64(e.last-e.first)/float64(every) + 1)
}

func (e *Entity) measure() int {
	n := entityBytes + len(e.Label) + len(e.note) + e.versions.bytes() + sumBytes*len(e.sums)
	for i := range e.tables {
		n += e.tables[i].bytes()
	}
	for i := range e.series {
		n += e.series[i].bytes()
	}
	return n
}

func (e *Entity) save(out *pack.Writer) {
	out.Fixed(e.key[:])
	out.Fixed(e.peers[:])
	out.Text(e.Label)
	out.Len(int(e.space))
	out.Len(int(e.segment))
	out.Int(e.first)
	out.Int(e.last)
	out.Uint(uint64(e.seen))
	out.Int(e.grace)
	out.Text(e.note)
	e.versions.save(out)
	for i := range e.tables {
		e.tables[i].save(out)
	}
	for i := range e.series {
		e.series[i].save(out)
	}
	for i := range e.sums {
		e.sums[i].save(out)
	}
}

func (e *Entity) load(in *pack.Reader, spaces int) {
	copy(e.key[:], in.Fixed(len(e.key)))
	copy(e.peers[:], in.Fixed(len(e.peers)))
	e.Label = in.Text()
	space, seg := in.Len(maxSpaces), in.Len(segments-1)
	if space >= spaces || len(e.Label) > maxLabel+4 {
		in.Fail()
		return
	}
	e.space, e.segment = int32(space), uint8(seg)                                // #nosec G115 -- bounded
	e.first, e.last, e.seen = in.Int(), in.Int(), uint32(in.Len(math.MaxUint32)) // #nosec G115 -- bounded
	e.grace = in.Int()
	if e.note = in.Text(); len(e.note) > maxNote {
		in.Fail()
		return
	}
	e.versions.load(in, versionsKept)
	for i := range e.tables {
		e.tables[i].load(in, entityValues)
	}
	for i := range e.series {
		e.series[i].load(in)
	}
	for i := range e.sums {
		e.sums[i].load(in)
	}
}
