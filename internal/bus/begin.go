package bus

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"net"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
)

// minBegin and maxBegin are how long it is waited before a server is asked again for
// what somebody begins with.
const minBegin, maxBegin = 250 * time.Millisecond, 15 * time.Second

// beginnings are those that wait for a server's answer, by what they are, and why.
// The zero value is ready. It may be used concurrently.
type beginnings struct {
	mu   sync.Mutex
	wait map[string]error
}

func (s *beginnings) note(what string, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.wait == nil {
		s.wait = map[string]error{}
	}
	if s.wait[what] = err; err == nil {
		delete(s.wait, what)
	}
}

// pending names them; nil is none.
func (s *beginnings) pending() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, what := range slices.Sorted(maps.Keys(s.wait)) {
		return fmt.Errorf("waits for NATS to %s: %w", what, s.wait[what])
	}
	return nil
}

// Begin does what a part of the service begins with. With [Options.Patient] it does so
// again, for as long as the server gives no answer or can't give one: a server that
// starts or is restarted beside the service is no reason for it to end. That is
// logged once, and [Bus.Healthy] says it meanwhile. What waiting does not mend (a
// denied request, a wrong config) is returned at once, as is the end of ctx. What says
// what is begun, after "to".
func (b *Bus) Begin(ctx context.Context, what string, do func(context.Context) error) error {
	if !b.opts.Patient {
		return do(ctx)
	}
	return b.begins.again(ctx, b.opts.Logger, what, do, func(err error) bool {
		return b.closed.Load() || !passing(err) || b.conn != nil && errors.Is(b.conn.LastError(), nats.ErrPermissionViolation)
	})
}

// again does something until it is done, or lasting says that it never will be.
func (s *beginnings) again(ctx context.Context, logger *slog.Logger, what string, do func(context.Context) error, lasting func(error) bool) error {
	defer s.note(what, nil)
	for wait, said := minBegin, false; ; wait = min(2*wait, maxBegin) {
		err := do(ctx)
		switch {
		case err == nil:
			if said {
				logger.InfoContext(ctx, "NATS has answered", "to", what)
			}
			return nil
		case ctx.Err() != nil || lasting(err):
			return err
		}
		s.note(what, err)
		if !said {
			logger.WarnContext(ctx, "NATS gives no answer; asking until it does", "to", what, "error", err)
		}
		said = true
		if pause(ctx, wait) != nil {
			return fmt.Errorf("%w: %w", ctx.Err(), err)
		}
	}
}

// passingErrors are those of a server that is away, starts, or has no leader yet.
var passingErrors = []error{
	context.DeadlineExceeded, nats.ErrTimeout, nats.ErrNoResponders, nats.ErrNoServers, nats.ErrDisconnected, nats.ErrConnectionReconnecting,
	nats.ErrReconnectBufExceeded, nats.ErrStaleConnection, errDown, io.EOF, io.ErrUnexpectedEOF,
}

// passing says whether an error may be another one, or none, in a while.
func passing(err error) bool {
	var api *jetstream.APIError
	if errors.As(err, &api) {
		return api.Code >= 500 && api.ErrorCode != jetstream.JSErrCodeJetStreamNotEnabledForAccount
	}
	var op *net.OpError
	if errors.As(err, &op) {
		// A client that has no certificate of the server's liking is told so by TLS.
		return !strings.HasPrefix(op.Op, "remote error")
	}
	return slices.ContainsFunc(passingErrors, func(e error) bool { return errors.Is(err, e) })
}
