//go:build linux

package torture

import (
	"context"
	"sync"
)

// pace says how many events may be sent by now, so that the load lasts as long as the kills do.
type pace struct {
	mu             sync.Mutex
	allowed, taken int
	accepted       int
	refused        int
	moved          chan struct{} // closed and made anew at each move
}

func newPace() *pace { return &pace{moved: make(chan struct{})} }

func (p *pace) move(change func()) {
	p.mu.Lock()
	defer p.mu.Unlock()
	change()
	close(p.moved)
	p.moved = make(chan struct{})
}

// allow lets events be sent, up to n in all.
func (p *pace) allow(n int) { p.move(func() { p.allowed = max(p.allowed, n) }) }

// accept notes that events were answered with 200.
func (p *pace) accept(n int) { p.move(func() { p.accepted += n }) }

// refuse notes that a body was refused, and is to come again.
func (p *pace) refuse() { p.move(func() { p.refused++ }) }

// told is how many bodies were refused.
func (p *pace) told() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.refused
}

// take waits until something may be sent, and gives at most n; 0 when ctx is done.
func (p *pace) take(ctx context.Context, n int) int {
	for {
		p.mu.Lock()
		got, moved := min(n, p.allowed-p.taken), p.moved
		if got > 0 {
			p.taken += got
			p.mu.Unlock()
			return got
		}
		p.mu.Unlock()
		select {
		case <-moved:
		case <-ctx.Done():
			return 0
		}
	}
}

// done is how many were accepted.
func (p *pace) done() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.accepted
}

// rest is how many may still be taken.
func (p *pace) rest() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.allowed - p.taken
}

// close lets nothing more be sent, and says how many were.
func (p *pace) close() (taken int) {
	p.move(func() { p.allowed = p.taken; taken = p.taken })
	return taken
}
