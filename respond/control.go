package respond

import (
	"github.com/firebreak-io/firebreak/internal/bus"
	"github.com/firebreak-io/firebreak/internal/event"
)

// The keys of the control bucket.
const (
	keyPause = "pause"
	keyMode  = "mode"
	keyLease = "lease"
)

// Control is the operators' state, kept in the CTL bucket and read before each
// effect. It may be used concurrently.
type Control struct {
	kv        *bus.KV
	snapshots *bus.Snapshots
	// ceiling is the configured one, which holds unless operators set a lower.
	ceiling event.Mode
	// need is how many people it takes to end a pause or to raise the ceiling.
	need int
}

// NewControl reads and writes the control bucket; ceiling is the configured
// mode that no playbook exceeds. It takes one person to stop and one to let go
// on, unless [Control.Needs] says otherwise.
func NewControl(b *bus.Bus, ceiling event.Mode) *Control {
	return &Control{kv: b.Control(), snapshots: b.Snapshots(), ceiling: ceiling, need: 1}
}

// Needs says how many different people it takes to end a pause or to raise the
// ceiling. One may always stop. It is called before the control is used.
func (c *Control) Needs(people int) *Control {
	c.need = max(people, 1)
	return c
}

// Lower is the more careful of two modes; an unknown one counts as observe.
func Lower(a, b event.Mode) event.Mode {
	if modeRank(b) < modeRank(a) {
		a = b
	}
	if modeRank(a) == 0 {
		return event.ModeObserve
	}
	return a
}

// modeRank is higher the more a mode lets be done.
func modeRank(m event.Mode) int {
	return map[event.Mode]int{event.ModeAsk: 1, event.ModeAct: 2}[m]
}
