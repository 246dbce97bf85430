package service

import (
	"context"
	"math"
	"runtime/debug"
	"testing"
	"testing/synctest"
)

func TestMemoryLimit(t *testing.T) {
	for _, c := range []struct {
		live       uint64
		most, want int64
	}{
		{0, math.MaxInt64, 256 << 20}, {100 << 20, math.MaxInt64, 256 << 20}, {400 << 20, math.MaxInt64, 600 << 20},
		{400 << 20, 500 << 20, 500 << 20}, {0, 64 << 20, 64 << 20},
	} {
		if got := memoryLimit(c.live, c.most); got != c.want {
			t.Errorf("%d in use of %d: %d, want %d", c.live, c.most, got, c.want)
		}
	}
}

// TestKeepSmall: how much garbage lies is the service's own, but for who set GOGC, and
// only while it runs.
func TestKeepSmall(t *testing.T) {
	percent := func() int {
		now := debug.SetGCPercent(100)
		debug.SetGCPercent(now)
		return now
	}
	for gogc, want := range map[string]int{"": garbage, "50": 50} {
		t.Setenv("GOGC", gogc)
		defer debug.SetGCPercent(debug.SetGCPercent(50))
		synctest.Test(t, func(t *testing.T) {
			ctx, cancel := context.WithCancel(t.Context())
			done := make(chan error)
			go func() { done <- keepSmall(ctx) }()
			synctest.Wait()
			if got := percent(); got != want {
				t.Errorf("GOGC %q: %d percent, want %d", gogc, got, want)
			}
			cancel()
			if err := <-done; err != nil || percent() != 50 {
				t.Errorf("GOGC %q: it ends with %v and %d percent, want 50 again", gogc, err, percent())
			}
		})
	}
}
