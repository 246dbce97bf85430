package bus

import (
	"errors"
	"fmt"
	"net"
	"sync/atomic"
	"time"

	"github.com/nats-io/nats-server/v2/server"
)

// reserve is how much of the disk events leave to runs, findings and
// snapshots, but no more than a tenth of it: whoever can send events must not
// be able to keep a run from being written down.
const reserve = 64 << 20

// watchEvery is how often the embedded server is looked at. Where writes go on
// failing it is started again more and more seldom, up to maxRest.
const (
	watchEvery = time.Second
	maxRest    = 16 * time.Second
)

// embedded is the server inside this process. A stream of it that could not
// be written takes nothing any more until it is opened again; embedded does
// that once there is room, as a restart of the process would. Its methods may
// be called concurrently.
type embedded struct {
	opts   Options
	server atomic.Pointer[server.Server]
	// broken says that a write failed and the server was not started again
	// since, tight that events were refused when it was last looked at.
	broken     atomic.Bool
	tight      bool // of watch alone
	quit, done chan struct{}
	// under are the writes that wait for an answer.
	under underWay
}

func newEmbedded(o Options) (*embedded, error) {
	e := &embedded{opts: o, quit: make(chan struct{}), done: make(chan struct{})}
	srv, err := embed(o, e.fail)
	if err != nil {
		return nil, err
	}
	e.server.Store(srv)
	go e.watch()
	return e, nil
}

// InProcessConn connects to the server that runs now.
func (e *embedded) InProcessConn() (net.Conn, error) { return e.server.Load().InProcessConn() }

func (e *embedded) close() {
	e.under.end() // the connection is closed
	close(e.quit)
	<-e.done
	stop(e.server.Load())
}

// fail notes that a write failed. The server answers no more then: what waits for
// it waits no longer, as it would for as long as the disk is full.
func (e *embedded) fail() {
	e.broken.Store(true)
	e.under.end()
}

// admits refuses with [ErrFull] what can't be stored now.
func (e *embedded) admits(stream Stream) error {
	if e.broken.Load() {
		return fmt.Errorf("%w: a write failed", ErrFull)
	}
	if stream == Events || stream == DeadStore {
		return e.room()
	}
	return nil
}

// room refuses when events would take what is kept for others.
func (e *embedded) room() error {
	free, size, err := space(e.opts.Dir)
	if err != nil {
		return fmt.Errorf("look at the disk: %w", err)
	}
	if keep := min(reserve, size/10); free < keep {
		return fmt.Errorf("%w: %d MiB are free, %d MiB are kept for runs and findings", ErrFull, free>>20, keep>>20)
	}
	return nil
}

// healthy says what is wrong with the server.
func (e *embedded) healthy() error {
	if e.broken.Load() {
		return errors.New("a write of the embedded server failed (is the disk full?)")
	}
	if !e.server.Load().JetStreamEnabled() {
		return errors.New("the embedded server has switched its storage off (is the disk full?)")
	}
	return nil
}

func (e *embedded) watch() {
	defer close(e.done)
	var (
		revived time.Time
		rest    time.Duration
	)
	tick := time.NewTicker(watchEvery)
	defer tick.Stop()
	for {
		select {
		case <-e.quit:
			return
		case <-tick.C:
		}
		err := e.room()
		e.tell(err)
		srv := e.server.Load()
		if srv.Running() && !srv.JetStreamEnabled() {
			e.fail()
		}
		switch since := time.Since(revived); {
		case err == nil && e.broken.Load() && since >= rest:
			e.revive(srv)
			revived, rest = time.Now(), min(max(2*rest, watchEvery), maxRest)
		case since > 2*maxRest:
			rest = 0
		}
	}
}

// tell logs when events begin to be refused, and when they are no more.
func (e *embedded) tell(err error) {
	switch {
	case err != nil && !e.tight:
		e.opts.Logger.Warn("events are refused", "error", err)
	case err == nil && e.tight:
		e.opts.Logger.Info("the disk has room again")
	}
	e.tight = err != nil
}

// revive starts the server again over what it has on disk. What it
// acknowledged was synced, so nothing of that is lost.
func (e *embedded) revive(old *server.Server) {
	e.opts.Logger.Warn("a write to the streams failed; the embedded server is started again")
	stop(old)
	e.under.end()
	e.broken.Store(false)
	srv, err := embed(e.opts, e.fail)
	if err != nil {
		e.fail()
		e.opts.Logger.Error("start embedded server", "error", err)
		return
	}
	e.server.Store(srv)
}
