package runlog

import (
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/firebreak-io/firebreak/internal/event"
)

// TestLatest: in pages of any size each run that is asked for comes once, those
// of the index first, and each part from its newest on.
func TestLatest(t *testing.T) {
	t.Parallel()
	s := newStacks(t)
	began := time.Now().UTC().Add(-100 * time.Hour).Truncate(time.Second)
	var ended, open []string
	for i := range 23 {
		state := event.RunClosed
		if i%3 == 0 {
			state = event.RunDenied
		}
		ended = append(ended, s.run(fmt.Sprint("e", i), "", state, began.Add(time.Duration(i)*time.Hour)))
	}
	s.index()
	for i := range 6 { // two at a time move at the same moment
		at := began.Add(time.Duration(30-i) * time.Hour)
		two := []string{s.run(fmt.Sprint("a", i), "", event.RunHolding, at), s.run(fmt.Sprint("b", i), "", event.RunHolding, at)}
		slices.Sort(two)
		open = append(open, two...)
	}
	slices.Reverse(ended)
	all := slices.Concat(open, ended)
	for _, limit := range []int{1, 7, 12, 35, 1000} {
		if got := s.latest(Query{}, limit); !slices.Equal(got, all) {
			t.Errorf("in pages of %d:\n%v, want\n%v", limit, got, all)
		}
	}
	if got := s.latest(Query{States: []event.RunState{event.RunDenied}}, 3); len(got) != 8 {
		t.Errorf("%d were denied", len(got))
	}
	if got := s.latest(Query{Since: began.Add(20 * time.Hour)}, 3); !slices.Equal(got, slices.Concat(open, ended[:3])) {
		t.Errorf("since hour 20: %v", got)
	}
	if got := s.latest(Query{Playbook: "other"}, 3); len(got) != 0 {
		t.Errorf("of a playbook that there is not: %v", got)
	}
	for _, place := range []string{"else", "open.x", "ended.x", "ended.0", "ended.-3"} {
		if _, _, err := s.log.Latest(t.Context(), Query{}, place, 3); !errors.Is(err, ErrNoPage) {
			t.Errorf("place %q: %v", place, err)
		}
	}
}

func (s *stacks) latest(q Query, limit int) (ids []string) {
	s.t.Helper()
	for after := ""; ; {
		page, next, err := s.log.Latest(s.t.Context(), q, after, limit)
		if err != nil || len(page) > limit {
			s.t.Fatalf("a page of %d, %v", len(page), err)
		}
		for _, r := range page {
			ids = append(ids, r.ID)
		}
		if after = next; next == "" {
			return ids
		}
	}
}
