package sketch

import (
	"fmt"
	"time"
)

// Window is when the window begins that a summary falls in, of windows of that
// length which begin at its multiples. Merging all summaries of a window gives
// what the lines themselves would, but for the errors of the sketches. The error
// says that the length is no multiple of the summary's interval, or that the
// summary is of several windows: then it can't be told which of its lines are in.
func (s *Summary) Window(length time.Duration) (time.Time, error) {
	if s.Length <= 0 || length < s.Length || length%s.Length != 0 {
		return time.Time{}, fmt.Errorf("window of %s: not a multiple of the summary's interval of %s", length, s.Length)
	}
	start := s.Start.Truncate(length)
	if s.End().After(start.Add(length)) {
		return time.Time{}, fmt.Errorf("window of %s: the summary from %s to %s is of two of them", length, s.Start.UTC().Format(time.TimeOnly), s.End().UTC().Format(time.TimeOnly))
	}
	return start, nil
}
