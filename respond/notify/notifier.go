package notify

import (
	"context"
	"errors"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"time"
)

// Notifier sends messages to one receiver. It may be used concurrently.
type Notifier interface {
	// Send sends a message once. It returns when the receiver has said that it
	// has it. A [*Refused] says that sending it again can't help; any other
	// error that it may, and a [*Later] when, for all messages to this receiver.
	Send(ctx context.Context, m Message) error
}

// Refused: the receiver will not take this message, now or later.
type Refused struct{ Err error }

// Error gives the reason.
func (r *Refused) Error() string { return "refused: " + r.Err.Error() }

// Unwrap gives the reason.
func (r *Refused) Unwrap() error { return r.Err }

// Later: the receiver wants nothing for some time.
type Later struct {
	After time.Duration
	Err   error
}

// Error gives the reason.
func (l *Later) Error() string { return l.Err.Error() }

// Unwrap gives the reason.
func (l *Later) Unwrap() error { return l.Err }

// answered says what the status of an answer means: 2xx is taken; 408, 425, 429
// and 5xx may go better later, and are asked when; the rest is refused.
func answered(status int, header http.Header, now time.Time) error {
	if status >= 200 && status <= 299 {
		return nil
	}
	err := errors.New("answered " + strconv.Itoa(status))
	switch {
	case status == http.StatusRequestTimeout, status == http.StatusTooEarly, status == http.StatusTooManyRequests, status >= 500:
		if after := retryAfter(header.Get("Retry-After"), now); after > 0 {
			return &Later{after, err}
		}
		return err
	case status == http.StatusUnauthorized, status == http.StatusForbidden, status == http.StatusNotFound, status == http.StatusProxyAuthRequired,
		status >= 300 && status <= 399:
		// A key that was changed, a path that is not there yet: an operator
		// mends that, and the message is as good as before.
		return err
	}
	return &Refused{err}
}

// retryAfter reads seconds or a date (RFC 9110, 10.2.3).
func retryAfter(text string, now time.Time) time.Duration {
	if n, err := strconv.ParseUint(text, 10, 31); err == nil {
		return time.Duration(n) * time.Second
	}
	if at, err := http.ParseTime(text); err == nil {
		return max(at.Sub(now), 0)
	}
	return 0
}

// hideURL takes the URL out of an error: its path is often a secret.
func hideURL(err error) error {
	var u *url.Error
	if errors.As(err, &u) {
		err = u.Err
	}
	var op *net.OpError
	if errors.As(err, &op) && op.Op == "proxyconnect" {
		return errors.New("the proxy could not be reached")
	}
	return err
}
