package detect

import (
	"github.com/firebreak-io/firebreak/internal/event"
	"github.com/firebreak-io/firebreak/internal/sketch"
)

// weighed is an event that stands for so many like it. With a summary it is the
// sketches of one, and stands for none.
type weighed struct {
	event   *event.Event
	times   float64
	summary *sketch.Summary
}

// expand makes of a summary of log lines the events that it is of, as far as it
// knows them: requests by the hundreds of their status, logins by how they
// ended, and lines by class. So a condition on those holds for as many as it
// would have for the lines. Any other event is itself.
func expand(e *event.Event) ([]weighed, error) {
	if e.Class != event.ClassLogSummary {
		return []weighed{{event: e, times: 1}}, nil
	}
	if e.Fields["start"] == nil {
		return nil, nil // made by hand, as in tests of rules: there is nothing to read
	}
	s, err := sketch.Read(e)
	if err != nil {
		return nil, err
	}
	all := []weighed{{event: e, summary: s}}
	like := func(n uint64, class string, outcome event.Outcome, http event.HTTP) {
		if n == 0 {
			return
		}
		one := *e
		one.Class, one.Outcome, one.HTTP, one.Fields = class, outcome, http, nil
		all = append(all, weighed{event: &one, times: float64(n)})
	}
	for hundreds, n := range s.Status {
		http := event.HTTP{Status: 100 * hundreds}
		if requests := s.Requests(); requests > 0 {
			http.Bytes = int64(s.Sent / requests) // #nosec G115 -- a mean
		}
		like(n, event.ClassHTTP, "", http)
	}
	like(s.Logins, event.ClassLogin, event.OutcomeSuccess, event.HTTP{})
	like(s.FailedLogins, event.ClassLogin, event.OutcomeFailure, event.HTTP{})
	for _, class := range event.Classes() {
		if n := s.Classes[class]; class != event.ClassHTTP && class != event.ClassLogin {
			like(n, class, "", event.HTTP{})
		}
	}
	return all, nil
}
