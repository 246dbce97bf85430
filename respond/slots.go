package respond

import (
	"cmp"
	"container/heap"
	"context"
	"sync"
	"time"

	"github.com/firebreak-io/firebreak/internal/event"
	"github.com/firebreak-io/firebreak/respond/guard"
)

// patience is how much earlier a run of low priority must have come to have its
// turn before a graver one. None waits for ever.
var patience = map[event.Severity]time.Duration{
	event.SeverityCritical: 0,
	event.SeverityHigh:     5 * time.Minute,
	event.SeverityMedium:   15 * time.Minute,
	event.SeverityLow:      30 * time.Minute,
	event.SeverityInfo:     45 * time.Minute,
}

// rank is when it is a run's turn: those that are graver go before those that
// came earlier, by far.
func rank(run event.Run) time.Time { return turnOf(guard.Priority(run), run.Created) }

func turnOf(p event.Severity, at time.Time) time.Time { return at.Add(patience[p]) }

// slots let so many at a time do something; of those who wait the one with the
// earliest rank is next, and of equals the one who came first. It may be used
// concurrently.
type slots struct {
	mu      sync.Mutex
	free    int
	count   uint64
	waiting queue
}

func newSlots(n int) *slots { return &slots{free: n} }

// Acquire waits for a slot, or gives ctx's error.
func (s *slots) Acquire(ctx context.Context, rank time.Time) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	return s.await(ctx, s.line(rank))
}

// line stands in line, or takes a slot that is free; [slots.await] waits for it,
// and has to be called.
func (s *slots) line(rank time.Time) *waiter {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.count++
	own := &waiter{rank: rank, number: s.count, ready: make(chan struct{}), at: -1}
	if s.free > 0 && len(s.waiting) == 0 {
		s.free--
		close(own.ready)
		return own
	}
	heap.Push(&s.waiting, own)
	return own
}

// await waits for the slot of one who stands in line, or gives ctx's error, and
// no slot.
func (s *slots) await(ctx context.Context, own *waiter) error {
	select {
	case <-own.ready:
		return nil
	case <-ctx.Done():
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if own.at < 0 {
		s.release() // it came just now
	} else {
		heap.Remove(&s.waiting, own.at)
	}
	return ctx.Err()
}

// Release gives a slot back.
func (s *slots) Release() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.release()
}

func (s *slots) release() {
	if len(s.waiting) == 0 {
		s.free++
		return
	}
	next := heap.Pop(&s.waiting).(*waiter)
	close(next.ready)
}

// waiter is one who waits; at is its place in the heap, -1 when it waits no
// more.
type waiter struct {
	rank   time.Time
	number uint64
	ready  chan struct{}
	at     int
}

type queue []*waiter

func (q queue) Len() int { return len(q) }

func (q queue) Less(i, j int) bool {
	if c := q[i].rank.Compare(q[j].rank); c != 0 {
		return c < 0
	}
	return q[i].number < q[j].number
}

func (q queue) Swap(i, j int) {
	q[i], q[j] = q[j], q[i]
	q[i].at, q[j].at = i, j
}

func (q *queue) Push(x any) {
	w := x.(*waiter)
	w.at = len(*q)
	*q = append(*q, w)
}

func (q *queue) Pop() any {
	last := len(*q) - 1
	w := (*q)[last]
	(*q)[last] = nil
	*q, w.at = (*q)[:last], -1
	return w
}

// Priority is how grave what a run is about was when it began.
func Priority(run event.Run) event.Severity { return guard.Priority(run) }

// Graver orders runs for people: by priority, and then by risk, the highest
// first.
func Graver(a, b event.Run) int {
	return cmp.Or(cmp.Compare(Priority(b).Rank(), Priority(a).Rank()), cmp.Compare(b.Incident.Risk, a.Incident.Risk))
}
