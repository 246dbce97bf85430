package slack

import (
	"sync"
	"time"
)

// seen remembers what was taken, for longer than Slack's signatures are good:
// who has recorded a request can't have it taken again. It may be used
// concurrently. Only what Slack has signed gets in.
type seen struct {
	mu    sync.Mutex
	taken map[string]time.Time
}

// Slack's signatures are good for five minutes; see
// https://docs.slack.dev/authentication/verifying-requests-from-slack.
const (
	seenFor  = 11 * time.Minute
	maxTaken = 100_000
)

func newSeen() *seen { return &seen{taken: map[string]time.Time{}} }

// first says whether this is the first time, and remembers that it was. ok is
// false when no more can be remembered.
func (s *seen) first(id string, now time.Time) (first, ok bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if at, known := s.taken[id]; known && now.Sub(at) < seenFor {
		return false, true
	}
	if len(s.taken) >= maxTaken {
		for k, at := range s.taken {
			if now.Sub(at) >= seenFor {
				delete(s.taken, k)
			}
		}
	}
	if len(s.taken) >= maxTaken {
		return false, false
	}
	s.taken[id] = now
	return true, true
}

// forget takes back that it was taken.
func (s *seen) forget(id string) {
	s.mu.Lock()
	delete(s.taken, id)
	s.mu.Unlock()
}
