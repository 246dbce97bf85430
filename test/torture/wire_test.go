//go:build linux

package torture

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"net"
	"strconv"
	"strings"
	"testing"

	"github.com/firebreak-io/firebreak/test/wire"
)

// message is a publish on its way to the server, or a message from it.
type message struct {
	subject, reply string
	header, body   []byte
	raw            []byte // the whole frame
}

// watcher is asked about every message that crosses a wire; false keeps it from crossing.
type watcher interface {
	sent(m message) bool
	came(m message) bool
}

// newWire is the connection of one client to NATS. It understands the protocol
// (https://docs.nats.io/reference/reference-protocols/nats-protocol) as far as messages go, and shows each to
// its watcher.
func newWire(t *testing.T, target string, watch watcher) *wire.Wire {
	t.Helper()
	return wire.New(t, target, func(client, server net.Conn) {
		ended := make(chan struct{})
		go func() {
			defer close(ended)
			relay(client, server, watch.came, "MSG", "HMSG")
			_ = client.Close()
		}()
		relay(server, client, watch.sent, "PUB", "HPUB")
		_ = server.Close()
		<-ended
	})
}

// relay carries frames until a side is gone.
func relay(to io.Writer, from io.Reader, crosses func(message) bool, plain, headed string) {
	in := bufio.NewReaderSize(from, 64<<10)
	for {
		line, err := in.ReadBytes('\n')
		if err != nil {
			return
		}
		word, rest, _ := strings.Cut(strings.TrimRight(string(line), "\r\n"), " ")
		if word = strings.ToUpper(word); word != plain && word != headed {
			if _, err := to.Write(line); err != nil {
				return
			}
			continue
		}
		m, err := frame(in, line, strings.Fields(rest), word == headed, plain == "MSG")
		if err != nil {
			return
		}
		if !crosses(m) {
			continue
		}
		if _, err := to.Write(m.raw); err != nil {
			return
		}
	}
}

// frame reads what follows the line of a message. A message from the server has the number of the
// subscription behind its subject.
func frame(in *bufio.Reader, line []byte, words []string, headed, numbered bool) (m message, err error) {
	if numbered && len(words) > 1 {
		words = append(words[:1:1], words[2:]...)
	}
	sizes := 1
	if headed {
		sizes = 2
	}
	if len(words) < 1+sizes {
		return m, fmt.Errorf("bad frame %q", line)
	}
	m.subject = words[0]
	if len(words) > 1+sizes {
		m.reply = words[1]
	}
	total, err := strconv.Atoi(words[len(words)-1])
	if err != nil {
		return m, err
	}
	payload := make([]byte, total+2)
	if _, err := io.ReadFull(in, payload); err != nil {
		return m, err
	}
	m.raw, m.body = append(bytes.Clone(line), payload...), payload[:total]
	if headed {
		n, err := strconv.Atoi(words[len(words)-2])
		if err != nil || n > total {
			return m, fmt.Errorf("bad frame %q", line)
		}
		m.header, m.body = payload[:n], payload[n:total]
	}
	return m, nil
}
