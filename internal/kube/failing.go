package kube

import (
	"net/http"
	"sync"
	"sync/atomic"
	"time"
)

// failing counts requests to the API server and how many failed, by the second,
// over the last minute. The zero value is ready.
type failing struct {
	mu      sync.Mutex
	seconds [60]second
}

type second struct {
	at          int64
	all, failed int
}

func (f *failing) count(now time.Time, failed bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	at := now.Unix()
	s := &f.seconds[at%int64(len(f.seconds))]
	if s.at != at {
		*s = second{at: at}
	}
	s.all++
	if failed {
		s.failed++
	}
}

func (f *failing) share(now time.Time) (float64, int) {
	f.mu.Lock()
	defer f.mu.Unlock()
	all, failed := 0, 0
	for _, s := range f.seconds {
		if age := now.Unix() - s.at; age >= 0 && age < int64(len(f.seconds)) {
			all, failed = all+s.all, failed+s.failed
		}
	}
	if all == 0 {
		return 0, 0
	}
	return float64(failed) / float64(all), all
}

// counting is a transport that counts. A request failed when no answer came, or
// one of 500 and above, or that the server has too much to do. What others brought
// to the cluster says nothing of the API server, and is not counted.
type counting struct {
	next http.RoundTripper
	to   *failing
	// away is set to when a read got no answer, or that the server is not there, in
	// Unix nanoseconds.
	away *atomic.Int64
}

func (c counting) RoundTrip(r *http.Request) (*http.Response, error) {
	resp, err := c.next.RoundTrip(r)
	// A request that was given up by us says nothing of the server.
	if (err == nil || r.Context().Err() == nil) && !foreignPath(r.URL.Path) {
		if r.Method == http.MethodGet && (err != nil || resp.StatusCode == http.StatusServiceUnavailable) {
			c.away.Store(time.Now().UnixNano())
		}
		c.to.count(time.Now(), err != nil || resp.StatusCode >= 500 || resp.StatusCode == http.StatusTooManyRequests)
	}
	return resp, err
}

// Errors is the share of this client's requests that failed within the last
// minute, and how many requests there were.
func (c *Client) Errors() (share float64, requests int) { return c.failing.share(time.Now()) }
