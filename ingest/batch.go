package ingest

import (
	"context"
	"errors"
	"fmt"
	"slices"
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

// putTimeout bounds how long a caller waits in which nothing of its events is
// stored, publishTimeout the wait for one frame: who comes behind a frame that a
// hanging server took is told no later for it.
const (
	putTimeout     = 5 * time.Second
	publishTimeout = 4 * time.Second
)

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

// put is one call of Put. Its fields belong to the batcher's lock. It fails as a
// whole with the first of its frames that does.
type put struct {
	// ctx is the caller's, whose span the frame is published under.
	ctx  context.Context
	left int
	err  error
	done chan struct{}
	// moved is when the call began, or the last of its events was stored.
	moved time.Time
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
// is full it waits, but no longer than five seconds without any of them being
// stored. After an error, which may be that of ctx, some of them may be stored:
// put them again, ids make that harmless.
func (b *Batcher) Put(ctx context.Context, events []event.Event) error {
	_, err := b.PutSized(ctx, events)
	return err
}

// PutSized is Put, and says how many bytes the events are as they are stored.
func (b *Batcher) PutSized(ctx context.Context, events []event.Event) (int64, error) {
	if len(events) == 0 {
		return 0, nil
	}
	encoded := make([][]byte, len(events))
	var size int64
	for i := range events {
		data, err := encode(&events[i])
		if err != nil {
			return 0, err
		}
		encoded[i] = data
		size += int64(len(data))
	}
	return size, b.put(ctx, encoded, min(size, b.size))
}

// put stores encoded events, which weigh so much in the queue.
func (b *Batcher) put(ctx context.Context, encoded [][]byte, size int64) error {
	p := &put{ctx: ctx, left: len(encoded), done: make(chan struct{}), moved: time.Now()}
	if err := b.enter(ctx, size); err != nil {
		return err
	}
	if err := b.enqueue(p, encoded); err != nil {
		b.room.Release(size)
		return err
	}
	err := b.wait(ctx, p)
	if err == nil {
		b.room.Release(size)
		return p.err
	}
	// What is under way keeps its weight until it is over.
	b.giveUp(p, err)
	go func() { <-p.done; b.room.Release(size) }()
	return fmt.Errorf("store events: %w", err)
}

// enter waits until there is room in the queue.
func (b *Batcher) enter(ctx context.Context, size int64) error {
	ctx, cancel := context.WithTimeout(ctx, putTimeout)
	defer cancel()
	if err := b.room.Acquire(ctx, size); err != nil {
		return fmt.Errorf("store events: queue is full: %w", err)
	}
	return nil
}

// errSlow ends a call that waited too long.
var errSlow = fmt.Errorf("nothing was stored for %s", putTimeout)

// wait returns nil when the call is done, whatever came of it.
func (b *Batcher) wait(ctx context.Context, p *put) error {
	late := time.NewTimer(b.patience(p))
	defer late.Stop()
	for {
		select {
		case <-p.done:
			return nil
		case <-ctx.Done():
			return ctx.Err()
		case <-late.C:
			rest := b.patience(p)
			if rest <= 0 {
				return errSlow
			}
			late.Reset(rest)
		}
	}
}

// patience is how much longer the call may wait.
func (b *Batcher) patience(p *put) time.Duration {
	b.mu.Lock()
	defer b.mu.Unlock()
	return putTimeout - time.Since(p.moved)
}

// giveUp takes those events of a call that are not under way yet out of the
// queue: its caller is told to send them again.
func (b *Batcher) giveUp(p *put, err error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if p.err == nil {
		p.err = err
	}
	b.drop()
}

// drop takes the events of calls that failed out of the queue.
func (b *Batcher) drop() {
	b.pending = slices.DeleteFunc(b.pending, func(e entry) bool {
		failed := e.put.err != nil
		if failed {
			e.put.settle(nil)
		}
		return failed
	})
}

func (b *Batcher) enqueue(p *put, encoded [][]byte) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.stopped {
		return ErrStopped
	}
	for _, data := range encoded {
		b.pending = append(b.pending, entry{data, p})
	}
	select {
	case b.wake <- struct{}{}:
	default:
	}
	return nil
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
	now := time.Now()
	for i := range frame {
		p := frame[i].put
		frame[i] = entry{}
		p.moved = now
		p.settle(err)
	}
	if err != nil {
		b.drop()
	}
}

// settle notes what became of one event.
func (p *put) settle(err error) {
	if p.err == nil {
		p.err = err
	}
	if p.left--; p.left == 0 {
		close(p.done)
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
