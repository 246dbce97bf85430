package console

import (
	"context"
	"io"
	"net"
	"net/http"
	"testing"
	"testing/synctest"
	"time"
)

// TestQuietAnswer: a live answer over HTTP/2, as browsers have it through TLS,
// goes on though nothing is written for longer than a browser may take to read.
func TestQuietAnswer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const pieces = 3
		var only http.Protocols
		only.SetUnencryptedHTTP2(true)
		server := &http.Server{ReadHeaderTimeout: writeWithin, Protocols: &only, Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			l := &liveAnswer{visit: &visit{w: w}, control: http.NewResponseController(w)}
			defer l.within()
			for range pieces {
				if err := l.write("."); err != nil {
					t.Error(err)
				}
				<-time.After(2 * writeWithin)
			}
		})}
		lines := make(pipes)
		go func() { _ = server.Serve(lines) }() // until it is closed
		transport := &http.Transport{Protocols: &only, DialContext: lines.dial}
		req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://page/", http.NoBody)
		if err != nil {
			t.Fatal(err)
		}
		resp, err := transport.RoundTrip(req)
		if err != nil {
			t.Fatal(err)
		}
		text, err := io.ReadAll(resp.Body)
		if err != nil || len(text) != pieces {
			t.Errorf("%q, %v", text, err)
		}
		if err := resp.Body.Close(); err != nil {
			t.Error(err)
		}
		transport.CloseIdleConnections()
		if err := server.Close(); err != nil {
			t.Error(err)
		}
	})
}

// pipes are connections in memory.
type pipes chan net.Conn

func (p pipes) dial(context.Context, string, string) (net.Conn, error) {
	here, there := net.Pipe()
	p <- there
	return here, nil
}

// Accept is the next connection.
func (p pipes) Accept() (net.Conn, error) {
	if c, ok := <-p; ok {
		return c, nil
	}
	return nil, net.ErrClosed
}

// Close ends it.
func (p pipes) Close() error {
	close(p)
	return nil
}

// Addr is of no network.
func (p pipes) Addr() net.Addr { return &net.UnixAddr{} }
