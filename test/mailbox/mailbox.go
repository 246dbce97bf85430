// Package mailbox is a mail server for tests, which takes mail over TLS alone
// and from who logs in (RFC 5321, 3207, 4954).
package mailbox

import (
	"bufio"
	"crypto/tls"
	"encoding/base64"
	"encoding/pem"
	"fmt"
	"net"
	"net/http/httptest"
	"net/mail"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
)

// Who may send.
const (
	User     = "fire"
	Password = "s3cret" // #nosec G101 -- of a server for tests
)

// Mail is one that was taken: its header, and all of it as it came.
type Mail struct {
	Header mail.Header
	Text   string
}

// Box is a mail server on loopback. It may be used concurrently.
type Box struct {
	// CA is a PEM file of who signed its certificate, Port where it listens.
	CA   string
	Port int

	t        *testing.T
	tls      *tls.Config
	implicit bool

	mu     sync.Mutex
	answer string
	mails  []Mail
}

// Start starts one until the test ends. TLS begins at once when it is implicit,
// else by STARTTLS.
func Start(t *testing.T, implicit bool) *Box {
	t.Helper()
	// A certificate for 127.0.0.1, and who signed it.
	server := httptest.NewTLSServer(nil)
	defer server.Close()
	b := &Box{t: t, implicit: implicit, tls: &tls.Config{Certificates: server.TLS.Certificates, MinVersion: tls.VersionTLS12}}
	b.CA = filepath.Join(t.TempDir(), "ca.pem")
	if err := os.WriteFile(b.CA, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: server.Certificate().Raw}), 0o600); err != nil {
		t.Fatal(err)
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	b.Port = l.Addr().(*net.TCPAddr).Port
	go func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			go b.serve(conn)
		}
	}()
	return b
}

// Mails are those that were taken, in their order.
func (b *Box) Mails() []Mail {
	b.mu.Lock()
	defer b.mu.Unlock()
	return slices.Clone(b.mails)
}

// Answer has every mail from now on answered with that; empty takes them.
func (b *Box) Answer(text string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.answer = text
}

func (b *Box) serve(conn net.Conn) {
	defer func() { _ = conn.Close() }()
	secure, in := b.implicit, false
	if secure {
		conn = tls.Server(conn, b.tls)
	}
	r := bufio.NewReader(conn)
	say := func(text string) { fmt.Fprintf(conn, "%s\r\n", text) }
	say("220 mail.example ESMTP")
	for {
		text, err := r.ReadString('\n')
		if err != nil {
			return
		}
		verb, rest, _ := strings.Cut(strings.TrimSpace(text), " ")
		switch verb = strings.ToUpper(verb); {
		case verb == "EHLO" && !secure:
			say("250-mail.example\r\n250 STARTTLS")
		case verb == "EHLO":
			say("250-mail.example\r\n250 AUTH PLAIN")
		case verb == "STARTTLS" && !secure:
			say("220 go ahead")
			conn, secure = tls.Server(conn, b.tls), true
			r = bufio.NewReader(conn)
		case verb == "AUTH" && secure:
			mech, initial, _ := strings.Cut(rest, " ")
			text, err := base64.StdEncoding.DecodeString(initial)
			if in = mech == "PLAIN" && err == nil && string(text) == "\x00"+User+"\x00"+Password; in {
				say("235 welcome")
			} else {
				say("535 no")
			}
		case !in && verb != "QUIT" && verb != "NOOP" && verb != "RSET":
			say("530 log in first")
		case verb == "DATA":
			b.data(r, say)
		case verb == "QUIT":
			say("221 bye")
			return
		default:
			say("250 ok")
		}
	}
}

func (b *Box) data(r *bufio.Reader, say func(string)) {
	say("354 go on")
	var text strings.Builder
	for {
		line, err := r.ReadString('\n')
		if err != nil {
			return
		}
		if line == ".\r\n" {
			break
		}
		text.WriteString(strings.TrimPrefix(line, "."))
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.answer != "" {
		say(b.answer)
		return
	}
	m, err := mail.ReadMessage(strings.NewReader(text.String()))
	if err != nil {
		b.t.Errorf("a mail that can't be read: %v", err)
		say("554 no mail")
		return
	}
	b.mails = append(b.mails, Mail{m.Header, text.String()})
	say("250 taken")
}
