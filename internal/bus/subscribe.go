package bus

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/nats-io/nats.go"
)

// Bounds of what a subscription may keep while its reader is busy. What comes
// past them is lost, and counted.
const (
	subscribeMessages = 8192
	subscribeBytes    = 32 << 20
)

// Subscribe calls take with each message that others publish on the subject,
// which may hold wildcards, one at a time, until ctx ends; then it returns nil.
// Nothing is acknowledged: what comes while nobody subscribes, while the server
// is away, or faster than take returns, is lost. Of the last, lost is told how
// many. Only an external server has others; a subject that could be one of our
// own streams' is refused.
func (b *Bus) Subscribe(ctx context.Context, subject string, take func(subject string, data []byte), lost func(n int)) error {
	if b.server != nil {
		return fmt.Errorf("subscribe to %s: the embedded server is out of reach for others", subject)
	}
	if err := checkSubject(subject); err != nil {
		return fmt.Errorf("subscribe: %w", err)
	}
	sub, err := b.conn.SubscribeSync(subject)
	if err != nil {
		return fmt.Errorf("subscribe to %s: %w", subject, err)
	}
	defer func() { _ = sub.Unsubscribe() }() // the connection may be gone
	if err := sub.SetPendingLimits(subscribeMessages, subscribeBytes); err != nil {
		return fmt.Errorf("subscribe to %s: %w", subject, err)
	}
	told := 0
	for {
		msg, err := sub.NextMsgWithContext(ctx)
		if dropped, countErr := sub.Dropped(); countErr == nil && dropped > told {
			lost(dropped - told)
			told = dropped
		}
		switch {
		case err == nil:
			take(msg.Subject, msg.Data)
		case ctx.Err() != nil:
			return nil
		case errors.Is(err, nats.ErrSlowConsumer):
		default:
			return fmt.Errorf("subscribe to %s: %w", subject, err)
		}
	}
}

// checkSubject says why a subject can't be subscribed to: it is none, or it
// takes in what Firebreak itself or the server publishes.
func checkSubject(subject string) error {
	tokens := strings.Split(subject, ".")
	if subject == "" || len(subject) > 256 || strings.ContainsAny(subject, " \t\r\n") || slices.Contains(tokens, "") {
		return fmt.Errorf("subject %q is not well-formed", subject)
	}
	if at := slices.Index(tokens, ">"); at >= 0 && at < len(tokens)-1 {
		return fmt.Errorf("subject %q has > before its end", subject)
	}
	first := tokens[0]
	own := []string{SubjectEvents, "find", "inc", "in", "run", "out", "sent", "dead", "*", ">"}
	if strings.HasPrefix(first, "$") || strings.HasPrefix(first, "_") || slices.Contains(own, first) {
		return fmt.Errorf("subject %q takes in what Firebreak or the server publishes", subject)
	}
	return nil
}
