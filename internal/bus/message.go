package bus

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/firebreak-io/firebreak/internal/telemetry"
)

// Message is one stored message. Its data is not shared with anybody.
type Message struct {
	Subject string
	// Sequence is the position in the stream, counted from 1.
	Sequence uint64
	Data     []byte
	// Time is when the server stored it, UTC.
	Time time.Time
	// Header holds the first value of each header.
	Header map[string]string
}

// Context gives ctx the span under which the message was published, if any.
func (m Message) Context(ctx context.Context) context.Context {
	return telemetry.Extract(ctx, func(key string) string { return m.Header[key] })
}

func headers(h nats.Header) map[string]string {
	if len(h) == 0 {
		return nil
	}
	flat := make(map[string]string, len(h))
	for k, v := range h {
		if len(v) > 0 {
			flat[strings.ToLower(k)] = v[0]
		}
	}
	return flat
}

// literal refuses what is not one concrete subject: a wildcard, an empty
// token, white space. Ids come from our own hashes, but a mistake here would
// read or write the records of others.
func literal(subject string) error {
	for token := range strings.SplitSeq(subject, ".") {
		if token == "" || token == "*" || token == ">" || strings.ContainsFunc(token, unfit) {
			return fmt.Errorf("%q is no subject", subject)
		}
	}
	return nil
}

func unfit(r rune) bool { return r <= ' ' || r == 0x7f || r == '\ufeff' }
