package ingest

import (
	"context"
	"net/http"

	"golang.org/x/sync/semaphore"

	"github.com/firebreak-io/firebreak/internal/telemetry"
)

// gate bounds what is in work at a time: bytes of bodies, and those that wait,
// of one source and of all; and decodes.
type gate struct {
	own, all *room
	decodes  *semaphore.Weighted
}

// newGate makes the gate of one source beside the others. It may fill three
// quarters of what there is for all, so that bodies which come slowly, or
// without end, leave room for another source's.
func newGate(all *room, decodes *semaphore.Weighted) *gate {
	return &gate{own: newRoom(all.size/4*3, maxWaiting/2), all: all, decodes: decodes}
}

// enter waits for room for n bytes, not for long and not with too many. The
// caller must call release.
func (g *gate) enter(ctx context.Context, n int64) (release func(), err error) {
	ctx, cancel := context.WithTimeout(ctx, waitTimeout)
	defer cancel()
	n = min(n, g.own.size)
	if err := g.own.enter(ctx, n); err != nil {
		return nil, err
	}
	if err := g.all.enter(ctx, n); err != nil {
		g.own.bytes.Release(n)
		return nil, err
	}
	return func() { g.all.bytes.Release(n); g.own.bytes.Release(n) }, nil
}

// room is for so many bytes, and for so many that wait for some.
type room struct {
	bytes   *semaphore.Weighted
	size    int64
	waiting chan struct{}
}

func newRoom(size int64, waiting int) *room {
	return &room{bytes: semaphore.NewWeighted(size), size: size, waiting: make(chan struct{}, waiting)}
}

func (r *room) enter(ctx context.Context, n int64) error {
	if r.bytes.TryAcquire(n) {
		return nil
	}
	select {
	case r.waiting <- struct{}{}:
		defer func() { <-r.waiting }()
	default:
		return errBusy()
	}
	if err := r.bytes.Acquire(ctx, n); err != nil {
		return errBusy()
	}
	return nil
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
