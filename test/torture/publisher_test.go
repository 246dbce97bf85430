//go:build linux

package torture

import (
	"bufio"
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"testing"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/firebreak-io/firebreak/internal/bus"
	"github.com/firebreak-io/firebreak/internal/event"
)

// frameAt is the frame of a sequence: its content follows from it.
func frameAt(seq uint64) []byte {
	events := make([][]byte, 1+seq%5)
	for i := range events {
		events[i] = fmt.Appendf(nil, `{"id":"%d-%d","message":"%0*d"}`, seq, i, 1+seq%1000, seq)
	}
	return event.EncodeFrame(events)
}

// publisher stores frames through the bus with its embedded server, and says each sequence once it was
// told that the frame is stored.
func publisher() error {
	ctx := context.Background()
	b, err := bus.Open(ctx, bus.Options{Dir: os.Getenv(dirVar)})
	if err != nil {
		return err
	}
	return publishAll(func(data []byte) (uint64, error) { return b.Publish(ctx, bus.SubjectEvents, data) })
}

// unsyncedPublisher does the same with a server that syncs when it does by default, every two minutes. It
// is the control: a power cut must lose what it acknowledges, or the test proves nothing.
func unsyncedPublisher() error {
	ctx, dir := context.Background(), os.Getenv(dirVar)
	b, err := bus.Open(ctx, bus.Options{Dir: dir}) // makes the streams
	if err != nil {
		return err
	}
	if err := b.Close(); err != nil {
		return err
	}
	srv, err := server.NewServer(&server.Options{
		DontListen: true, NoSigs: true, JetStream: true, StoreDir: filepath.Join(dir, "streams"), JetStreamMaxStore: 1 << 50,
	})
	if err != nil {
		return err
	}
	go srv.Start()
	if !srv.ReadyForConnections(time.Minute) {
		return fmt.Errorf("server is not ready")
	}
	conn, err := nats.Connect("", nats.InProcessServer(srv))
	if err != nil {
		return err
	}
	js, err := jetstream.New(conn)
	if err != nil {
		return err
	}
	return publishAll(func(data []byte) (uint64, error) {
		ack, err := js.Publish(ctx, bus.SubjectEvents, data)
		if err != nil {
			return 0, err
		}
		return ack.Sequence, nil
	})
}

func publishAll(publish func([]byte) (uint64, error)) error {
	for next := uint64(1); ; next++ {
		seq, err := publish(frameAt(next))
		if err != nil {
			return err
		}
		if seq != next {
			return fmt.Errorf("frame %d was stored as %d", next, seq)
		}
		// One write to a pipe: whole, or not there.
		if _, err := fmt.Fprintln(os.Stdout, seq); err != nil {
			return err
		}
	}
}

// acknowledged reads what a publisher says. It is closed with the last sequence when the publisher ends.
func acknowledged(t *testing.T, role, dir string) (p *process, first chan struct{}, last chan uint64) {
	t.Helper()
	in, out, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	p = child(t, role, t.TempDir(), out, dirVar+"="+dir)
	out.Close()
	first, last = make(chan struct{}), make(chan uint64, 1)
	go func() {
		defer in.Close()
		var seq uint64
		for lines := bufio.NewScanner(in); lines.Scan(); {
			n, err := strconv.ParseUint(lines.Text(), 10, 64)
			if err != nil {
				t.Error(err)
			}
			if seq == 0 {
				close(first)
			}
			seq = n
		}
		last <- seq
	}()
	return p, first, last
}
