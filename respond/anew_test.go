package respond

import (
	"strings"
	"testing"

	"github.com/firebreak-io/firebreak/internal/event"
)

// TestAResponderBeginsAnew: what can't be read when a responder begins does not
// end it, and once it can be it works.
func TestAResponderBeginsAnew(t *testing.T) {
	r := newRig(t, newCluster("a"), actBook)
	if _, err := r.bus.Control().Put(t.Context(), "cursor.findings", []byte("no number")); err != nil {
		t.Fatal(err)
	}
	r.start()
	r.until("it fails", func() bool {
		r.log.mu.Lock()
		defer r.log.mu.Unlock()
		return strings.Contains(r.log.text.String(), "the responder begins anew")
	})
	if r.worker.Ready(t.Context()) == nil {
		t.Error("it says that it is ready")
	}
	if _, err := r.bus.Control().Put(t.Context(), "cursor.findings", []byte("0")); err != nil {
		t.Fatal(err)
	}
	r.publish(finding("shell", "a", 1))
	r.until("it works", r.all(1, event.RunHolding))
}
