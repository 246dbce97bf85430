package notify

import (
	"context"
	"sync"
	"time"
)

// pace lets so many messages a second go, and a burst after a silence. A place
// that was not used can be given back, which golang.org/x/time/rate can't do
// once its time has come.
type pace struct {
	every time.Duration
	burst time.Duration

	mu sync.Mutex
	// next is when the next place is free; a burst lies before it.
	next time.Time
}

func newPace(perSecond float64, burst int) *pace {
	every := time.Duration(float64(time.Second) / perSecond)
	return &pace{every: every, burst: time.Duration(max(burst, 1)-1) * every}
}

// wait takes a place, and waits for its time.
func (p *pace) wait(ctx context.Context) error {
	p.mu.Lock()
	now := time.Now()
	if idle := now.Add(-p.burst); p.next.Before(idle) {
		p.next = idle
	}
	at := p.next
	p.next = at.Add(p.every)
	p.mu.Unlock()
	if wait := at.Sub(now); wait > 0 {
		return sleep(ctx, wait)
	}
	return ctx.Err()
}

// back gives a place back.
func (p *pace) back() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.next = p.next.Add(-p.every)
}
