package notify

import (
	"context"
	"errors"
	"iter"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/firebreak-io/firebreak/internal/bus"
	"github.com/firebreak-io/firebreak/internal/event"
)

// memory is a store as the streams are, in memory, for tests on a virtual clock.
type memory struct {
	mu      sync.Mutex
	seq     uint64
	records []bus.Message
	// due is when a message that was taken or given back is due; none is now.
	due  map[uint64]time.Time
	dead []event.Rejected
	// fails, if set, fails a write.
	fails func(subject string) error
}

func newMemory() *memory { return &memory{due: map[uint64]time.Time{}} }

func (s *memory) Create(ctx context.Context, subject string, data []byte) (uint64, error) {
	seq, err := s.Append(ctx, subject, data, 0)
	if errors.Is(err, bus.ErrConflict) {
		err = bus.ErrExists
	}
	return seq, err
}

func (s *memory) Append(ctx context.Context, subject string, data []byte, last uint64) (uint64, error) {
	if ctx.Err() != nil {
		return 0, ctx.Err()
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.fails != nil {
		if err := s.fails(subject); err != nil {
			return 0, err
		}
	}
	at := uint64(0)
	for _, m := range s.records {
		if m.Subject == subject {
			at = m.Sequence
		}
	}
	if at != last {
		return 0, bus.ErrConflict
	}
	s.seq++
	s.records = append(s.records, bus.Message{Subject: subject, Data: slices.Clone(data), Sequence: s.seq})
	return s.seq, nil
}

func (s *memory) find(match func(string) bool, newest bool) (bus.Message, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	found, err := bus.Message{}, bus.ErrNotFound
	for _, m := range s.records {
		if match(m.Subject) {
			if found, err = m, nil; !newest {
				return found, nil
			}
		}
	}
	return found, err
}

func (s *memory) Last(_ context.Context, subject string) (bus.Message, error) {
	return s.find(func(is string) bool { return is == subject }, true)
}

// under is the part of a filter before its first wildcard.
func under(filter string) func(string) bool {
	prefix, _, _ := strings.Cut(filter, "*")
	return func(subject string) bool { return strings.HasPrefix(subject, prefix) }
}

func (s *memory) First(_ context.Context, filter string) (bus.Message, error) {
	return s.find(under(filter), false)
}

func (s *memory) LastPerSubject(_ context.Context, filter string) iter.Seq2[bus.Message, error] {
	s.mu.Lock()
	records := slices.Clone(s.records)
	s.mu.Unlock()
	return func(yield func(bus.Message, error) bool) {
		for _, m := range records {
			if under(filter)(m.Subject) && !yield(m, nil) {
				return
			}
		}
	}
}

func (s *memory) Subjects(_ context.Context, filter string) (map[string]uint64, error) {
	all := map[string]uint64{}
	for m := range s.LastPerSubject(context.Background(), filter) {
		all[m.Subject]++
	}
	return all, nil
}

func (s *memory) Dead(_ context.Context, r event.Rejected) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.dead = append(s.dead, r)
	return nil
}

func (s *memory) Queue(_ context.Context, receiver string) (Queue, error) {
	return &memoryQueue{s, under(bus.SubjectOutbox(receiver, "*", "*"))}, nil
}

type memoryQueue struct {
	*memory
	mine func(string) bool
}

func (q *memoryQueue) Take(ctx context.Context) (Taken, error) {
	for {
		if t, ok := q.next(); ok {
			return t, nil
		}
		if err := sleep(ctx, q.wait()); err != nil {
			return nil, err
		}
	}
}

// wait is until something may be due.
func (q *memoryQueue) wait() time.Duration {
	q.mu.Lock()
	defer q.mu.Unlock()
	wait := time.Second
	for _, at := range q.due {
		wait = min(wait, max(time.Until(at), 50*time.Millisecond))
	}
	return wait
}

func (q *memoryQueue) next() (Taken, bool) {
	q.mu.Lock()
	defer q.mu.Unlock()
	now := time.Now()
	for _, m := range q.records {
		if q.mine(m.Subject) && !q.due[m.Sequence].After(now) {
			q.due[m.Sequence] = now.Add(held)
			return &memoryTaken{q.memory, m}, true
		}
	}
	return nil, false
}

type memoryTaken struct {
	store *memory
	m     bus.Message
}

func (t *memoryTaken) Stored() bus.Message { return t.m }

func (t *memoryTaken) Ack(context.Context) error {
	t.store.mu.Lock()
	defer t.store.mu.Unlock()
	t.store.records = slices.DeleteFunc(t.store.records, func(m bus.Message) bool { return m.Sequence == t.m.Sequence })
	delete(t.store.due, t.m.Sequence)
	return nil
}

func (t *memoryTaken) Retry(delay time.Duration) error {
	t.store.mu.Lock()
	defer t.store.mu.Unlock()
	t.store.due[t.m.Sequence] = time.Now().Add(delay)
	return nil
}
