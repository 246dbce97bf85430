package ingest

import (
	"context"
	"fmt"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"pgregory.net/rapid"

	"github.com/firebreak-io/firebreak/internal/event"
)

// stamped is a store that takes its time, and notes when each frame came.
type stamped struct {
	fakeStore
	took time.Duration
	mu   sync.Mutex
	// began is when the publishing of an event's frame began.
	began map[string]time.Time
}

func (s *stamped) Publish(ctx context.Context, subject string, data []byte) (uint64, error) {
	events, err := event.DecodeFrame(data)
	if err != nil {
		return 0, err
	}
	now := time.Now()
	s.mu.Lock()
	for i := range events {
		s.began[events[i].ID] = now
	}
	s.mu.Unlock()
	<-time.After(s.took)
	return s.fakeStore.Publish(ctx, subject, data)
}

// Whenever events come: one that finds nothing under way is on its way to the
// disk at once, and one that comes behind a frame goes with the next, or with
// one of the next where they are more than a frame holds. No event ever waits
// for others to come.
func TestNoEventWaitsForCompany(t *testing.T) {
	rapid.Check(t, func(r *rapid.T) {
		took := time.Duration(rapid.IntRange(0, 20).Draw(r, "disk takes ms")) * time.Millisecond
		gaps := rapid.SliceOfN(rapid.IntRange(0, 40), 1, 60).Draw(r, "gaps in ms")
		synctest.Test(t, func(t *testing.T) {
			store := &stamped{took: took, began: map[string]time.Time{}}
			b := NewBatcher(store, 0)
			ctx, cancel := context.WithCancel(t.Context())
			go b.Run(ctx)
			var wg sync.WaitGroup
			came := map[string]time.Time{}
			for i, gap := range gaps {
				<-time.After(time.Duration(gap) * time.Millisecond)
				id := fmt.Sprint(i)
				came[id] = time.Now()
				wg.Go(func() {
					if err := b.Put(ctx, []event.Event{{ID: id}}); err != nil {
						r.Errorf("put: %v", err)
					}
				})
				// Alone, also behind a frame and one that waited for it, it is on its
				// way before any time has passed.
				if synctest.Wait(); gap > 2*int(took/time.Millisecond) && !store.on(id, came[id]) {
					r.Errorf("event %d came when nothing was under way, and waits", i)
				}
			}
			wg.Wait()
			for id, at := range came {
				if waited := store.began[id].Sub(at); waited > took {
					r.Errorf("event %s waited %v for a frame that took %v", id, waited, took)
				}
			}
			cancel()
			synctest.Wait()
		})
	})
}

// on says that the frame of an event was on its way at a time.
func (s *stamped) on(id string, at time.Time) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	began, ok := s.began[id]
	return ok && began.Equal(at)
}
