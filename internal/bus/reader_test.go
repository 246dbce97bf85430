package bus

import (
	"fmt"
	"testing"
	"time"
)

func TestReaderResumesFromSequence(t *testing.T) {
	ctx, dir := within(t), t.TempDir()
	b := open(t, dir)
	const n = 200
	fill(t, b, 1, n)
	r, err := b.Read(ctx, Events, 0)
	if err != nil {
		t.Fatal(err)
	}
	expect(t, r, 1, 150)
	if lag, err := r.Pending(ctx); err != nil || lag != n-150 || r.Position() != 150 {
		t.Errorf("lag %d at %d, %v", lag, r.Position(), err)
	}
	r.Close(ctx)
	b.Close()

	b = open(t, dir)
	if r, err = b.Read(ctx, Events, 151); err != nil {
		t.Fatal(err)
	}
	expect(t, r, 151, n)
	fill(t, b, n+1, n+10)
	expect(t, r, n+1, n+10)
	if r.Missed() != 0 {
		t.Errorf("missed %d", r.Missed())
	}
}

func TestReaderCountsWhatIsGone(t *testing.T) {
	ctx, dir := within(t), t.TempDir()
	b := open(t, dir)
	fill(t, b, 1, 10)
	s, err := b.js.Stream(ctx, string(Events))
	if err != nil {
		t.Fatal(err)
	}
	for _, seq := range []uint64{1, 2, 3, 7} {
		if err := s.DeleteMsg(ctx, seq); err != nil {
			t.Fatal(err)
		}
	}
	r, err := b.Read(ctx, Events, 1)
	if err != nil {
		t.Fatal(err)
	}
	for range 6 {
		if _, err := r.Next(ctx); err != nil {
			t.Fatal(err)
		}
	}
	if r.Missed() != 4 || r.Position() != 10 {
		t.Errorf("missed %d at %d", r.Missed(), r.Position())
	}
}

// TestReaderSurvivesItsConsumer takes the consumer away, as an external
// server does when it restarts.
func TestReaderSurvivesItsConsumer(t *testing.T) {
	ctx := within(t)
	b := open(t, t.TempDir())
	fill(t, b, 1, 200)
	r, err := b.Read(ctx, Events, 1)
	if err != nil {
		t.Fatal(err)
	}
	next := 1
	for range 3 {
		// More than travels ahead, so that the reader meets the loss.
		expect(t, r, next, next+2*prefetch-1)
		next += 2 * prefetch
		s, err := b.stream(Events)
		if err != nil {
			t.Fatal(err)
		}
		if err := s.DeleteConsumer(ctx, r.consumer.CachedInfo().Name); err != nil {
			t.Fatal(err)
		}
	}
	expect(t, r, next, 200)
	fill(t, b, 201, 210)
	expect(t, r, 201, 210)
}

func fill(t testing.TB, b *Bus, from, to int) {
	t.Helper()
	for i := from; i <= to; i++ {
		if _, err := b.Publish(within(t), SubjectEvents, fmt.Append(nil, i)); err != nil {
			t.Fatal(err)
		}
	}
}

// expect reads the numbers from to to, each once and in order.
func expect(t testing.TB, r *Reader, from, to int) {
	t.Helper()
	for i := from; i <= to; i++ {
		m, err := r.Next(within(t))
		if err != nil {
			t.Fatal(err)
		}
		if string(m.Data) != fmt.Sprint(i) || m.Sequence != uint64(i) || time.Since(m.Time) > 10*time.Minute {
			t.Fatalf("got %s at %d (%s), want %d", m.Data, m.Sequence, m.Time, i)
		}
	}
}
