package wait

import (
	"testing"
	"testing/synctest"
	"time"
)

// TestWithin: what comes in time is seen soon after it came, what comes late is
// not waited for, and what holds already needs no time.
func TestWithin(t *testing.T) {
	for name, c := range map[string]struct {
		after, until time.Duration // -1: never
		ok           bool
	}{
		"at once":        {0, 0, true},
		"soon":           {5 * time.Millisecond, 7 * time.Millisecond, true},
		"after a minute": {time.Minute, time.Minute + 200*time.Millisecond, true},
		"never":          {-1, Patience, false},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				began, asked := time.Now(), 0
				ok := Within(Patience, func() bool {
					asked++
					return c.after >= 0 && time.Since(began) >= c.after
				})
				if took := time.Since(began); ok != c.ok || took < c.after || took > c.until {
					t.Errorf("held %v after %s; want %v within %s", ok, took, c.ok, c.until)
				}
				if asked > 1500 {
					t.Errorf("asked %d times", asked)
				}
			})
		})
	}
}
