package ingest

import (
	"context"
	"net/http"

	"golang.org/x/sync/semaphore"

	"github.com/firebreak-io/firebreak/internal/telemetry"
)

// gate bounds what is in work at a time, over all sources: bytes of bodies,
// decodes, and those that wait.
type gate struct {
	bytes   *semaphore.Weighted
	size    int64
	waiting chan struct{}
	decodes *semaphore.Weighted
}

// enter waits for room for n bytes, not for long and not with too many. The
// caller must call release.
func (g *gate) enter(ctx context.Context, n int64) (release func(), err error) {
	n = min(n, g.size)
	if g.bytes.TryAcquire(n) {
		return func() { g.bytes.Release(n) }, nil
	}
	select {
	case g.waiting <- struct{}{}:
		defer func() { <-g.waiting }()
	default:
		return nil, errBusy()
	}
	ctx, cancel := context.WithTimeout(ctx, waitTimeout)
	defer cancel()
	if err := g.bytes.Acquire(ctx, n); err != nil {
		return nil, errBusy()
	}
	return func() { g.bytes.Release(n) }, nil
}

func errBusy() error {
	return &refusal{
		status: http.StatusServiceUnavailable, class: telemetry.ReasonOverload, reason: "too much to do, try again", after: retryStore,
	}
}

// weight is how many bytes a body may take: what the client says where that
// can be relied on, else the most that is allowed.
func weight(req *http.Request, most int64) int64 {
	if req.ContentLength < 0 || req.ContentLength > most || req.Header.Get("Content-Encoding") != "" {
		return most
	}
	return max(req.ContentLength, 1)
}
