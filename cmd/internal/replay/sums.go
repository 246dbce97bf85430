package replay

import (
	"time"

	"github.com/firebreak-io/firebreak/ingest/summary"
	"github.com/firebreak-io/firebreak/internal/event"
)

// sums are the summaries of one file. Nil makes none.
type sums struct {
	table *summary.Table
	close time.Duration // from a line until its interval is stored, at most
	clock time.Time
	line  int
}

// usualDelay is how long an interval waits for lines where nothing is said, and
// how far ahead of the clock a line may be.
const usualDelay = 5 * time.Second

func newSums(in Input) *sums {
	if in.Summarise == nil {
		return nil
	}
	c := *in.Summarise
	return &sums{table: summary.NewTable(event.SourceLog, c, "replay "+in.Name), close: c.Every() + max(c.Delay.Std(), usualDelay) + usualDelay}
}

// counts says whether the event is one that add counts.
func (s *sums) counts(e *event.Event) bool { return s != nil && e.Time.Year() > 0 }

// add counts an event, and gives the summaries of the intervals that are over by
// its time.
func (s *sums) add(e *event.Event, line int, give func(*event.Event) error) error {
	if !s.counts(e) {
		return nil
	}
	if over := s.clock.Add(s.close); e.Time.After(over) {
		s.table.Expire(over) // which it is while nothing comes
	}
	if e.Time.After(s.clock) {
		s.clock = e.Time
	}
	if s.table.Expire(s.clock); s.table.Waiting() > 0 {
		if err := s.give(give); err != nil {
			return err
		}
	}
	s.line = line
	s.table.Add(e, s.clock, uint64(line)) // #nosec G115 -- of a line
	return nil
}

// end gives all that is left.
func (s *sums) end(give func(e *event.Event, line int) error) error {
	if s == nil {
		return nil
	}
	s.table.Expire(s.clock.Add(s.close))
	return s.give(func(e *event.Event) error { return give(e, s.line) })
}

func (s *sums) give(give func(*event.Event) error) error {
	n := s.table.Waiting()
	for _, p := range s.table.Due(n) {
		e := p.Event()
		if err := give(&e); err != nil {
			return err
		}
	}
	s.table.Stored(n)
	return nil
}
