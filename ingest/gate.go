package ingest

import (
	"context"
	"net/http"
	"runtime"
	"strings"
	"sync"

	"golang.org/x/sync/semaphore"

	"github.com/firebreak-io/firebreak/internal/telemetry"
)

// gates are what bounds what is in work of all sources at a time.
type gates struct {
	// bodies is for the bytes of bodies, events for those of what was decoded
	// and is not on disk yet.
	bodies, events *room
	decodes        *semaphore.Weighted
	drains         drains
}

const (
	// maxHeld is how many bytes of events, about, may wait for the disk.
	maxHeld = 48 << 20
	// maxDecoded is how many bytes of bodies may be decoded at a time: of
	// small ones as many as there are processors and one more, of the largest
	// one, since each step of decoding may take as much again.
	maxDecoded = 16 << 20
)

func newGates(budget int64) *gates {
	return &gates{
		bodies: newRoom(budget, maxWaiting), events: newRoom(maxHeld, maxWaiting),
		decodes: semaphore.NewWeighted(maxDecoded), drains: newDrains(),
	}
}

// gate is the same of one source beside the others. It may fill three quarters
// of what there is for all, so that bodies which come slowly, or without end,
// leave room for another source's.
type gate struct {
	all                  *gates
	ownBodies, ownEvents *room
}

func newGate(all *gates) *gate {
	return &gate{all, newRoom(all.bodies.size/4*3, maxWaiting/2), newRoom(all.events.size/4*3, maxWaiting/2)}
}

// enter waits for room for a body of n bytes, not for long and not with too
// many. The caller must call release.
func (g *gate) enter(ctx context.Context, n int64) (release func(), err error) {
	return enterBoth(ctx, g.ownBodies, g.all.bodies, n)
}

// hold is enter for events of n bytes.
func (g *gate) hold(ctx context.Context, n int64) (release func(), err error) {
	return enterBoth(ctx, g.ownEvents, g.all.events, n)
}

func enterBoth(ctx context.Context, own, all *room, n int64) (release func(), err error) {
	ctx, cancel := context.WithTimeout(ctx, waitTimeout)
	defer cancel()
	n = min(n, own.size)
	if err := own.enter(ctx, n); err != nil {
		return nil, err
	}
	if err := all.enter(ctx, n); err != nil {
		own.bytes.Release(n)
		return nil, err
	}
	return func() { all.bytes.Release(n); own.bytes.Release(n) }, nil
}

// decode waits until a body of n bytes may be decoded, not for long. The
// function that it gives ends that, and may be called more than once.
func (g *gate) decode(ctx context.Context, n int64) (leave func(), err error) {
	ctx, cancel := context.WithTimeout(ctx, waitTimeout)
	defer cancel()
	n = min(max(n, maxDecoded/int64(runtime.GOMAXPROCS(0)+1)), maxDecoded)
	if err := g.all.decodes.Acquire(ctx, n); err != nil {
		return func() {}, errBusy()
	}
	return sync.OnceFunc(func() { g.all.decodes.Release(n) }), nil
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
	switch encoding := req.Header.Get("Content-Encoding"); {
	case strings.EqualFold(encoding, "zstd"):
		return 2 * most // as it came, and what it gives
	case req.ContentLength < 0 || req.ContentLength > most || encoding != "":
		return most
	}
	return max(req.ContentLength, 1)
}
