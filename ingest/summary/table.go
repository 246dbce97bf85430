package summary

import (
	"container/list"
	"strconv"
	"time"

	"github.com/firebreak-io/firebreak/internal/event"
	"github.com/firebreak-io/firebreak/internal/sketch"
)

// maxAhead is how far in the future of its receipt a line may be dated.
const maxAhead = 5 * time.Second

// maxNamespaces is how many namespaces have an overflow of their own at a time;
// the others share one.
const maxNamespaces = 256

// Table holds the open parts, and those that are due until they are stored. Its
// size is bounded, whatever the lines claim: when there is no room for another
// part, that which was added to least recently is due at once. When that has
// happened for as many parts as there is room for within one interval, lines of
// further writers are counted together, by namespace, and their summary says
// so. It is not safe for concurrent use.
type Table struct {
	source    event.Source
	interval  time.Duration
	delay     time.Duration
	lateness  time.Duration
	entities  int
	by        grouping
	nonce     string
	parts     map[key]*list.Element
	order     *list.List // of *Part, the least recently added to first
	overflows int        // open parts that are overflows
	due       []*Part
	opened    uint64
	// evicted counts the parts that had to go since the time.
	evicted int
	since   time.Time
	// overflowed counts lines that went to an overflow.
	overflowed uint64
}

// NewTable makes an empty table. The nonce makes ids of parts differ from those
// of other tables and of earlier runs of the process: lines that are read again
// after a crash are counted again, not taken for those that were stored.
func NewTable(source event.Source, c Config, nonce string) *Table {
	c = c.filled()
	return &Table{
		source: source, interval: c.Interval.Std(), delay: c.Delay.Std(), lateness: c.Lateness.Std(), entities: c.Entities,
		by: groupingOf(c.By), nonce: nonce, parts: map[key]*list.Element{}, order: list.New(),
	}
}

// Add counts an event, which it may neither change nor keep. The mark is the
// caller's, and does not fall.
func (t *Table) Add(e *event.Event, now time.Time, mark uint64) {
	at := t.clamp(e, now)
	start := at.Truncate(t.interval)
	w, ref := t.by.of(e)
	k := key{w, start.UnixNano()}
	elem, ok := t.parts[k]
	if !ok {
		elem = t.open(k, ref, now, mark)
	}
	t.order.MoveToBack(elem)
	elem.Value.(*Part).add(e, at)
}

// clamp is the time that a line counts for: what it says itself, but not long
// before nor after its receipt.
func (t *Table) clamp(e *event.Event, now time.Time) time.Time {
	received := e.Received
	if received.IsZero() {
		received = now
	}
	switch at := e.Time; {
	case at.IsZero():
		return received
	case at.Before(received.Add(-t.lateness)):
		return received.Add(-t.lateness)
	case at.After(received.Add(maxAhead)):
		return received.Add(maxAhead)
	default:
		return at
	}
}

// open makes room for a part, or finds the overflow that takes its place.
func (t *Table) open(k key, ref event.Ref, now time.Time, mark uint64) *list.Element {
	if t.order.Len()-t.overflows < t.entities {
		return t.insert(k, ref, now, mark)
	}
	if now.Sub(t.since) >= t.interval || now.Before(t.since) {
		t.evicted, t.since = 0, now
	}
	if t.evicted < t.entities && t.evict(now) {
		return t.insert(k, ref, now, mark)
	}
	t.overflowed++
	k.entity = entity{cluster: k.cluster, namespace: k.namespace, overflow: true}
	if elem, ok := t.parts[k]; ok {
		return elem
	}
	if t.overflows >= maxNamespaces {
		k.entity = entity{overflow: true}
		k.start = now.Truncate(t.interval).UnixNano()
		if elem, ok := t.parts[k]; ok {
			return elem
		}
	}
	return t.insert(k, event.Ref{Namespace: k.namespace}, now, mark)
}

func (t *Table) insert(k key, ref event.Ref, now time.Time, mark uint64) *list.Element {
	t.opened++
	start := time.Unix(0, k.start).UTC()
	p := &Part{key: k, ref: ref, source: t.source, mark: mark, opened: now}
	p.sum = sketch.Summary{Start: start, Length: t.interval, Overflow: k.overflow}
	p.id = event.HashID("summary", string(t.source), k.cluster, k.namespace, k.kind, k.name, k.uid, k.container,
		start.Format(time.RFC3339Nano), t.interval.String(), t.nonce, strconv.FormatUint(t.opened, 10))
	if k.overflow {
		t.overflows++
	}
	elem := t.order.PushBack(p)
	t.parts[k] = elem
	return elem
}

// evict closes the part that was added to least recently, but for overflows.
func (t *Table) evict(now time.Time) bool {
	for elem := t.order.Front(); elem != nil; elem = elem.Next() {
		if !elem.Value.(*Part).key.overflow {
			t.close(elem, now)
			t.evicted++
			return true
		}
	}
	return false
}

func (t *Table) close(elem *list.Element, now time.Time) {
	p := t.order.Remove(elem).(*Part)
	delete(t.parts, p.key)
	if p.key.overflow {
		t.overflows--
	}
	p.closed = now
	t.due = append(t.due, p)
}

// Expire makes the parts due whose interval has ended, the delay included. A
// part of an interval that ended before it was opened is kept for as long as
// the delay.
func (t *Table) Expire(now time.Time) {
	for elem := t.order.Front(); elem != nil; {
		next, p := elem.Next(), elem.Value.(*Part)
		if !now.Before(p.sum.End().Add(t.delay)) && !now.Before(p.opened.Add(t.delay)) {
			t.close(elem, now)
		}
		elem = next
	}
}

// Close makes all parts due.
func (t *Table) Close(now time.Time) {
	for t.order.Len() > 0 {
		t.close(t.order.Front(), now)
	}
}

// Due are at most n of the parts to be stored, the first of them. They don't
// change any more.
func (t *Table) Due(n int) []*Part { return t.due[:min(n, len(t.due)):min(n, len(t.due))] }

// Waiting is how many parts are due.
func (t *Table) Waiting() int { return len(t.due) }

// Stored takes the first n of the parts that are due away.
func (t *Table) Stored(n int) {
	clear(t.due[:n])
	t.due = t.due[n:]
	if len(t.due) == 0 {
		t.due = nil
	}
}

// Open is how many parts are open.
func (t *Table) Open() int { return t.order.Len() }

// Overflowed is how many lines were counted together with those of other
// writers, for want of room.
func (t *Table) Overflowed() uint64 { return t.overflowed }

// Oldest is the least mark of what is not stored, if there is any.
func (t *Table) Oldest() (mark uint64, ok bool) {
	least := func(p *Part) {
		if !ok || p.mark < mark {
			mark, ok = p.mark, true
		}
	}
	for _, p := range t.due {
		least(p)
	}
	for elem := t.order.Front(); elem != nil; elem = elem.Next() {
		least(elem.Value.(*Part))
	}
	return mark, ok
}
