package bus

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
)

// requestTimeout bounds one request to the server.
const requestTimeout = 10 * time.Second

// Bus is a connection to the streams.
type Bus struct {
	opts    Options
	server  *embedded // nil when external
	conn    *nats.Conn
	js      jetstream.JetStream
	streams map[Stream]jetstream.Stream
	groups  map[Stream]*group
	unlock  func() error
	closed  atomic.Bool
	begins  beginnings
	room    sync.Mutex // held while room is made in EVENTS
}

// Open starts the embedded server, or connects to the external one, and
// makes the streams that are missing; see [Options.Patient]. Streams that exist keep what they
// hold. Two processes can't open one data directory: the second gets
// [ErrLocked].
func Open(ctx context.Context, o Options) (*Bus, error) {
	o, err := o.withDefaults()
	if err != nil {
		return nil, fmt.Errorf("open bus: %w", err)
	}
	b := &Bus{opts: o, streams: map[Stream]jetstream.Stream{}, unlock: func() error { return nil }}
	b.groups = map[Stream]*group{Runs: {bus: b}, Incidents: {bus: b}}
	if err := b.connect(ctx); err != nil {
		return nil, fmt.Errorf("open bus: %w", errors.Join(err, b.Close()))
	}
	return b, nil
}

func (b *Bus) connect(ctx context.Context) error {
	if err := b.attach(ctx); err != nil {
		return err
	}
	js, err := jetstream.New(b.conn, jetstream.WithDefaultTimeout(requestTimeout))
	if err != nil {
		return err
	}
	b.js = js
	for _, config := range topology(b.opts) {
		var s jetstream.Stream
		err := b.Begin(ctx, "create stream "+config.Name, func(ctx context.Context) (err error) {
			s, err = b.provide(ctx, config)
			return err
		})
		if err != nil {
			return fmt.Errorf("create stream %s: %w", config.Name, err)
		}
		b.streams[Stream(config.Name)] = s
	}
	return nil
}

// attach makes the connection, and before it the server if it is ours.
func (b *Bus) attach(ctx context.Context) (err error) {
	if b.opts.URL != "" {
		return b.Begin(ctx, "connect", func(context.Context) (err error) {
			b.conn, err = dial(b.opts)
			return err
		})
	}
	if b.unlock, err = lock(b.opts.Dir); err != nil {
		b.unlock = func() error { return nil }
		return err
	}
	if b.server, err = newEmbedded(b.opts); err != nil {
		return fmt.Errorf("start embedded server: %w", err)
	}
	b.conn, err = nats.Connect("", append(connection(b.opts), nats.InProcessServer(b.server))...)
	if err != nil {
		return fmt.Errorf("connect to embedded server: %w", err)
	}
	return nil
}

// Close ends the connection, stops the embedded server and gives the data
// directory back. It may be called twice.
func (b *Bus) Close() error {
	if !b.closed.CompareAndSwap(false, true) {
		return nil
	}
	if b.conn != nil {
		b.conn.Close()
	}
	if b.server != nil {
		b.server.close()
	}
	if err := b.unlock(); err != nil {
		return fmt.Errorf("close bus: %w", err)
	}
	return nil
}

// Healthy says what is wrong: no connection, a server that can't write, a
// stream without a leader, or a part that could not begin yet.
func (b *Bus) Healthy(ctx context.Context) error {
	if b.closed.Load() {
		return fmt.Errorf("bus: %w", ErrClosed)
	}
	if !b.conn.IsConnected() {
		return fmt.Errorf("bus: connection is %s", b.conn.Status())
	}
	if b.server != nil {
		if err := b.server.healthy(); err != nil {
			return fmt.Errorf("bus: %w", err)
		}
	}
	for _, name := range []Stream{Events, Runs} {
		if _, err := b.State(ctx, name); err != nil {
			return fmt.Errorf("bus: %w", err)
		}
	}
	if err := b.begins.pending(); err != nil {
		return fmt.Errorf("bus: %w", err)
	}
	return nil
}
