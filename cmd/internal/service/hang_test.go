package service

import (
	"io"
	"net"
	"sync"
	"testing"
	"time"
)

// wire passes bytes on to a server, until it is told to keep them.
type wire struct {
	net.Listener
	to   string
	mu   sync.RWMutex // held for writing while nothing is passed on
	held bool
}

func newWire(t *testing.T, to string) *wire {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	w := &wire{Listener: l, to: to}
	go w.run()
	t.Cleanup(func() { w.hold(false); l.Close() })
	return w
}

func (w *wire) run() {
	for {
		near, err := w.Accept()
		if err != nil {
			return
		}
		far, err := net.Dial("tcp", w.to)
		if err != nil {
			near.Close()
			continue
		}
		for _, way := range [][2]net.Conn{{near, far}, {far, near}} {
			go func() {
				_, _ = io.Copy(way[1], through{w, way[0]})
				near.Close()
				far.Close()
			}()
		}
	}
}

// hold keeps the bytes, or lets them go.
func (w *wire) hold(on bool) {
	switch {
	case on && !w.held:
		w.mu.Lock()
	case !on && w.held:
		w.mu.Unlock()
	}
	w.held = on
}

type through struct {
	w *wire
	net.Conn
}

func (t through) Read(p []byte) (int, error) {
	n, err := t.Conn.Read(p)
	t.w.mu.RLock()
	defer t.w.mu.RUnlock()
	return n, err
}

// TestHangingNATS: a NATS that answers nothing any more costs a sender five
// seconds, also when many wait, and events are taken when it goes on.
func TestHangingNATS(t *testing.T) {
	a := newApart(t)
	direct := a.config.NATS.URL
	w := newWire(t, direct[len("nats://"):])
	a.config.NATS.URL = "nats://" + w.Addr().String()
	a.startRoles(Ingest)
	if status, _, _ := a.send("audit", auditEvent); status != 200 {
		t.Fatalf("status %d", status)
	}
	w.hold(true)
	var senders sync.WaitGroup
	for range 20 {
		senders.Go(func() {
			for _, source := range []struct{ name, body string }{{"audit", auditEvent}, {"falco", `{"rule":1}`}} {
				status, again, took := a.send(source.name, source.body)
				if t.Logf("%s: %d after %v", source.name, status, took.Round(time.Millisecond)); status != 503 || !again || took > slowly {
					t.Errorf("NATS hangs: %s is answered %d after %v, retry %v", source.name, status, took, again)
				}
			}
		})
	}
	senders.Wait()
	a.until("readiness says that the store is away", func() bool {
		status, _ := a.get("/readyz")
		return status == 503
	})
	w.hold(false)
	a.until("events are taken again", func() bool {
		status, _, _ := a.send("audit", auditEvent)
		return status == 200
	})
}
