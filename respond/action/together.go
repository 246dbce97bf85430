package action

import (
	"io"
	"sync"
)

// together lets two streams of a command be written into one, each write whole.
type together struct {
	mu sync.Mutex
	w  io.Writer
}

// Write writes all of p.
func (t *together) Write(p []byte) (int, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.w.Write(p)
}
