package workspace

import (
	"fmt"
	"net/http"
	"net/http/httptest"
)

// Direct makes a workspace that only [Server.Client] reaches, without a network:
// a call is carried out where it is made, so that a test can be on a virtual
// clock. It has no Socket Mode.
func Direct(channel string, members ...Member) *Server {
	s := newServer(channel, members...)
	s.base, s.client = "http://slack.test", &http.Client{Transport: direct{s}}
	return s
}

// direct carries calls to the server.
type direct struct{ server *Server }

// RoundTrip answers a call. A server that panics has hung up, as one of net/http
// has.
func (d direct) RoundTrip(r *http.Request) (answer *http.Response, err error) {
	defer func() {
		if why := recover(); why != nil {
			answer, err = nil, fmt.Errorf("connection reset: %v", why)
		}
	}()
	if err := r.Context().Err(); err != nil {
		return nil, err
	}
	w := httptest.NewRecorder()
	d.server.serve(w, r)
	answer = w.Result()
	answer.Request = r
	return answer, nil
}
