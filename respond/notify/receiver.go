package notify

import (
	"cmp"
	"errors"
	"fmt"
	"time"
)

// Receiver is one receiver of the config.
type Receiver struct {
	// Name is the operator's, Kind the catalogue's.
	Name, Kind string
	Notifier   Notifier
	Limits     Limits
}

// Receivers are those of the config by their names.
type Receivers map[string]*Receiver

// Limits say how a receiver is treated. The zero value is the defaults. They
// hold for each responder by itself, but Group for all of them together.
type Limits struct {
	// Parallel is how many messages are sent at a time (4), Rate how many a
	// minute (120), Burst how many at once after a silence (20).
	Parallel int
	Rate     float64
	Burst    int
	// Timeout is for one attempt (10 s, at most 15 s), Expire for how long a
	// message matters (24 h).
	Timeout, Expire time.Duration
	// Group is how long after a page others wait to go as one; zero sends each by
	// itself. Then one message is sent at a time.
	Group time.Duration
}

const (
	defaultParallel = 4
	defaultRate     = 120
	defaultBurst    = 20
	defaultTimeout  = 10 * time.Second
	// maxTimeout leaves time to note how it went, before somebody else may take
	// the message.
	maxTimeout    = 15 * time.Second
	defaultExpire = 24 * time.Hour
	maxExpire     = 7 * 24 * time.Hour
)

// Check says what is wrong with limits of the config.
func (l Limits) Check() error {
	var errs []error
	bad := func(is bool, key, format string, args ...any) {
		if is {
			errs = append(errs, fmt.Errorf(key+": "+format, args...))
		}
	}
	bad(l.Parallel < 0 || l.Parallel > 64, "parallel", "%d is not 1 to 64", l.Parallel)
	bad(l.Rate < 0, "rate", "%v is negative", l.Rate)
	bad(l.Burst < 0, "burst", "%d is negative", l.Burst)
	bad(l.Timeout < 0 || l.Timeout > maxTimeout, "timeout", "%s is not over 0 and at most %s", l.Timeout, maxTimeout)
	bad(l.Expire < 0 || l.Expire > maxExpire, "expire", "%s is not over 0 and at most %s", l.Expire, maxExpire)
	bad(l.Group < 0 || l.Group > maxWindow, "group", "%s is not 0 to %s", l.Group, maxWindow)
	return errors.Join(errs...)
}

func (r *Receiver) expire() time.Duration { return cmp.Or(r.Limits.Expire, defaultExpire) }
