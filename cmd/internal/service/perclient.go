package service

import (
	"net"
	"sync"
)

// perClient closes the connections of an address that has too many: one
// client that opens all it can must not keep the others out.
func perClient(inner net.Listener, most int) net.Listener {
	return &perClientListener{Listener: inner, most: most, open: map[string]int{}}
}

type perClientListener struct {
	net.Listener
	most int

	mu   sync.Mutex
	open map[string]int // by address, those with a connection alone
}

// Accept gives the next connection that is not too many.
func (l *perClientListener) Accept() (net.Conn, error) {
	for {
		conn, err := l.Listener.Accept()
		if err != nil {
			return nil, err
		}
		host, _, err := net.SplitHostPort(conn.RemoteAddr().String())
		if err != nil {
			host = conn.RemoteAddr().String()
		}
		if l.enter(host) {
			return &countedConn{Conn: conn, leave: sync.OnceFunc(func() { l.leave(host) })}, nil
		}
		_ = conn.Close() // there is nothing to lose on it
	}
}

func (l *perClientListener) enter(host string) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.open[host] >= l.most {
		return false
	}
	l.open[host]++
	return true
}

func (l *perClientListener) leave(host string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.open[host]--; l.open[host] <= 0 {
		delete(l.open, host)
	}
}

type countedConn struct {
	net.Conn
	leave func()
}

// Close also gives the place back.
func (c *countedConn) Close() error {
	c.leave()
	return c.Conn.Close()
}
