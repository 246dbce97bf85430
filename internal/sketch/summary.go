package sketch

import (
	"maps"
	"slices"
	"time"

	"github.com/firebreak-io/firebreak/internal/event"
)

// Summary is what is counted of the log lines of one writer in one interval,
// or, merged, in several. The zero value is of no line. It is not safe for
// concurrent use.
//
// A writer's interval may come in several parts: of lines that came late, or
// where memory had to be freed. Merge them all, in any order.
type Summary struct {
	// Start is when the interval begins, Length how long it is.
	Start  time.Time
	Length time.Duration
	// First and Last are the times of the first and the last line.
	First, Last time.Time
	// Lines counts all of them, Bytes their messages' length.
	Lines, Bytes uint64
	// Classes counts the lines of each class.
	Classes map[string]uint64
	// Status counts requests by the hundreds of their status: 4 is 4xx, 0 is
	// of those that tell none.
	Status [6]uint64
	// Sent is the sum of the bytes of responses.
	Sent uint64
	// Logins counts those that succeeded, FailedLogins those that did not.
	Logins, FailedLogins uint64
	// Latency is of requests, in seconds.
	Latency Quantiles
	// Addresses are those of clients, FailedAddresses and FailedUsers those of
	// logins that did not succeed.
	Addresses, FailedAddresses, FailedUsers Distinct
	// Overflow says that lines of several writers are counted together, as
	// there were too many writers.
	Overflow bool
}

// Add counts an event at a time within the interval.
func (s *Summary) Add(e *event.Event, at time.Time) {
	if s.Lines == 0 || at.Before(s.First) {
		s.First = at
	}
	if at.After(s.Last) {
		s.Last = at
	}
	s.Lines++
	s.Bytes += uint64(len(e.Message))
	if s.Classes == nil {
		s.Classes = map[string]uint64{}
	}
	s.Classes[ClassOf(e.Class)]++
	s.Addresses.Add(e.Actor.Address)
	switch e.Class {
	case event.ClassHTTP:
		s.addRequest(e)
	case event.ClassLogin:
		s.addLogin(e)
	}
}

// ClassOf is the class that a line is counted under: it keeps to the closed set.
func ClassOf(class string) string {
	if slices.Contains(event.Classes(), class) {
		return class
	}
	return event.ClassLogLine
}

func (s *Summary) addRequest(e *event.Event) {
	s.Status[Hundreds(e.HTTP.Status)]++
	s.Sent += uint64(max(0, e.HTTP.Bytes))
	if e.HTTP.Duration > 0 {
		s.Latency.Add(e.HTTP.Duration)
	}
}

// Hundreds is under which of [Summary.Status] a status is counted.
func Hundreds(status int) int {
	if hundreds := status / 100; hundreds > 0 && hundreds < len(statuses) {
		return hundreds
	}
	return 0
}

func (s *Summary) addLogin(e *event.Event) {
	switch e.Outcome {
	case event.OutcomeSuccess, event.OutcomeAllowed:
		s.Logins++
	case event.OutcomeFailure, event.OutcomeDenied:
		s.FailedLogins++
		s.FailedAddresses.Add(e.Actor.Address)
		s.FailedUsers.Add(e.Actor.User)
	}
}

// Requests is the number of HTTP requests.
func (s *Summary) Requests() uint64 { return s.Classes[event.ClassHTTP] }

// Errors is the number of lines of the levels error and worse.
func (s *Summary) Errors() uint64 { return s.Classes[event.ClassLogError] }

// End is when the interval ends.
func (s *Summary) End() time.Time { return s.Start.Add(s.Length) }

// Merge adds another summary, which does not change. The interval becomes the
// least that holds both.
func (s *Summary) Merge(o *Summary) {
	if o.Lines == 0 {
		return
	}
	if s.Lines == 0 {
		s.Start, s.Length, s.First, s.Last = o.Start, o.Length, o.First, o.Last
	}
	end := s.End()
	if o.End().After(end) {
		end = o.End()
	}
	if o.Start.Before(s.Start) {
		s.Start = o.Start
	}
	s.Length = end.Sub(s.Start)
	if o.First.Before(s.First) {
		s.First = o.First
	}
	if o.Last.After(s.Last) {
		s.Last = o.Last
	}
	s.mergeCounts(o)
	s.Latency.Merge(&o.Latency)
	s.Addresses.Merge(&o.Addresses)
	s.FailedAddresses.Merge(&o.FailedAddresses)
	s.FailedUsers.Merge(&o.FailedUsers)
	s.Overflow = s.Overflow || o.Overflow
}

func (s *Summary) mergeCounts(o *Summary) {
	s.Lines += o.Lines
	s.Bytes += o.Bytes
	s.Sent += o.Sent
	s.Logins += o.Logins
	s.FailedLogins += o.FailedLogins
	for i, n := range o.Status {
		s.Status[i] += n
	}
	if s.Classes == nil {
		s.Classes = maps.Clone(o.Classes)
		return
	}
	for class, n := range o.Classes {
		s.Classes[class] += n
	}
}
