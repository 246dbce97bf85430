package journal

import (
	"testing"
	"time"

	"github.com/firebreak-io/firebreak/internal/event"
)

func TestDelivery(t *testing.T) {
	at := time.Date(2026, 3, 4, 12, 0, 0, 0, time.UTC)
	for _, c := range []struct {
		d    event.Delivery
		want string
	}{
		{event.Delivery{Receiver: "ops", Step: "tell", State: event.DeliveryQueued}, "tell to ops is queued"},
		{event.Delivery{Receiver: "ops", Op: "resolve", State: event.DeliveryDelivered, Attempts: 1}, "resolve to ops is delivered"},
		{
			event.Delivery{Receiver: "ops", Step: "tell", State: event.DeliveryRetrying, Attempts: 3, Error: "answered\n503", Next: at},
			"tell to ops is retrying after 3 attempts: answered 503, again at 12:00:00",
		},
	} {
		if got := Delivery(c.d); got != c.want {
			t.Errorf("%q, want %q", got, c.want)
		}
	}
}
