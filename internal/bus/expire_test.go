package bus

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"
)

// TestExpire: what is old enough goes, although the stream forbids to delete and to
// purge; the bound is gone afterwards, also one that a killed process left.
func TestExpire(t *testing.T) {
	dir := t.TempDir()
	b := open(t, dir)
	for i := range 3 {
		if _, err := b.Create(t.Context(), SubjectRun(fmt.Sprint(i)), nil); err != nil {
			t.Fatal(err)
		}
	}
	<-time.After(150 * time.Millisecond) // the least age that the server bounds
	// It gives up after a second, which a slow disk may take.
	var err error
	for begun := time.Now(); time.Since(begun) < 4*time.Minute; {
		if err = b.Expire(t.Context(), Runs, time.Now(), 0); err == nil || !errors.Is(err, context.DeadlineExceeded) {
			break
		}
	}
	if err != nil {
		t.Fatal(err)
	}
	if s, err := b.State(t.Context(), Runs); err != nil || s.Messages != 0 || s.Last != 3 {
		t.Errorf("the stream has %+v, %v", s, err)
	}
	if err := b.Expire(t.Context(), Runs, time.Now().Add(time.Hour), 0); err == nil {
		t.Error("what is not over yet was dropped")
	}
	age := func(b *Bus) time.Duration {
		s, err := b.js.Stream(t.Context(), string(Runs))
		if err != nil {
			t.Fatal(err)
		}
		return s.CachedInfo().Config.MaxAge
	}
	if got := age(b); got != 0 {
		t.Errorf("a bound of %s is left", got)
	}
	for _, again := range []func(){
		func() {
			if err := b.Unbounded(t.Context(), Runs); err != nil {
				t.Fatal(err)
			}
		},
		func() {
			if err := b.Close(); err != nil {
				t.Fatal(err)
			}
			b = open(t, dir)
		},
	} {
		if err := b.setAge(t.Context(), Runs, time.Hour); err != nil {
			t.Fatal(err)
		}
		if again(); age(b) != 0 {
			t.Errorf("a bound of %s is left", age(b))
		}
	}
}
