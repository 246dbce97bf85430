package ingest

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"golang.org/x/sync/semaphore"

	"github.com/firebreak-io/firebreak/internal/event"
	"github.com/firebreak-io/firebreak/internal/telemetry"
)

// ErrStopped says that the batcher runs no more.
var ErrStopped = errors.New("batcher has stopped")

// Subject of the EVENTS stream.
const subjectEvents = "ev"

// defaultQueue is how many bytes of events may wait.
const defaultQueue = 32 << 20

// publishTimeout bounds the wait for one frame.
const publishTimeout = 10 * time.Second

// Batcher puts events into frames and publishes them, one frame at a time:
// while one is on its way to the disk others gather for the next, so that
// many callers share the cost of one sync. Nothing waits when nothing else is
// under way. It is safe for concurrent use.
type Batcher struct {
	store Store
	room  *semaphore.Weighted // bytes
	size  int64

	mu      sync.Mutex
	pending []entry
	wake    chan struct{}
	stopped bool
}

// entry is one event that waits.
type entry struct {
	data []byte
	put  *put
}

// put is one call of Put. Its fields belong to the batcher's lock.
type put struct {
	// ctx is the caller's, whose span the frame is published under.
	ctx  context.Context
	left int
	err  error
	done chan struct{}
}

// NewBatcher makes a batcher over a store. The queue is the most bytes of
// events that may wait; 0 means 32 MiB. Nothing is stored until [Batcher.Run]
// runs.
func NewBatcher(store Store, queue int64) *Batcher {
	if queue <= 0 {
		queue = defaultQueue
	}
	return &Batcher{store: store, room: semaphore.NewWeighted(queue), size: queue, wake: make(chan struct{}, 1)}
}

// Put stores events and returns when all of them are on disk. While the queue
// is full it waits. After an error, which may be that of ctx, some of them
// may be stored, or be stored later: put them again, ids make that harmless.
func (b *Batcher) Put(ctx context.Context, events []event.Event) error {
	if len(events) == 0 {
		return nil
	}
	encoded := make([][]byte, len(events))
	var size int64
	for i := range events {
		data, err := encode(&events[i])
		if err != nil {
			return err
		}
		encoded[i] = data
		size += int64(len(data))
	}
	size = min(size, b.size)
	if err := b.room.Acquire(ctx, size); err != nil {
		return fmt.Errorf("store events: queue is full: %w", err)
	}
	p, err := b.enqueue(ctx, encoded)
	if err != nil {
		b.room.Release(size)
		return err
	}
	select {
	case <-p.done:
		b.room.Release(size)
		return p.err
	case <-ctx.Done():
		// The events stay in the queue, and so does their weight.
		go func() { <-p.done; b.room.Release(size) }()
		return fmt.Errorf("store events: %w", ctx.Err())
	}
}

func (b *Batcher) enqueue(ctx context.Context, encoded [][]byte) (*put, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.stopped {
		return nil, ErrStopped
	}
	p := &put{ctx: ctx, left: len(encoded), done: make(chan struct{})}
	for _, data := range encoded {
		b.pending = append(b.pending, entry{data, p})
	}
	select {
	case b.wake <- struct{}{}:
	default:
	}
	return p, nil
}

// Run publishes until ctx ends; then it fails what still waits, and returns
// nil. It must be called once.
func (b *Batcher) Run(ctx context.Context) error {
	defer b.stop()
	for {
		frame := b.take()
		if frame == nil {
			select {
			case <-b.wake:
				continue
			case <-ctx.Done():
				return nil
			}
		}
		err := b.publish(ctx, frame)
		if err != nil && ctx.Err() != nil {
			err = ErrStopped
		}
		b.settle(frame, err)
	}
}

// take removes the entries of the next frame from the queue.
func (b *Batcher) take() []entry {
	b.mu.Lock()
	defer b.mu.Unlock()
	n, size := 0, 0
	for n < len(b.pending) && n < event.MaxFrameEvents {
		size += len(b.pending[n].data)
		if n > 0 && size > event.MaxFrameBytes {
			break
		}
		n++
	}
	if n == 0 {
		b.pending = nil
		return nil
	}
	frame := b.pending[:n:n]
	b.pending = b.pending[n:]
	return frame
}

func (b *Batcher) publish(ctx context.Context, frame []entry) error {
	ctx, cancel := context.WithTimeout(ctx, publishTimeout)
	defer cancel()
	// A frame has one trace: that of the caller who waited longest.
	ctx = telemetry.Follow(ctx, frame[0].put.ctx)
	encoded := make([][]byte, len(frame))
	for i := range frame {
		encoded[i] = frame[i].data
	}
	if _, err := b.store.Publish(ctx, subjectEvents, event.EncodeFrame(encoded)); err != nil {
		return fmt.Errorf("store events: %w", err)
	}
	return nil
}

// settle answers those whose last event was in the frame.
func (b *Batcher) settle(frame []entry, err error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for i := range frame {
		p := frame[i].put
		frame[i] = entry{}
		if p.err == nil {
			p.err = err
		}
		if p.left--; p.left == 0 {
			close(p.done)
		}
	}
}

func (b *Batcher) stop() {
	b.mu.Lock()
	b.stopped = true
	rest := b.pending
	b.pending = nil
	b.mu.Unlock()
	b.settle(rest, ErrStopped)
}
