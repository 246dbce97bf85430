package respond

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

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
	kv *bus.KV
	// ceiling is the configured one, which holds unless operators set a lower.
	ceiling event.Mode
}

// NewControl reads and writes the control bucket; ceiling is the configured
// mode that no playbook exceeds.
func NewControl(b *bus.Bus, ceiling event.Mode) *Control {
	return &Control{kv: b.Control(), ceiling: ceiling}
}

// Pause says who paused, when and why.
type Pause struct {
	By     string    `json:"by"`
	Reason string    `json:"reason,omitempty"`
	Time   time.Time `json:"time"`
}

// Pause holds back every effect from now on, until [Control.Resume].
func (c *Control) Pause(ctx context.Context, p Pause) error {
	if p.By == "" {
		return errors.New("pause: nobody is named") // by which a pause is known
	}
	data, err := json.Marshal(p)
	if err != nil {
		return fmt.Errorf("pause: %w", err)
	}
	if _, err := c.kv.Put(ctx, keyPause, data); err != nil {
		return fmt.Errorf("pause: %w", err)
	}
	return nil
}

// Resume lets effects begin again.
func (c *Control) Resume(ctx context.Context) error {
	if _, err := c.kv.Put(ctx, keyPause, []byte("{}")); err != nil {
		return fmt.Errorf("resume: %w", err)
	}
	return nil
}

// Paused says whether effects are held back, and by whom. An error means that
// it can't be told, which callers take for paused.
func (c *Control) Paused(ctx context.Context) (paused bool, by string, err error) {
	data, _, err := c.kv.Get(ctx, keyPause)
	if errors.Is(err, bus.ErrNotFound) {
		return false, "", nil
	}
	if err != nil {
		return false, "", fmt.Errorf("read pause: %w", err)
	}
	var p Pause
	if err := json.Unmarshal(data, &p); err != nil {
		return false, "", fmt.Errorf("read pause: %w", err)
	}
	return p.By != "", p.By, nil
}

// Ceiling is the lower of the configured mode and the one that operators set.
func (c *Control) Ceiling(ctx context.Context) (event.Mode, error) {
	data, _, err := c.kv.Get(ctx, keyMode)
	if errors.Is(err, bus.ErrNotFound) {
		return c.ceiling, nil
	}
	if err != nil {
		return "", fmt.Errorf("read mode: %w", err)
	}
	return Lower(c.ceiling, event.Mode(data)), nil
}

// Lower is the more careful of two modes; an unknown one counts as observe.
func Lower(a, b event.Mode) event.Mode {
	rank := map[event.Mode]int{event.ModeAsk: 1, event.ModeAct: 2}
	if rank[b] < rank[a] {
		a = b
	}
	if rank[a] == 0 {
		return event.ModeObserve
	}
	return a
}
