package sketch

import (
	"encoding/base64"
	"encoding/binary"
	"math"
	"time"

	"github.com/firebreak-io/firebreak/internal/event"
)

// The fields of an event of class log.summary, for rules. Counts that are zero
// and quantiles of nothing are left out, which makes comparisons false; those of
// logins are there when there is any login.
//
//	start, first, last        times, RFC 3339
//	interval                  its length in seconds
//	lines, bytes              of all lines
//	classes                   lines by class
//	requests, errors          lines of class http.request and log.error
//	status                    requests by 1xx to 5xx, and other
//	sent                      bytes of responses
//	logins, failed_logins
//	distinct_addresses        of clients
//	failed_addresses          distinct, of logins that failed
//	failed_users              distinct, of logins that failed
//	latency_p50, _p90, _p99   of requests, in seconds
//	overflow                  true: of several writers, there were too many
//	sketches                  the sketches, for [Read]
//
// In windows of summaries distinct(fields.distinct_addresses), of failed_addresses
// and of failed_users, and quantile(fields.latency, p) are of the sketches.
const (
	fieldStart     = "start"
	fieldInterval  = "interval"
	fieldFirst     = "first"
	fieldLast      = "last"
	fieldLines     = "lines"
	fieldBytes     = "bytes"
	fieldClasses   = "classes"
	fieldRequests  = "requests"
	fieldErrors    = "errors"
	fieldStatus    = "status"
	fieldSent      = "sent"
	fieldLogins    = "logins"
	fieldFailed    = "failed_logins"
	fieldAddresses = "distinct_addresses"
	fieldFailedAt  = "failed_addresses"
	fieldFailedAs  = "failed_users"
	fieldP50       = "latency_p50"
	fieldP90       = "latency_p90"
	fieldP99       = "latency_p99"
	fieldOverflow  = "overflow"
	fieldSketches  = "sketches"
)

// version of the sketches' encoding.
const version = 1

var statuses = [6]string{"other", "1xx", "2xx", "3xx", "4xx", "5xx"}

// Fields are the summary as an event's fields: 200 bytes to 1 KB for a usual
// writer, 30 KiB at the most.
func (s *Summary) Fields() event.Fields {
	f := event.Fields{
		fieldStart: s.Start.UTC().Format(time.RFC3339Nano), fieldInterval: plain(s.Length.Seconds()),
		fieldFirst: s.First.UTC().Format(time.RFC3339Nano), fieldLast: s.Last.UTC().Format(time.RFC3339Nano),
	}
	classes, status := map[string]any{}, map[string]any{}
	for class, n := range s.Classes {
		count(classes, class, n)
	}
	for i, n := range s.Status {
		count(status, statuses[i], n)
	}
	if len(classes) > 0 {
		f[fieldClasses] = classes
	}
	if len(status) > 0 {
		f[fieldStatus] = status
	}
	for _, c := range []struct {
		name string
		n    uint64
	}{
		{fieldLines, s.Lines}, {fieldBytes, s.Bytes}, {fieldSent, s.Sent}, {fieldRequests, s.Requests()}, {fieldErrors, s.Errors()},
		{fieldAddresses, s.Addresses.Count()},
	} {
		count(f, c.name, c.n)
	}
	if s.Logins+s.FailedLogins > 0 {
		for name, n := range map[string]uint64{
			fieldLogins: s.Logins, fieldFailed: s.FailedLogins,
			fieldFailedAt: s.FailedAddresses.Count(), fieldFailedAs: s.FailedUsers.Count(),
		} {
			f[name] = whole(n)
		}
	}
	for name, p := range map[string]float64{fieldP50: .5, fieldP90: .9, fieldP99: .99} {
		if v, ok := s.Latency.At(p); ok {
			f[name] = plain(math.Round(v*1e6) / 1e6)
		}
	}
	if s.Overflow {
		f[fieldOverflow] = true
	}
	if b := s.sketches(); len(b) > 0 {
		f[fieldSketches] = base64.RawStdEncoding.EncodeToString(b)
	}
	return f
}

func count(into map[string]any, name string, n uint64) {
	if n > 0 {
		into[name] = whole(n)
	}
}

func whole(n uint64) int64 { return int64(min(n, math.MaxInt64)) } // #nosec G115 -- bounded

// plain is a number as fields hold it: whole ones are int64.
func plain(v float64) any {
	if v == math.Trunc(v) && math.Abs(v) < maxCount {
		return int64(v)
	}
	return v
}

// sketches writes what can't be a plain field; nothing when all are empty.
func (s *Summary) sketches() []byte {
	b, empty := []byte{version}, true
	for _, part := range []func([]byte) []byte{
		s.Addresses.append, s.FailedAddresses.append, s.FailedUsers.append, s.latency,
	} {
		data := part(nil)
		empty = empty && len(data) == 0
		b = append(binary.AppendUvarint(b, uint64(len(data))), data...)
	}
	if empty {
		return nil
	}
	return b
}

func (s *Summary) latency(b []byte) []byte {
	if s.Latency.Count() == 0 {
		return b
	}
	return s.Latency.append(b)
}
