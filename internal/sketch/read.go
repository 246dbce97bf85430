package sketch

import (
	"encoding/base64"
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/firebreak-io/firebreak/internal/event"
)

var errSummary = errors.New("malformed summary")

// Read reads the summary of an event of class log.summary. The error says that
// it is none that Fields wrote.
func Read(e *event.Event) (*Summary, error) {
	if e.Class != event.ClassLogSummary {
		return nil, fmt.Errorf("read summary: %w: event is of class %q", errSummary, e.Class)
	}
	r := fieldReader{fields: e.Fields}
	s := &Summary{
		Start: r.time(fieldStart), Length: r.duration(fieldInterval), First: r.time(fieldFirst), Last: r.time(fieldLast),
		Lines: r.count(fieldLines), Bytes: r.count(fieldBytes), Sent: r.count(fieldSent),
		Logins: r.count(fieldLogins), FailedLogins: r.count(fieldFailed), Classes: r.counts(fieldClasses, event.Classes()),
	}
	for name, n := range r.counts(fieldStatus, statuses[:]) {
		for i := range statuses {
			if statuses[i] == name {
				s.Status[i] = n
			}
		}
	}
	s.Overflow, _ = e.Fields[fieldOverflow].(bool)
	if r.err != nil {
		return nil, fmt.Errorf("read summary: %w", r.err)
	}
	if err := s.readSketches(e.Fields[fieldSketches]); err != nil {
		return nil, fmt.Errorf("read summary: %w", err)
	}
	return s, nil
}

// Interval is when the interval of an event of class log.summary begins, and how
// long it is. The error says that there is none.
func Interval(e *event.Event) (start time.Time, length time.Duration, err error) {
	r := fieldReader{fields: e.Fields}
	start, length = r.time(fieldStart), r.duration(fieldInterval)
	if r.err != nil {
		return start, length, fmt.Errorf("read summary: %w", r.err)
	}
	return start, length, nil
}

// maxSketches is more than the largest summary has.
const maxSketches = 32 << 10

func (s *Summary) readSketches(field any) error {
	if field == nil {
		return nil
	}
	text, ok := field.(string)
	if !ok || len(text) > maxSketches {
		return fmt.Errorf("%w: %s", errSummary, fieldSketches)
	}
	b, err := base64.RawStdEncoding.DecodeString(text)
	if err != nil || len(b) == 0 || b[0] != version {
		return fmt.Errorf("%w: %s: unknown version", errSummary, fieldSketches)
	}
	in := reader{b: b[1:]}
	parts := [4][]byte{in.bytes(), in.bytes(), in.bytes(), in.bytes()}
	if in.err != nil || len(in.b) > 0 {
		return fmt.Errorf("%w: %s", errSummary, fieldSketches)
	}
	err = errors.Join(s.Addresses.decode(parts[0]), s.FailedAddresses.decode(parts[1]), s.FailedUsers.decode(parts[2]))
	if len(parts[3]) > 0 {
		err = errors.Join(err, s.Latency.decode(parts[3]))
	}
	return err
}

// fieldReader reads fields until the first that is not as it should be.
type fieldReader struct {
	fields event.Fields
	err    error
}

func (r *fieldReader) fail(name string) {
	if r.err == nil {
		r.err = fmt.Errorf("%w: %s", errSummary, strconv.Quote(name))
	}
}

func (r *fieldReader) time(name string) time.Time {
	text, _ := r.fields[name].(string)
	t, err := time.Parse(time.RFC3339Nano, text)
	if err != nil {
		r.fail(name)
	}
	return t
}

func (r *fieldReader) duration(name string) time.Duration {
	var seconds float64
	switch v := r.fields[name].(type) {
	case int64:
		seconds = float64(v)
	case float64:
		seconds = v
	}
	if !(seconds > 0 && seconds <= 366*MaxValue) {
		r.fail(name)
		return 0
	}
	return time.Duration(seconds * float64(time.Second))
}

func (r *fieldReader) count(name string) uint64 { return r.number(name, r.fields[name]) }

func (r *fieldReader) number(name string, v any) uint64 {
	n, ok := v.(int64)
	if v != nil && !ok || n < 0 {
		r.fail(name)
		return 0
	}
	return uint64(n)
}

// counts reads a mapping of counts whose names are of a closed set.
func (r *fieldReader) counts(name string, of []string) map[string]uint64 {
	if r.fields[name] == nil {
		return nil
	}
	m, ok := r.fields[name].(map[string]any)
	if !ok || len(m) > len(of) {
		r.fail(name)
		return nil
	}
	out := map[string]uint64{}
	for _, key := range of {
		if n := r.number(name, m[key]); n > 0 {
			out[key] = n
		}
	}
	return out
}
