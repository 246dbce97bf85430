package slack

import (
	"context"
	"slices"
	"sync"
)

// queue holds the incidents whose messages may have to change, each once. It may
// be used concurrently.
type queue struct {
	mu   sync.Mutex
	ids  map[string]int // when it came
	next int
	more chan struct{}
}

func newQueue() *queue { return &queue{ids: map[string]int{}, more: make(chan struct{}, 1)} }

func (q *queue) add(ids ...string) {
	q.mu.Lock()
	for _, id := range ids {
		if _, ok := q.ids[id]; !ok {
			q.next++
			q.ids[id] = q.next
		}
	}
	q.mu.Unlock()
	select {
	case q.more <- struct{}{}:
	default:
	}
}

func (q *queue) size() int {
	q.mu.Lock()
	defer q.mu.Unlock()
	return len(q.ids)
}

// take waits until there is something, and takes all of it, the oldest first.
func (q *queue) take(ctx context.Context) ([]string, error) {
	for {
		q.mu.Lock()
		ids := make([]string, 0, len(q.ids))
		for id := range q.ids {
			ids = append(ids, id)
		}
		slices.SortFunc(ids, func(a, b string) int { return q.ids[a] - q.ids[b] })
		clear(q.ids)
		q.mu.Unlock()
		if len(ids) > 0 {
			return ids, nil
		}
		select {
		case <-ctx.Done():
			return nil, ctx.Err()
		case <-q.more:
		}
	}
}
