package console

import (
	"net"
	"net/http"
	"sync"
	"time"

	"golang.org/x/time/rate"
)

// How often somebody may try to sign in: a few at once, then one each few
// seconds, from one address and from all together.
const (
	loginEvery, loginBurst = 6 * time.Second, 10
	allEvery, allBurst     = 200 * time.Millisecond, 100
	maxAddresses           = 4096
)

// pace bounds how often people try to sign in. It may be used concurrently.
type pace struct {
	now func() time.Time
	mu  sync.Mutex
	all *rate.Limiter
	by  map[string]*rate.Limiter
}

func newPace(now func() time.Time) *pace {
	return &pace{now: now, all: rate.NewLimiter(rate.Every(allEvery), allBurst), by: map[string]*rate.Limiter{}}
}

// allow says whether a client may try now. Behind a proxy all clients are one,
// which is why the address's burst is not small.
func (p *pace) allow(r *http.Request) bool {
	host, _, err := net.SplitHostPort(r.RemoteAddr)
	if err != nil {
		host = r.RemoteAddr
	}
	now := p.now()
	p.mu.Lock()
	defer p.mu.Unlock()
	l := p.by[host]
	if l == nil {
		if len(p.by) >= maxAddresses {
			clear(p.by) // the bound of all together goes on
		}
		l = rate.NewLimiter(rate.Every(loginEvery), loginBurst)
		p.by[host] = l
	}
	return l.AllowN(now, 1) && p.all.AllowN(now, 1)
}
