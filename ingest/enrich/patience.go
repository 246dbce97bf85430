package enrich

import (
	"context"
	"sync"
	"time"

	"golang.org/x/time/rate"

	"github.com/firebreak-io/firebreak/internal/event"
)

// The bounds of waiting: so many calls at once, then one a second; no longer
// for a pod that was waited for in vain; and not for what happened long ago.
// Names that nobody has, however many, cost no more than that.
const (
	maxWaits   = 8
	waitEvery  = time.Second
	vainFor    = 30 * time.Second
	maxVain    = 4096
	maxWaitAge = 30 * time.Second
)

// patience says for what it is worth waiting.
type patience struct {
	wait  time.Duration
	now   func() time.Time
	limit *rate.Limiter

	mu   sync.Mutex
	vain map[string]time.Time
}

func newPatience(wait time.Duration, now func() time.Time) *patience {
	return &patience{wait: wait, now: now, limit: rate.NewLimiter(rate.Every(waitEvery), maxWaits), vain: map[string]time.Time{}}
}

// until tries the open events again whenever the index changes, until all are
// known or the time is over.
func (p *patience) until(ctx context.Context, x Index, open []*event.Event, try func(*event.Event) bool) {
	open = p.worth(open)
	if len(open) == 0 || !p.limit.AllowN(p.now(), 1) {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, p.wait)
	defer cancel()
	for {
		// Asked for before trying, so that no change is missed in between.
		changed := x.Changed()
		rest := open[:0]
		for _, e := range open {
			if !try(e) {
				rest = append(rest, e)
			}
		}
		if open = rest; len(open) == 0 {
			return
		}
		select {
		case <-changed:
		case <-ctx.Done():
			p.note(open)
			return
		}
	}
}

// worth are the events that waiting may help.
func (p *patience) worth(open []*event.Event) []*event.Event {
	if p.wait <= 0 || len(open) == 0 {
		return nil
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	now := p.now()
	var worth []*event.Event
	for _, e := range open {
		if at, known := p.vain[key(e)]; known && now.Sub(at) < vainFor || now.Sub(happened(e)) > maxWaitAge {
			continue
		}
		worth = append(worth, e)
	}
	return worth
}

// note keeps what was waited for in vain.
func (p *patience) note(open []*event.Event) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, e := range open {
		if len(p.vain) >= maxVain {
			clear(p.vain)
		}
		p.vain[key(e)] = p.now()
	}
}

// key names the pod that an event needs.
func key(e *event.Event) string {
	if id := e.Object.ContainerID; id != "" {
		return id
	}
	return e.Object.Namespace + "/" + e.Object.Name
}
