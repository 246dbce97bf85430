package detect

import (
	"bytes"
	"container/list"
	"math"
	"math/bits"
	"time"

	"github.com/firebreak-io/firebreak/detect/pack"
	"github.com/firebreak-io/firebreak/internal/conf"
	"github.com/firebreak-io/firebreak/internal/event"
)

// quiet makes the findings of one group one, for some time from the first: it
// counts how often it came again. When there are too many groups the oldest is
// forgotten, and would be found again: nothing is hidden for want of room.
type quiet struct {
	by      []*conf.Program
	grouped bool // as the window or the sequence is
	length  time.Duration
	most    int
	groups  map[[16]byte]*list.Element
	order   *list.List // of *hush, in order of their ends: all last as long
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
}

// hushBytes is about what one group takes.
const hushBytes = 300

// maxChanged bounds what waits to be told of groups that are still there: it is
// told at their end.
const maxChanged = 10_000

// quiet compiles suppress. A window and a sequence have one all the same: a
// window that is over the threshold stays so for all events that follow.
func (c *compiler) quiet(spec *RuleSpec, l Limits) *quiet {
	q := &quiet{most: l.Groups, groups: map[[16]byte]*list.Element{}, order: list.New()}
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

func (q *quiet) key(e *event.Event, group [16]byte) ([16]byte, error) {
	if q.grouped {
		return group, nil
	}
	return groupKey(e, q.by)
}

// first says whether a finding is the first of its group; if not it is counted.
func (q *quiet) first(k [16]byte, f *event.Finding, now time.Time) bool {
	q.expire(now)
	if el, ok := q.groups[k]; ok {
		h := el.Value.(*hush)
		if h.finding != f.ID { // else it is another stage of the same
			h.count++
			h.last = f.Time
			if bits.OnesCount64(h.count) == 1 && len(q.changed) < maxChanged {
				q.tell(h)
			}
		}
		return false
	}
	for len(q.groups) >= q.most {
		q.evicted++
		q.drop(q.order.Front())
	}
	q.groups[k] = q.order.PushBack(&hush{key: k, finding: f.ID, until: now.Add(q.length), count: 1, told: 1, last: f.Time})
	return true
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
		front := q.order.Front()
		if front == nil || front.Value.(*hush).until.After(now) {
			return
		}
		q.drop(front)
	}
}

func (q *quiet) drop(el *list.Element) {
	h := el.Value.(*hush)
	q.tell(h)
	q.order.Remove(el)
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
	out.Len(len(q.groups))
	for el := q.order.Front(); el != nil; el = el.Next() {
		h := el.Value.(*hush)
		out.Fixed(h.key[:])
		out.Text(h.finding)
		saveTime(out, h.until)
		out.Uint(h.count)
		out.Uint(h.told)
		saveTime(out, h.last)
	}
}

func (q *quiet) load(in *pack.Reader) {
	q.evicted = in.Uint()
	for range in.Count(math.MaxInt32) {
		h := &hush{key: [16]byte(append(bytes.Clone(in.Fixed(16)), make([]byte, 16)...)[:16]), finding: in.Text(), until: loadTime(in), count: in.Uint(), told: in.Uint(), last: loadTime(in)}
		q.groups[h.key] = q.order.PushBack(h)
	}
}
