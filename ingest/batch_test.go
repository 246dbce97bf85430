package ingest

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/firebreak-io/firebreak/internal/event"
)

func someEvents(n int, prefix string) []event.Event {
	events := make([]event.Event, n)
	for i := range events {
		events[i] = event.Event{ID: fmt.Sprintf("%s%d", prefix, i), Source: event.SourceFalco, Message: strings.Repeat("x", 100)}
	}
	return events
}

// While one frame is on its way, others gather: many callers share few syncs.
func TestBatcherGathers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := &fakeStore{slow: 10 * time.Millisecond}
		b := NewBatcher(store, 0)
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		go b.Run(ctx)
		began := time.Now()
		var wg sync.WaitGroup
		for i := range 300 {
			wg.Go(func() {
				if err := b.Put(ctx, someEvents(1, fmt.Sprintf("%d-", i))); err != nil {
					t.Error(err)
				}
			})
		}
		wg.Wait()
		if got := len(store.events()); got != 300 {
			t.Errorf("%d events stored", got)
		}
		if len(store.frames) > 3 || time.Since(began) > 30*time.Millisecond {
			t.Errorf("%d frames in %v", len(store.frames), time.Since(began))
		}
	})
}

func TestBatcherKeepsBoundsAndOrder(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := &fakeStore{}
		b := NewBatcher(store, 0)
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		go b.Run(ctx)
		if err := b.Put(ctx, someEvents(3000, "e")); err != nil {
			t.Fatal(err)
		}
		for _, f := range store.frames {
			events, _ := event.DecodeFrame(f)
			if len(events) > event.MaxFrameEvents || len(f) > event.MaxFrameBytes+4*len(events)+1 {
				t.Errorf("frame of %d events, %d bytes", len(events), len(f))
			}
		}
		for i, e := range store.events() {
			if e.ID != fmt.Sprintf("e%d", i) {
				t.Fatalf("event %d is %s", i, e.ID)
			}
		}
	})
}

func TestBatcherTellsFaults(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		down := errors.New("down")
		store := &fakeStore{err: down}
		b := NewBatcher(store, 0)
		ctx, cancel := context.WithCancel(t.Context())
		go b.Run(ctx)
		if err := b.Put(ctx, someEvents(2, "a")); !errors.Is(err, down) {
			t.Errorf("got %v", err)
		}
		store.fail(nil)
		if err := b.Put(ctx, someEvents(2, "b")); err != nil {
			t.Errorf("after recovery: %v", err)
		}
		cancel()
		synctest.Wait()
		if err := b.Put(t.Context(), someEvents(1, "c")); !errors.Is(err, ErrStopped) {
			t.Errorf("after stop: %v", err)
		}
	})
}

// A full queue holds callers back, and lets them go when there is room.
func TestBatcherPushesBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := &fakeStore{slow: 300 * time.Millisecond}
		b := NewBatcher(store, 1000)
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		go b.Run(ctx)
		var wg sync.WaitGroup
		for i := range 8 {
			wg.Go(func() {
				if err := b.Put(ctx, someEvents(3, fmt.Sprint(i))); err != nil {
					t.Error(err)
				}
			})
		}
		short, stop := context.WithTimeout(ctx, 100*time.Millisecond)
		defer stop()
		synctest.Wait()
		if err := b.Put(short, someEvents(3, "x")); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("a full queue took more: %v", err)
		}
		wg.Wait()
		if got := len(store.events()); got != 24 {
			t.Errorf("%d events stored", got)
		}
	})
}

// A store that hangs is told of in time, also to those who came behind others,
// and what they gave up is not stored behind their backs.
func TestBatcherTellsInTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := &fakeStore{slow: time.Hour}
		b := NewBatcher(store, 0)
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		go b.Run(ctx)
		var wg sync.WaitGroup
		for i := range 30 {
			wg.Go(func() {
				time.Sleep(time.Duration(i) * 300 * time.Millisecond) //nolint:forbidigo // the bubble's clock
				began := time.Now()
				err := b.Put(ctx, someEvents(2*event.MaxFrameEvents, fmt.Sprintf("%d-", i)))
				if took := time.Since(began); err == nil || took > putTimeout {
					t.Errorf("got %v after %v", err, took)
				}
			})
		}
		wg.Wait()
		synctest.Wait()
		b.mu.Lock()
		if n := len(b.pending); n > event.MaxFrameEvents {
			t.Errorf("%d events wait that nobody waits for", n)
		}
		b.mu.Unlock()
		time.Sleep(publishTimeout) //nolint:forbidigo // the bubble's clock
		synctest.Wait()
		if !b.room.TryAcquire(b.size) {
			t.Error("the queue is not empty again")
		}
		b.room.Release(b.size)
		store.mu.Lock()
		store.slow = 0
		store.mu.Unlock()
		if err := b.Put(ctx, someEvents(1, "z")); err != nil {
			t.Error(err)
		}
		if got := len(store.events()); got != 1 {
			t.Errorf("%d events are stored, want the last one", got)
		}
	})
}

// A body of many frames may take longer than a sender waits for one: it goes on
// as long as something of it is stored.
func TestBatcherWaitsWhileItMoves(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := &fakeStore{slow: publishTimeout - time.Second}
		b := NewBatcher(store, 0)
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		go b.Run(ctx)
		if err := b.Put(ctx, someEvents(4*event.MaxFrameEvents, "e")); err != nil {
			t.Error(err)
		}
	})
}
