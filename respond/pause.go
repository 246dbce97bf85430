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

// releaseWithin is how soon the last of those who want to go on must say so
// after the first.
const releaseWithin = 15 * time.Minute

// Pause says who paused, when and why, and who wants it to end.
type Pause struct {
	By     string    `json:"by"`
	Reason string    `json:"reason,omitempty"`
	Time   time.Time `json:"time"`
	// Release are the people who said that it may end, Need how many it takes.
	Release []Release `json:"release,omitempty"`
	Need    int       `json:"need,omitempty"`
}

// Release is one person's word that things may go on.
type Release struct {
	By   string    `json:"by"`
	Time time.Time `json:"time"`
}

// agreed adds a person's word to those that still count, and says whether they
// are enough.
func agreed(before []Release, by string, need int, now time.Time) ([]Release, bool) {
	var all []Release
	for _, r := range before {
		if r.By != by && now.Sub(r.Time) < releaseWithin {
			all = append(all, r)
		}
	}
	all = append(all, Release{By: by, Time: now})
	return all, len(all) >= need
}

// Pause holds back every effect from now on, until [Control.Resume]. Who paused
// first stays the one who did; those who wanted it to end must say so again.
func (c *Control) Pause(ctx context.Context, p Pause) error {
	if p.By == "" {
		return errors.New("pause: nobody is named") // by which a pause is known
	}
	return set(ctx, c.kv, keyPause, func(old Pause) (Pause, error) {
		p.Release = nil
		if old.By != "" {
			p.By, p.Reason, p.Time = old.By, old.Reason, old.Time
		}
		return p, nil
	})
}

// Resume lets effects begin again, once enough people have said so. The pause
// that is given is what is left: one that nobody holds is over.
func (c *Control) Resume(ctx context.Context, by string, now time.Time) (left Pause, err error) {
	if by == "" {
		return left, errors.New("resume: nobody is named")
	}
	return left, set(ctx, c.kv, keyPause, func(old Pause) (Pause, error) {
		all, enough := agreed(old.Release, by, c.need, now)
		if left = old; enough || old.By == "" {
			left = Pause{}
			return left, nil
		}
		left.Release, left.Need = all, c.need
		return left, nil
	})
}

// State is the pause as it is; nobody's is none.
func (c *Control) State(ctx context.Context) (Pause, error) {
	p, _, err := get[Pause](ctx, c.kv, keyPause)
	return p, err
}

// Paused says whether effects are held back, and by whom. An error means that
// it can't be told, which callers take for paused.
func (c *Control) Paused(ctx context.Context) (paused bool, by string, err error) {
	p, err := c.State(ctx)
	return p.By != "", p.By, err
}

// Ceiling is a mode that operators set, below the configured one.
type Ceiling struct {
	Mode   event.Mode `json:"mode"`
	By     string     `json:"by"`
	Reason string     `json:"reason,omitempty"`
	Time   time.Time  `json:"time"`
	// Raise are the people who want it to be To.
	Raise []Release  `json:"raise,omitempty"`
	To    event.Mode `json:"to,omitempty"`
	Need  int        `json:"need,omitempty"`
}

// SetMode sets the ceiling. To lower it takes one person, to raise it as many
// as to end a pause. It is never above the configured one. What is given is how
// it is then.
func (c *Control) SetMode(ctx context.Context, want Ceiling) (now Ceiling, err error) {
	return now, set(ctx, c.kv, keyMode, func(old Ceiling) (Ceiling, error) {
		if old.Mode == "" {
			old.Mode = c.ceiling
		}
		now = want
		if want.Mode == Lower(want.Mode, old.Mode) {
			return now, nil
		}
		if old.To != want.Mode {
			old.Raise = nil
		}
		all, enough := agreed(old.Raise, want.By, c.need, want.Time)
		if !enough {
			now = old
			now.Raise, now.To, now.Need = all, want.Mode, c.need
		}
		return now, nil
	})
}

// Ceiling is the lower of the configured mode and the one that operators set.
func (c *Control) Ceiling(ctx context.Context) (event.Mode, error) {
	m, found, err := get[Ceiling](ctx, c.kv, keyMode)
	if err != nil || !found {
		return c.ceiling, err
	}
	return Lower(c.ceiling, m.Mode), nil
}

// get reads a value of the control bucket.
func get[T any](ctx context.Context, kv *bus.KV, key string) (value T, found bool, err error) {
	value, _, err = revision[T](ctx, kv, key)
	if errors.Is(err, bus.ErrNotFound) {
		return value, false, nil
	}
	return value, err == nil, err
}

func revision[T any](ctx context.Context, kv *bus.KV, key string) (value T, at uint64, err error) {
	data, at, err := kv.Get(ctx, key)
	if err != nil {
		return value, 0, fmt.Errorf("read %s: %w", key, err)
	}
	if err := json.Unmarshal(data, &value); err != nil {
		return value, at, fmt.Errorf("read %s: %w", key, err)
	}
	return value, at, nil
}

// set changes a value of the control bucket by compare-and-set.
func set[T any](ctx context.Context, kv *bus.KV, key string, change func(old T) (T, error)) error {
	for {
		old, at, err := revision[T](ctx, kv, key)
		if err != nil && !errors.Is(err, bus.ErrNotFound) {
			return err
		}
		value, err := change(old)
		if err != nil {
			return err
		}
		data, err := json.Marshal(value)
		if err != nil {
			return fmt.Errorf("write %s: %w", key, err)
		}
		_, err = kv.CompareAndSet(ctx, key, data, at)
		switch {
		case errors.Is(err, bus.ErrConflict):
		case err != nil:
			return fmt.Errorf("write %s: %w", key, err)
		default:
			return nil
		}
	}
}
