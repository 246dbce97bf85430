package detect

import (
	"math"
	"math/bits"
	"time"

	"github.com/firebreak-io/firebreak/detect/evict"
	"github.com/firebreak-io/firebreak/detect/pack"
	"github.com/firebreak-io/firebreak/internal/conf"
	"github.com/firebreak-io/firebreak/internal/event"
)

// quiet makes the findings of one group one, for some time from the first: it
// counts how often it came again. When there are too many groups the oldest of
// the namespace that has most is forgotten, and would be found again: nothing is
// hidden for want of room.
type quiet struct {
	by      []*conf.Program
	grouped bool // as the window or the sequence is
	length  time.Duration
	most    int
	groups  map[[16]byte]*hush
	order   evict.Order[*hush] // in order of their ends: all last as long
	changed []event.FindingCount
	evicted uint64
}

// hush is one group.
type hush struct {
	key     [16]byte
	finding string
	until   time.Time
	count   uint64
	told    uint64
	last    time.Time
	evict.Link[*hush]
}

// hushBytes is about what one group takes.
const hushBytes = 300

// maxChanged bounds what waits to be told of groups that are still there: it is
// told at their end.
const maxChanged = 10_000

// quiet compiles suppress. A window and a sequence have one all the same: a
// window that is over the threshold stays so for all events that follow.
func (c *compiler) quiet(spec *RuleSpec, l Limits) *quiet {
	q := &quiet{most: l.Groups, groups: map[[16]byte]*hush{}}
	if q.most <= 0 {
		q.most = DefaultGroups
	}
	switch {
	case spec.Suppress != nil:
		q.by, q.length = c.values(spec.Suppress.By), spec.Suppress.For.Std()
	case spec.Window != nil:
		q.grouped, q.length = true, spec.Window.Over.Std()
	case spec.Sequence != nil:
		q.grouped, q.length = true, spec.Sequence.Within.Std()
	default:
		return nil
	}
	return q
}

// newQuiet makes one for groups whose keys the caller makes.
func newQuiet(most int, length time.Duration) *quiet {
	if most <= 0 {
		most = DefaultGroups
	}
	return &quiet{most: most, length: length, groups: map[[16]byte]*hush{}}
}

// holds says whether a group's time lasts.
func (q *quiet) holds(k [16]byte, now time.Time) bool {
	q.expire(now)
	_, ok := q.groups[k]
	return ok
}

func (q *quiet) key(e *event.Event, group [16]byte) ([16]byte, error) {
	if q.grouped {
		return group, nil
	}
	return groupKey(e, q.by)
}

// first says whether a finding is the first of its group; if not it is counted,
// once for all stages of a request.
func (q *quiet) first(k [16]byte, f *event.Finding, now time.Time, again bool) bool {
	q.expire(now)
	if h := q.groups[k]; h != nil {
		if h.finding != f.ID && !again {
			h.count++
			h.last = f.Time
			if bits.OnesCount64(h.count) == 1 && len(q.changed) < maxChanged {
				q.tell(h)
			}
		}
		return false
	}
	h := &hush{key: k, finding: f.ID, until: now.Add(q.length), count: 1, told: 1, last: f.Time}
	h.In(q.order.Index(namespaceOf(f.Subject.Namespace)), false)
	for {
		least, full := q.order.Room(h.Space(), q.most)
		if !full {
			break
		}
		q.evict(least)
	}
	q.groups[k] = h
	q.order.Add(h)
	return true
}

// anew begins a group with a finding; one that was there ends.
func (q *quiet) anew(k [16]byte, f *event.Finding, now time.Time) {
	if h := q.groups[k]; h != nil {
		q.drop(h)
	}
	q.first(k, f, now, false)
}

// resume goes on with a finding whose time was over, where its count was.
func (q *quiet) resume(k [16]byte, f *event.Finding, now time.Time, count uint64) {
	if q.first(k, f, now, false) {
		h := q.groups[k]
		h.count, h.told = max(1, count), max(1, count)
	}
}

// counted is how often a group's finding came, 0 if its time is over.
func (q *quiet) counted(k [16]byte) uint64 {
	if h := q.groups[k]; h != nil {
		return h.count
	}
	return 0
}

// Evict makes room: it forgets the group that is missed least.
func (q *quiet) Evict() {
	if len(q.groups) > 0 {
		q.evict(q.order.Least())
	}
}

func (q *quiet) evict(h *hush) {
	q.evicted++
	q.drop(h)
}

// tell says the count at 2, 4, 8 … and at the end.
func (q *quiet) tell(h *hush) {
	if h.told == h.count {
		return
	}
	h.told = h.count
	q.changed = append(q.changed, event.FindingCount{Finding: h.finding, Count: h.count, Last: h.last})
}

func (q *quiet) expire(now time.Time) {
	for {
		var over *hush
		for h := range q.order.Oldest {
			if !h.until.After(now) && (over == nil || h.until.Before(over.until)) {
				over = h
			}
		}
		if over == nil {
			return
		}
		q.drop(over)
	}
}

func (q *quiet) drop(h *hush) {
	q.tell(h)
	q.order.Remove(h)
	delete(q.groups, h.key)
}

func (q *quiet) counts() []event.FindingCount {
	out := q.changed
	q.changed = nil
	return out
}

func (q *quiet) stats() Memory {
	return Memory{Groups: len(q.groups), Bytes: len(q.groups) * hushBytes, Evicted: q.evicted}
}

func (q *quiet) save(out *pack.Writer) {
	out.Uint(q.evicted)
	spaces := q.order.Spaces()
	out.Len(len(spaces))
	for _, id := range spaces {
		out.Uint(id)
	}
	out.Len(len(q.groups))
	for h := range q.order.All {
		out.Fixed(h.key[:])
		out.Len(h.Space())
		out.Text(h.finding)
		saveTime(out, h.until)
		out.Uint(h.count)
		out.Uint(h.told)
		saveTime(out, h.last)
	}
}

func (q *quiet) load(in *pack.Reader) {
	q.evicted = in.Uint()
	for range in.Count(evict.MaxSpaces) {
		q.order.Index(in.Uint())
	}
	spaces := len(q.order.Spaces())
	for range in.Count(math.MaxInt32) {
		h := &hush{}
		copy(h.key[:], in.Fixed(len(h.key)))
		space := in.Len(evict.MaxSpaces)
		h.finding, h.until, h.count, h.told, h.last = in.Text(), loadTime(in), in.Uint(), in.Uint(), loadTime(in)
		if space >= spaces || q.groups[h.key] != nil {
			in.Fail()
			return
		}
		h.In(space, false)
		q.groups[h.key] = h
		q.order.Add(h)
	}
}
