package console

import (
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"testing"
	"time"

	"github.com/firebreak-io/firebreak/internal/bus"
)

// behind puts a proxy with TLS of its own in front of the page, as an ingress
// is; from then on browsers go through it.
func (r *rig) behind() *httptest.Server {
	r.t.Helper()
	target, err := url.Parse(r.server.URL)
	if err != nil {
		r.t.Fatal(err)
	}
	front := httptest.NewTLSServer(&httputil.ReverseProxy{Transport: r.server.Client().Transport, Rewrite: func(p *httputil.ProxyRequest) {
		p.SetURL(target)
		p.Out.Host = p.In.Host // the name that people know, which their forms come from
	}})
	r.t.Cleanup(front.Close)
	r.server = front
	return front
}

// TestThroughProxy: through a proxy people sign in and say things, and live
// answers come at once, show that they are there while nothing changes, go on
// where they broke off, are bounded for each person, and end with the token.
func TestThroughProxy(t *testing.T) {
	r := newRig(t)
	r.fill("")
	r.page.beat, r.page.recheck = 50*time.Millisecond, 50*time.Millisecond
	r.live()
	front := r.behind()
	bob, ann := r.as("bob"), r.as("ann")
	if status, text := ann.send(Root+"incidents/"+incidentID+"/acknowledge", url.Values{}); status != http.StatusOK || len(r.house.heard) != 1 {
		t.Errorf("%d %s", status, text)
	}
	live := bob.follow("all", "")
	live.want("hello {}")
	for live.lines.Scan() && live.lines.Text() != ": still here" {
		continue // an end of the answer ends this too, and the next line says so
	}
	r.put(bus.SubjectRun(runID), sampleRun(""))
	waits, holds := told1("run", runID, "Run fedcba987654 is awaiting approval"), told1("run", runID, "Run fedcba987654 is holding")
	at := live.want(waits)
	front.CloseClientConnections()
	if text, _ := live.next(); text != "over" {
		t.Fatalf("the connection is cut, and it says %s", text)
	}
	r.until("the page knows that nobody listens", func() bool {
		r.page.hub.mu.Lock()
		defer r.page.hub.mu.Unlock()
		return len(r.page.hub.subs) == 0
	})
	r.put(bus.SubjectRun(runID), heldRun(""))
	again := bob.follow("all", at)
	again.want("hello {}")
	again.want(holds)
	for range maxLiveOne - 1 {
		bob.follow("all", "").want("hello {}")
	}
	if s := bob.follow("all", ""); s.resp.StatusCode != http.StatusServiceUnavailable || s.resp.Header.Get("Retry-After") == "" {
		t.Errorf("one more than the bound: %d %v", s.resp.StatusCode, s.resp.Header)
	}
	ann.follow("all", "").want("hello {}")
	r.cluster.forget("token-bob")
	r.pass(believed + time.Second)
	again.want("end {}")
	if text, _ := again.next(); text != "over" {
		t.Errorf("after its end it says %s", text)
	}
}
