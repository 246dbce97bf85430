package bus

import (
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/nats-io/nats-server/v2/server"
)

// embed starts the server inside this process. It listens nowhere. Each
// message is synced to disk before it is acknowledged; the server's default,
// every two minutes, loses what it acknowledged in a power cut. The server calls
// fail when it could not write a message.
func embed(o Options, fail func()) (*server.Server, error) {
	store := filepath.Join(o.Dir, "streams")
	if err := os.MkdirAll(store, 0o700); err != nil {
		return nil, err
	}
	srv, err := server.NewServer(&server.Options{
		ServerName: "firebreak", DontListen: true, NoSigs: true,
		JetStream: true, StoreDir: store, SyncAlways: true,
		// The disk is the bound; a share of what is free at start, which is
		// the default, would make streams fail on a full disk that has room
		// for what they hold.
		JetStreamMaxStore: 1 << 50, JetStreamMaxMemory: 64 << 20,
	})
	if err != nil {
		return nil, err
	}
	srv.SetLoggerV2(serverLog{o.Logger, fail}, false, false, false)
	go srv.Start()
	if !srv.ReadyForConnections(time.Minute) {
		stop(srv)
		return nil, errors.New("embedded server is not ready after a minute")
	}
	if !srv.JetStreamEnabled() {
		stop(srv)
		return nil, fmt.Errorf("embedded server can't use %s (its log says why)", store)
	}
	return srv, nil
}

func stop(srv *server.Server) {
	srv.Shutdown()
	srv.WaitForShutdown()
}

// serverLog gives the server's log to slog. What it calls notices is about
// its start, so it is for debugging.
type serverLog struct {
	l    *slog.Logger
	fail func()
}

// storeFailed is in what the server logs when it could not write a message. It
// answers nothing then, so that there is no other sign.
const storeFailed = "failed to store a msg"

func (s serverLog) Noticef(format string, v ...any) {
	s.l.Debug(fmt.Sprintf(format, v...), "from", "nats")
}
func (s serverLog) Warnf(format string, v ...any) {
	s.l.Warn(fmt.Sprintf(format, v...), "from", "nats")
}
func (s serverLog) Errorf(format string, v ...any) {
	text := fmt.Sprintf(format, v...)
	s.l.Error(text, "from", "nats")
	if strings.Contains(text, storeFailed) {
		s.fail()
	}
}
func (s serverLog) Fatalf(format string, v ...any) {
	s.l.Error(fmt.Sprintf(format, v...), "from", "nats")
}
func (s serverLog) Debugf(string, ...any) {}
func (s serverLog) Tracef(string, ...any) {}
