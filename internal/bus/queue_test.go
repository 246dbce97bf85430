package bus

import (
	"context"
	"errors"
	"testing"
	"time"
)

// What a taker that died held is due again; what was given back until later
// keeps nothing else from being taken; what was acknowledged is gone; and the
// name survives a restart.
func TestQueue(t *testing.T) {
	ctx, dir := within(t), t.TempDir()
	b := open(t, dir)
	put := func(b *Bus, key string) {
		t.Helper()
		if _, err := b.Create(ctx, SubjectOutbox("ops", "a", key), []byte(key)); err != nil {
			t.Fatal(err)
		}
	}
	queue := func(b *Bus) *Queue {
		t.Helper()
		q, err := b.Queue(ctx, Outbox, "notify-ops", "out.ops.>", 200*time.Millisecond)
		if err != nil {
			t.Fatal(err)
		}
		return q
	}
	takes := func(q *Queue, want string) Delivery {
		t.Helper()
		d, err := q.Take(ctx)
		if err != nil || string(d.Data) != want {
			t.Fatalf("took %q, %v; want %q", d.Data, err, want)
		}
		return d
	}
	q := queue(b)
	put(b, "1")
	put(b, "2")
	if _, err := b.Create(ctx, SubjectOutbox("ops", "a", "1"), nil); !errors.Is(err, ErrExists) {
		t.Errorf("the same again: %v", err)
	}
	first, err := b.First(ctx, SubjectOutbox("ops", "a", "*"))
	if err != nil || string(first.Data) != "1" {
		t.Errorf("the first is %q, %v", first.Data, err)
	}
	if got, err := b.Subjects(ctx, "out.>"); err != nil || len(got) != 2 {
		t.Errorf("%v, %v", got, err)
	}
	if err := takes(q, "1").Retry(time.Hour); err != nil {
		t.Fatal(err)
	}
	takes(q, "2") // and dies
	d := takes(q, "2")
	for want := uint64(2); want < 6; want++ {
		// Given back with a delay it is due after that, however often.
		began := time.Now()
		if err := d.Retry(time.Millisecond); err != nil {
			t.Fatal(err)
		}
		if d = takes(q, "2"); d.Attempt != want+1 || time.Since(began) > time.Minute {
			t.Errorf("attempt %d after %s", d.Attempt, time.Since(began))
		}
	}
	if d.Attempt != 6 {
		t.Errorf("attempt %d", d.Attempt)
	} else if err := d.Ack(ctx); err != nil {
		t.Fatal(err)
	}
	waiting, cancel := context.WithTimeout(ctx, 50*time.Millisecond)
	defer cancel()
	if d, err := q.Take(waiting); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("took %q, %v", d.Data, err)
	}
	put(b, "3") // the request that was given up takes nothing with it
	if err := takes(q, "3").Ack(ctx); err != nil {
		t.Fatal(err)
	}
	if err := b.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := q.Take(ctx); !errors.Is(err, ErrClosed) {
		t.Errorf("after the end: %v", err)
	}
	b = open(t, dir)
	q = queue(b)
	put(b, "4")
	takes(q, "4")
	if st, err := b.State(ctx, Outbox); err != nil || st.Messages != 2 {
		t.Errorf("the work queue holds %+v, %v", st, err)
	}
}
