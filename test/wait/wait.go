// Package wait waits in tests for what something else brings about.
package wait

import (
	"testing"
	"time"
)

// Patience is how long a test waits for what has to come. No machine is so slow:
// only what hangs takes so long.
const Patience = 4 * time.Minute

// Until waits for a condition, and fails the test, whose goroutine has to call it,
// when it does not hold within [Patience]. What says what was waited for, after
// "until".
func Until(t testing.TB, what string, ok func() bool) {
	t.Helper()
	if !Within(Patience, ok) {
		t.Fatalf("waited %s in vain until %s", Patience, what)
	}
}

// Within says whether a condition came to hold within a time. It is asked at
// first every millisecond, and the less often the longer it takes, so that what
// is dear to ask for takes no more than a tenth of the time; at least every 200 ms.
func Within(patience time.Duration, ok func() bool) bool {
	for began := time.Now(); !ok(); {
		waited := time.Since(began)
		if waited >= patience {
			return false
		}
		<-time.After(min(max(waited/10, time.Millisecond), 200*time.Millisecond, patience-waited))
	}
	return true
}
