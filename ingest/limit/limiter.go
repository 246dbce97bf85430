package limit

import (
	"sync"
	"time"
)

// Limiter holds the bounds of one source. Its methods may be called
// concurrently, and on nil, which lets everything in.
//
// All clients share one pair of buckets, of events and of bytes. While these
// are more than half full anybody may take from them. Below that each client
// lives from its own part of the other half, one of as many parts as there
// are clients: one that floods uses up its part, and leaves the others' alone.
type Limiter struct {
	config Config

	mu      sync.Mutex
	under   int // requests under way
	events  bucket
	bytes   bucket
	clients *clients
}

// New makes the bounds of one source; nil when there are none.
func New(c Config, now time.Time) *Limiter {
	if c.EventsPerSecond == 0 && c.BytesPerSecond == 0 && c.Concurrent == 0 {
		return nil
	}
	if c.Burst == 0 {
		c.Burst = max(1, burstSeconds*c.EventsPerSecond)
	}
	return &Limiter{
		config: c, clients: newClients(),
		events: newBucket(c.EventsPerSecond, c.Burst, now),
		bytes:  newBucket(c.BytesPerSecond, burstSeconds*c.BytesPerSecond, now),
	}
}

// Pass is leave to send one body.
type Pass struct {
	limiter *Limiter
	client  *client
	events  float64
	bytes   float64
}

// Enter asks for leave for a body of a client, of as many bytes as are known
// of it yet. When it is refused, the pass is nil, and wait says when to come
// again. The caller must call [Pass.Leave].
func (l *Limiter) Enter(name string, bytes int64, now time.Time) (pass *Pass, wait time.Duration) {
	if l == nil {
		return nil, 0
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.config.Concurrent > 0 && l.under >= l.config.Concurrent {
		return nil, time.Second
	}
	l.events.fill(now)
	l.bytes.fill(now)
	c := l.clients.get(name, l, now)
	if wait := max(bound(&l.events, &c.events), bound(&l.bytes, &c.bytes)); wait > 0 {
		return nil, wait
	}
	l.under++
	p := &Pass{limiter: l, client: c}
	// Taken at once, so that many that enter together don't all find the same
	// room.
	p.charge(1, float64(max(bytes, 1)))
	return p, 0
}

// bound is how long a client must wait for a bucket of all and its part of it.
// The debt of many small clients is bounded too.
func bound(all, part *bucket) time.Duration {
	switch {
	case plenty(all):
		return 0
	case all.level <= -all.most:
		return max(part.wait(), all.earn(-all.most))
	}
	return part.wait()
}

// plenty says that nobody needs to look at its own part. A bucket without a
// rate is not there.
func plenty(all *bucket) bool { return all.rate == 0 || all.level > all.most/2 }

// Charge says what the body was in the end. It may be called on nil.
func (p *Pass) Charge(events int, bytes int64, now time.Time) {
	if p == nil {
		return
	}
	p.limiter.mu.Lock()
	defer p.limiter.mu.Unlock()
	p.limiter.events.fill(now)
	p.limiter.bytes.fill(now)
	p.charge(max(0, float64(events)-p.events), max(0, float64(bytes)-p.bytes))
}

func (p *Pass) charge(events, bytes float64) {
	p.events, p.bytes = p.events+events, p.bytes+bytes
	take(&p.limiter.events, &p.client.events, events)
	take(&p.limiter.bytes, &p.client.bytes, bytes)
}

// take charges all, and the client's part with what is more than was there for
// anybody.
func take(all, part *bucket, n float64) {
	spare := max(0, all.level-all.most/2)
	all.take(n)
	part.take(max(0, n-spare))
}

// Leave gives the place of a request back. It may be called on nil.
func (p *Pass) Leave() {
	if p == nil {
		return
	}
	p.limiter.mu.Lock()
	defer p.limiter.mu.Unlock()
	p.limiter.under--
}
