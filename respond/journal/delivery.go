package journal

import (
	"fmt"

	"github.com/firebreak-io/firebreak/internal/event"
)

// Delivery says in words how a message to people fared.
func Delivery(d event.Delivery) string {
	what := clean(d.Step, 100)
	if what == "" {
		what = clean(d.Op, 20)
	}
	line := fmt.Sprintf("%s to %s is %s", what, clean(d.Receiver, 63), word(d.State))
	if d.Attempts > 1 {
		line += fmt.Sprintf(" after %d attempts", d.Attempts)
	}
	if d.Error != "" {
		line += ": " + clean(d.Error, 300)
	}
	if !d.Next.IsZero() {
		line += ", again at " + d.Next.UTC().Format("15:04:05")
	}
	return line
}
