package respond

import (
	"context"
	"testing"

	"pgregory.net/rapid"
)

// TestCursorProperty: the position is never at or past a message that is not
// done with, and is at the last one when all are.
func TestCursorProperty(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		c := &cursor{open: map[uint64]bool{}}
		var begun []uint64
		open := map[uint64]bool{}
		last := uint64(0)
		for range rapid.IntRange(1, 60).Draw(t, "moves") {
			if rapid.Bool().Draw(t, "begin") || len(begun) == 0 {
				last += uint64(rapid.IntRange(1, 3).Draw(t, "gap"))
				c.begin(last)
				begun, open[last] = append(begun, last), true
			} else {
				i := rapid.IntRange(0, len(begun)-1).Draw(t, "which")
				c.done(begun[i])
				delete(open, begun[i])
			}
			at := c.position()
			for seq := range open {
				if at >= seq {
					t.Fatalf("position %d, and %d is not done with", at, seq)
				}
			}
			if len(open) == 0 && at != last {
				t.Fatalf("position %d, and all up to %d is done with", at, last)
			}
		}
	})
}

func TestCursorIsKept(t *testing.T) {
	r := newRig(t, newCluster(), actBook)
	kv := r.bus.Control()
	failed := func(err error) { t.Error(err) }
	c, err := openCursor(t.Context(), kv, "cursor.test")
	if err != nil || c.position() != 0 {
		t.Fatalf("a new cursor is at %d (%v)", c.position(), err)
	}
	for seq := range uint64(5) {
		c.begin(seq + 1)
	}
	c.done(1)
	c.done(5)
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	c.keep(ended, failed)
	if c, err = openCursor(t.Context(), kv, "cursor.test"); err != nil || c.position() != 1 {
		t.Errorf("read again it is at %d (%v), want 1", c.position(), err)
	}
	if _, err := kv.Put(t.Context(), "cursor.test", []byte("x")); err != nil {
		t.Fatal(err)
	}
	if _, err = openCursor(t.Context(), kv, "cursor.test"); err == nil {
		t.Error("a position that is no number was read")
	}
}
