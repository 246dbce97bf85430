package respond

import (
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"testing"
	"time"

	"github.com/firebreak-io/firebreak/internal/event"
	"github.com/firebreak-io/firebreak/internal/telemetry"
	"github.com/firebreak-io/firebreak/respond/action"
	"github.com/firebreak-io/firebreak/respond/guard"
)

// several starts n responders over the rig's store, and gives the function that
// stops each: kindly, which lets its lease go, or as a process that is gone.
func (r *rig) several(n int) (workers []*Worker, stop []func(kindly bool)) {
	r.t.Helper()
	for range n {
		w, err := NewWorker(r.t.Context(), WorkerOptions{
			Bus: r.bus, Books: r.books, Control: r.control, Telemetry: telemetry.Nop(), Logger: slog.New(slog.NewTextHandler(&r.log, nil)),
			Executor: &Executor{
				Deps:   action.Deps{Cluster: r.cluster, Logger: slog.New(slog.DiscardHandler)},
				Guards: guard.New(guard.Options{Control: r.control, Cluster: r.cluster}),
			},
		})
		if err != nil {
			r.t.Fatal(err)
		}
		ctx, cancel := context.WithCancel(r.t.Context())
		over := make(chan error, 1)
		go func() { over <- w.Run(ctx) }()
		ended := false
		end := func(kindly bool) {
			if ended {
				return
			}
			ended = true
			if !kindly {
				w.lease.mu.Lock()
				w.lease.revision = 0 // so that it has nothing to let go
				w.lease.mu.Unlock()
			}
			cancel()
			if err := <-over; err != nil && !errors.Is(err, context.Canceled) {
				r.t.Error(err)
			}
		}
		r.t.Cleanup(func() { end(true) })
		workers, stop = append(workers, w), append(stop, end)
	}
	return workers, stop
}

func active(workers []*Worker) int {
	at := -1
	for i, w := range workers {
		if w.Active() {
			if at >= 0 {
				return -2 // two
			}
			at = i
		}
	}
	return at
}

// TestLeaseAwayIsSaidOnce: while the lease can't be read that is said once, however
// often it is tried, and so is that it can be read again.
func TestLeaseAwayIsSaidOnce(t *testing.T) {
	r := newRig(t, newCluster("a"), actBook)
	kv := r.bus.Control()
	if _, err := kv.Put(t.Context(), keyLease, []byte("no lease")); err != nil {
		t.Fatal(err)
	}
	workers, _ := r.several(1)
	r.until("it is said", func() bool { return r.said("the lease can't be read") > 0 })
	select {
	case <-time.After(4 * leasePoll): // in which it is tried again
	case <-t.Context().Done():
	}
	held := leaseRecord{Epoch: 7, Holder: "another", Since: time.Now()}
	data, err := json.Marshal(held)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := kv.Put(t.Context(), keyLease, data); err != nil {
		t.Fatal(err)
	}
	r.until("it is said that it can be read", func() bool { return r.said("the lease can be read again") == 1 })
	r.until("it is taken when nobody renews it", func() bool { return active(workers) == 0 })
	if n := r.said("the lease can't be read"); n != 1 {
		t.Errorf("it was said %d times", n)
	}
}

// TestStandbyTakesOver: of three one is active. When it is gone another goes on
// within five seconds, and at once when it let go.
func TestStandbyTakesOver(t *testing.T) {
	r := newRig(t, newCluster("a", "b", "c"), actBook)
	workers, stop := r.several(3)
	for i, pod := range []string{"a", "b", "c"} {
		r.publish(finding("shell", pod, i))
		r.until("the run holds", func() bool { return len(r.in(event.RunHolding)) == i+1 })
		if i == 2 {
			break
		}
		// Which one that is can change where the machine stands still for seconds.
		at := -1
		r.until("one is active", func() bool { at = active(workers); return at >= 0 })
		kindly, began := i == 0, time.Now()
		stop[at](kindly)
		r.until("another is active", func() bool { next := active(workers); return next >= 0 && next != at })
		took := time.Since(began)
		t.Logf("taken over after %s (kindly %v)", took.Round(time.Millisecond), kindly)
		if took > time.Minute { // five seconds, where the machine is not overloaded
			t.Errorf("taken over after %s", took)
		}
	}
	epochs := map[uint64]bool{}
	for _, run := range r.runs() {
		epochs[run.Epoch] = true
	}
	if len(epochs) != 3 {
		t.Errorf("epochs are %v, want one for each term", epochs)
	}
	r.chained()
}

// TestLeaseLost: one whose lease was taken stops, and stands by.
func TestLeaseLost(t *testing.T) {
	r := newRig(t, newCluster("a"), actBook)
	workers, _ := r.several(1)
	r.until("it is active", func() bool { return active(workers) == 0 })
	thief := &lease{kv: r.bus.Control(), clock: time.Now}
	var epoch uint64
	for stands := false; !stands; { // again if the thief loses it in turn before that was seen
		thief.alone = true // it does not wait
		var err error
		if epoch, err = thief.take(t.Context(), slog.New(slog.DiscardHandler)); err != nil {
			t.Fatal(err)
		}
		thief.alone = false
		ctx, stop := context.WithCancel(t.Context())
		over := make(chan error, 1)
		go func() { over <- thief.hold(ctx) }()
		r.until("it stands by", func() bool {
			stands = !workers[0].Active() && workers[0].Ready(t.Context()) == nil
			return stands || len(over) > 0
		})
		stop()
		<-over
	}
	r.until("it has the lease again", func() bool { return workers[0].Active() && workers[0].log.Epoch() > epoch })
}
