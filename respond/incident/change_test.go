package incident

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/firebreak-io/firebreak/internal/event"
)

// TestFirstOfAStormGoesOn: whoever writes for others does so once, however many
// come after it: the first finding of a storm must not be answered last.
func TestFirstOfAStormGoesOn(t *testing.T) {
	n := NewStore(opened(t))
	if err := n.Load(t.Context()); err != nil {
		t.Fatal(err)
	}
	const many = 400
	var group sync.WaitGroup
	var count atomic.Int64
	var one func(id int64) *change
	one = func(id int64) *change {
		return &change{of: func([]event.Incident) (event.Incident, bool) {
			if next := count.Add(1); next < many {
				// While it is written the next one comes, until there were so many.
				group.Go(func() {
					if _, err := n.write(t.Context(), one(next)); err != nil {
						t.Error(err)
					}
				})
			}
			return event.Incident{ID: event.HashID("i", fmt.Sprint(id)), State: event.IncidentOpen}, true
		}}
	}
	for i := range 4 { // so that somebody always waits
		group.Go(func() {
			if _, err := n.write(t.Context(), one(many+int64(i))); err != nil {
				t.Error(err)
			}
			if came := count.Load(); came >= many {
				t.Errorf("one of the first went on after %d others", came)
			}
		})
	}
	group.Wait()
	if n.writing || len(n.waiting) != 0 {
		t.Errorf("somebody writes still, or %d wait", len(n.waiting))
	}
}

// TestTurnIsPassedOn: one that gives up while it waits, or just when it is its
// turn, keeps nobody from writing.
func TestTurnIsPassedOn(t *testing.T) {
	n := NewStore(opened(t))
	if err := n.Load(t.Context()); err != nil {
		t.Fatal(err)
	}
	var group sync.WaitGroup
	for i := range 200 {
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		group.Go(func() {
			_, err := n.write(ctx, &change{of: func([]event.Incident) (event.Incident, bool) {
				return event.Incident{ID: event.HashID("i", fmt.Sprint(i)), State: event.IncidentOpen}, true
			}})
			if err != nil && !errors.Is(err, context.Canceled) {
				t.Error(err)
			}
		})
		if i%3 == 0 {
			group.Go(cancel)
		}
	}
	group.Wait()
	if _, err := n.Add(t.Context(), seen("last", "web", "", "", ""), event.ImportanceNormal); err != nil {
		t.Fatal(err)
	}
	if n.writing || len(n.waiting) != 0 {
		t.Errorf("somebody writes still, or %d wait", len(n.waiting))
	}
}
