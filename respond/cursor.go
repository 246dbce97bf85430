package respond

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"sync"
	"time"

	"github.com/firebreak-io/firebreak/internal/bus"
)

// cursor remembers how far a stream was worked off when its messages are
// worked on side by side: everything up to its position is done with. After a
// crash the rest is read again, at once, and doing it again changes nothing.
// (An acknowledged consumer would hold back what was under way until its
// acknowledgement is overdue: a minute in which nothing is contained.)
type cursor struct {
	kv  *bus.KV
	key string

	mu    sync.Mutex
	last  uint64
	open  map[uint64]bool
	saved uint64
}

func openCursor(ctx context.Context, kv *bus.KV, key string) (*cursor, error) {
	c := &cursor{kv: kv, key: key, open: map[uint64]bool{}}
	data, _, err := kv.Get(ctx, key)
	switch {
	case errors.Is(err, bus.ErrNotFound):
		return c, nil
	case err != nil:
		return nil, fmt.Errorf("read position: %w", err)
	}
	if c.last, err = strconv.ParseUint(string(data), 10, 64); err != nil {
		return nil, fmt.Errorf("read position %s: %w", key, err)
	}
	c.saved = c.last
	return c, nil
}

// begin notes that a message is being worked on; done that it is done with.
// Messages begin in the order of the stream.
func (c *cursor) begin(sequence uint64) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.last = sequence
	c.open[sequence] = true
}

func (c *cursor) done(sequence uint64) {
	c.mu.Lock()
	defer c.mu.Unlock()
	delete(c.open, sequence)
}

// position is the sequence up to which everything is done with.
func (c *cursor) position() uint64 {
	c.mu.Lock()
	defer c.mu.Unlock()
	low := c.last
	for seq := range c.open {
		low = min(low, seq-1)
	}
	return low
}

// keep saves the position every second until ctx ends, and then once more. A
// position that can't be saved only means more to read again.
func (c *cursor) keep(ctx context.Context, failed func(error)) {
	tick := time.NewTicker(time.Second)
	defer tick.Stop()
	for {
		select {
		case <-tick.C:
			c.save(ctx, failed)
		case <-ctx.Done():
			last, cancel := context.WithTimeout(context.WithoutCancel(ctx), time.Second)
			defer cancel()
			c.save(last, failed)
			return
		}
	}
}

func (c *cursor) save(ctx context.Context, failed func(error)) {
	at := c.position()
	if at == c.saved {
		return
	}
	if _, err := c.kv.Put(ctx, c.key, strconv.AppendUint(nil, at, 10)); err != nil {
		failed(fmt.Errorf("save position %s: %w", c.key, err))
		return
	}
	c.saved = at
}
