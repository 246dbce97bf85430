// Package wire is the way between two programs of a test: it can be cut, and it
// can keep what is on it.
package wire

import (
	"io"
	"net"
	"sync"
	"testing"
)

// Wire takes connections and carries them to a target. It may be used
// concurrently.
type Wire struct {
	// Address is where it listens, on loopback.
	Address string

	target string
	carry  func(client, server net.Conn)
	// pass is held for writing while nothing is passed on.
	pass sync.RWMutex

	mu    sync.Mutex
	cut   bool
	held  bool
	conns map[net.Conn]bool
}

// New makes a wire to the target, until the test ends. Carry takes a connection
// from one side to the other until one of them ends, and need not close them;
// nil copies all bytes.
func New(t testing.TB, target string, carry func(client, server net.Conn)) *Wire {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	w := &Wire{Address: l.Addr().String(), target: target, carry: carry, conns: map[net.Conn]bool{}}
	if carry == nil {
		w.carry = w.copy
	}
	t.Cleanup(func() {
		_ = l.Close()
		w.Cut()
		w.Release()
	})
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go w.take(c)
		}
	}()
	return w
}

// Cut ends all connections, and lets none come about until [Wire.Mend].
func (w *Wire) Cut() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.cut = true
	for c := range w.conns {
		_ = c.Close()
	}
	clear(w.conns)
}

// Mend lets connections come about again.
func (w *Wire) Mend() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.cut = false
}

// Hold keeps what is sent either way until [Wire.Release], while connections
// stay: nobody can tell that the other is away. It is for wires that copy.
func (w *Wire) Hold() {
	w.mu.Lock()
	defer w.mu.Unlock()
	if !w.held {
		w.held = true
		w.pass.Lock()
	}
}

// Release lets go what was held.
func (w *Wire) Release() {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.held {
		w.held = false
		w.pass.Unlock()
	}
}

func (w *Wire) take(client net.Conn) {
	defer func() { _ = client.Close() }()
	server, err := net.Dial("tcp", w.target)
	if err != nil {
		return
	}
	defer func() { _ = server.Close() }()
	if !w.keep(client, server) {
		return
	}
	defer w.forget(client, server)
	w.carry(client, server)
}

func (w *Wire) keep(conns ...net.Conn) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.cut {
		return false
	}
	for _, c := range conns {
		w.conns[c] = true
	}
	return true
}

func (w *Wire) forget(conns ...net.Conn) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, c := range conns {
		delete(w.conns, c)
	}
}

// copy carries bytes until either side is gone.
func (w *Wire) copy(client, server net.Conn) {
	back := make(chan struct{})
	go func() {
		defer close(back)
		_, _ = io.Copy(client, through{w, server})
		_ = client.Close()
	}()
	_, _ = io.Copy(server, through{w, client})
	_ = server.Close()
	<-back
}

// through is a side that is read through the wire.
type through struct {
	w *Wire
	net.Conn
}

// Read gives what came, when nothing is held.
func (t through) Read(p []byte) (int, error) {
	n, err := t.Conn.Read(p)
	t.w.pass.RLock()
	defer t.w.pass.RUnlock()
	return n, err
}
