package service

import (
	"bufio"
	"io"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// pipes is a listener in memory, so that time can be the test's own.
type pipes struct {
	conns chan net.Conn
	done  chan struct{}
}

func newPipes() *pipes { return &pipes{make(chan net.Conn), make(chan struct{})} }

func (p *pipes) Accept() (net.Conn, error) {
	select {
	case c := <-p.conns:
		return c, nil
	case <-p.done:
		return nil, net.ErrClosed
	}
}

func (p *pipes) Close() error   { close(p.done); return nil }
func (p *pipes) Addr() net.Addr { return &net.TCPAddr{} }

// dial gives the client's end of a connection.
func (p *pipes) dial() net.Conn {
	client, server := net.Pipe()
	p.conns <- server
	return client
}

// inMemory serves a handler that reads the whole body.
func inMemory(t *testing.T, test func(p *pipes)) {
	synctest.Test(t, func(t *testing.T) {
		p := newPipes()
		server := newServer(slog.New(slog.DiscardHandler), http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if _, err := io.Copy(io.Discard, r.Body); err != nil {
				w.WriteHeader(http.StatusRequestTimeout)
			}
		}))
		ended := make(chan error, 1)
		go func() { ended <- server.Serve(p) }()
		test(p)
		server.Close()
		<-ended
		<-time.After(time.Second) // the server waits for its last word to arrive
	})
}

// A client that sends a byte now and then does not keep its connection.
func TestSlowClient(t *testing.T) {
	for name, c := range map[string]struct {
		first, drop string
		every, most time.Duration
	}{
		"nothing":      {"", "", time.Second, headerTimeout},
		"slow header":  {"POST / HTTP/1.1\r\nHost: a\r\nX-A: ", "a", time.Second, headerTimeout},
		"slow body":    {"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 100000\r\n\r\n", "a", time.Second, readTimeout},
		"slow chunks":  {"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n", "1\r\na\r\n", time.Second, readTimeout},
		"slow preface": {"PRI * HTTP/2.0\r\n\r\nSM\r\n", "", time.Second, headerTimeout},
		"idle after 1": {"GET / HTTP/1.1\r\nHost: a\r\n\r\n", "", time.Second, idleTimeout},
	} {
		t.Run(name, func(t *testing.T) {
			inMemory(t, func(p *pipes) {
				conn := p.dial()
				defer conn.Close()
				began := time.Now()
				closed := make(chan struct{})
				go func() { _, _ = io.Copy(io.Discard, conn); close(closed) }()
				var writer sync.WaitGroup
				writer.Go(func() {
					_, err := io.WriteString(conn, c.first)
					for err == nil && c.drop != "" {
						<-time.After(c.every)
						_, err = io.WriteString(conn, c.drop)
					}
				})
				<-closed
				if took := time.Since(began); took > c.most+2*time.Second {
					t.Errorf("the connection was closed after %v", took)
				}
				conn.Close()
				writer.Wait()
			})
		})
	}
}

func TestHugeHeader(t *testing.T) {
	inMemory(t, func(p *pipes) {
		conn := p.dial()
		defer conn.Close()
		go func() {
			_, _ = io.WriteString(conn, "POST / HTTP/1.1\r\nHost: a\r\nX-A: "+strings.Repeat("a", 64<<10)+"\r\n\r\n")
		}()
		resp, err := http.ReadResponse(bufio.NewReader(conn), nil)
		if err != nil {
			t.Fatal(err)
		}
		defer resp.Body.Close()
		if resp.StatusCode != http.StatusRequestHeaderFieldsTooLarge {
			t.Errorf("status %d", resp.StatusCode)
		}
	})
}

// fromHost is a connection that says where it comes from.
type fromHost struct {
	net.Conn
	host string
}

func (c fromHost) RemoteAddr() net.Addr { return &net.TCPAddr{IP: net.ParseIP(c.host), Port: 1} }

// One address gets so many connections, others get theirs all the same, and a
// closed one makes room once.
func TestPerClient(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPipes()
		defer p.Close()
		l := perClient(p, 2)
		accepted := make(chan net.Conn)
		go func() {
			for {
				c, err := l.Accept()
				if err != nil {
					return
				}
				accepted <- c
			}
		}()
		var ends []net.Conn
		dial := func(host string) net.Conn {
			client, server := net.Pipe()
			ends = append(ends, client)
			p.conns <- fromHost{server, host}
			synctest.Wait()
			select {
			case c := <-accepted:
				return c
			default:
				return nil
			}
		}
		defer func() {
			for _, c := range ends {
				c.Close()
			}
		}()
		a, b := dial("192.0.2.1"), dial("192.0.2.1")
		if a == nil || b == nil {
			t.Fatal("the first two were not accepted")
		}
		if dial("192.0.2.1") != nil {
			t.Error("the third of an address was accepted")
		}
		if dial("192.0.2.2") == nil {
			t.Error("another address was not accepted")
		}
		a.Close()
		a.Close()
		if dial("192.0.2.1") == nil {
			t.Error("a closed connection made no room")
		}
		if dial("192.0.2.1") != nil {
			t.Error("a connection that was closed twice made room twice")
		}
	})
}
