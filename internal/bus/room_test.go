package bus

import (
	"context"
	"errors"
	"slices"
	"testing"

	"pgregory.net/rapid"
)

const frameBytes = 10_000

func small(t testing.TB) *Bus {
	t.Helper()
	b, err := Open(context.Background(), Options{Dir: t.TempDir(), MaxEventBytes: 40 * frameBytes})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { b.Close() })
	return b
}

// A full stream drops what was read, and nothing else; with nothing read it
// takes nothing more.
func TestRoomIsMadeOfWhatWasRead(t *testing.T) {
	ctx, b := within(t), small(t)
	fill := func() (stored uint64) {
		t.Helper()
		for {
			sequence, err := b.Publish(ctx, SubjectEvents, make([]byte, frameBytes))
			if errors.Is(err, ErrUnread) {
				return stored
			}
			if err != nil {
				t.Fatal(err)
			}
			if stored = sequence; stored > 200 {
				return stored
			}
		}
	}
	last := fill()
	if last < 30 || last > 40 {
		t.Fatalf("%d frames fit", last)
	}
	if p, err := b.Progress(ctx); err != nil || p.First != 1 || p.Last != last || p.Read != 0 || p.MaxBytes != 40*frameBytes {
		t.Errorf("%+v, %v", p, err)
	}
	if err := b.SetRead(ctx, "fast", 30); err != nil {
		t.Fatal(err)
	}
	if err := b.SetRead(ctx, "slow", 10); err != nil {
		t.Fatal(err)
	}
	if got := fill(); got != last+10 {
		t.Errorf("%d frames were stored after 10 were read", got-last)
	}
	if p, err := b.Progress(ctx); err != nil || p.First != 11 || p.Read != 10 {
		t.Errorf("%+v, %v", p, err)
	}
	if got, err := b.Readers(ctx); err != nil || !slices.Equal(got, []ReadBy{{"fast", 30}, {"slow", 10}}) {
		t.Errorf("readers %v, %v", got, err)
	}
	if err := b.ForgetReader(ctx, "slow"); err != nil {
		t.Fatal(err)
	}
	if got, err := b.Readers(ctx); err != nil || !slices.Equal(got, []ReadBy{{"fast", 30}}) {
		t.Errorf("readers %v, %v", got, err)
	}
	if got := fill(); got != last+30 {
		t.Errorf("up to %d was stored, 30 were read", got)
	}
	// Another stream is not concerned.
	if _, err := b.Create(ctx, SubjectRun("r"), []byte("one")); err != nil {
		t.Error(err)
	}
	// A reader that is ahead of a stream made anew has read nothing of it.
	if err := b.SetRead(ctx, "fast", 1_000_000); err != nil {
		t.Fatal(err)
	}
	if p, err := b.Progress(ctx); err != nil || p.Read != 0 {
		t.Errorf("%+v, %v", p, err)
	}
}

// In whatever order frames come and are read, the first unread frame is there.
// The stream goes on from one check to the next.
func TestUnreadStays(t *testing.T) {
	ctx, b := within(t), small(t)
	read, last := uint64(0), uint64(0)
	rapid.Check(t, func(r *rapid.T) {
		for range 10 {
			sequence, err := b.Publish(ctx, SubjectEvents, make([]byte, rapid.IntRange(1, 5*frameBytes).Draw(r, "bytes")))
			if err == nil {
				last = sequence
			} else if !errors.Is(err, ErrUnread) {
				r.Fatal(err)
			}
			if p, err := b.Progress(ctx); err != nil || p.First > read+1 || p.Bytes > p.MaxBytes || p.Last != last {
				r.Fatalf("read up to %d: %+v, %v", read, p, err)
			}
		}
		read = rapid.Uint64Range(read, last).Draw(r, "read")
		if err := b.SetRead(ctx, "detect", read); err != nil {
			r.Fatal(err)
		}
	})
}
