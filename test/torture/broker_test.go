//go:build linux

package torture

import (
	"fmt"
	"net"
	"os"
	"strconv"
	"testing"
	"time"

	"github.com/nats-io/nats-server/v2/server"
)

// The settings of the children.
const (
	dirVar   = "FIREBREAK_TORTURE_DIR"
	portVar  = "FIREBREAK_TORTURE_PORT"
	urlVar   = "FIREBREAK_TORTURE_URL"
	rulesVar = "FIREBREAK_TORTURE_RULES"
	outVar   = "FIREBREAK_TORTURE_OUT"
)

// natsServer is a NATS server as a process of its own, set up as RELIABILITY asks: it syncs always.
func natsServer() error {
	port, err := strconv.Atoi(os.Getenv(portVar))
	if err != nil {
		return err
	}
	srv, err := server.NewServer(&server.Options{
		Host: "127.0.0.1", Port: port, NoSigs: true, JetStream: true, StoreDir: os.Getenv(dirVar), SyncAlways: true,
		JetStreamMaxStore: 1 << 50, // the disk is the bound, not a share of what is free at start
	})
	if err != nil {
		return err
	}
	srv.ConfigureLogger()
	srv.Start()
	if !srv.ReadyForConnections(time.Minute) {
		return fmt.Errorf("not ready on port %d", port)
	}
	srv.WaitForShutdown()
	return nil
}

// broker is an external server over all its lives.
type broker struct {
	t    *testing.T
	dir  string
	logs string
	addr string
	p    *process
}

func newBroker(t *testing.T, dir string) *broker {
	t.Helper()
	n := &broker{t: t, dir: dir, logs: t.TempDir(), addr: freePort(t)}
	n.start()
	return n
}

func (n *broker) url() string { return "nats://" + n.addr }

// start begins a life, and waits until it listens.
func (n *broker) start() {
	n.t.Helper()
	_, port, err := net.SplitHostPort(n.addr)
	if err != nil {
		n.t.Fatal(err)
	}
	n.p = child(n.t, "nats", n.logs, nil, dirVar+"="+n.dir, portVar+"="+port)
	eventually(n.t, "NATS listens", func() bool {
		if n.p.died() {
			n.t.Fatalf("NATS ended:\n%s", n.p.tail())
		}
		conn, err := net.Dial("tcp", n.addr)
		if err != nil {
			return false
		}
		conn.Close()
		return true
	})
}
