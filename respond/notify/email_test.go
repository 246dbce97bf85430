package notify

import (
	"bufio"
	"context"
	"crypto/tls"
	"encoding/base64"
	"encoding/pem"
	"errors"
	"fmt"
	"net"
	"net/http/httptest"
	"net/mail"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/firebreak-io/firebreak/internal/event"
)

// mailbox is a mail server that takes mail over TLS, from who logs in.
type mailbox struct {
	t    *testing.T
	tls  *tls.Config
	ca   string
	port int
	// implicit says that TLS begins at once.
	implicit bool

	mu     sync.Mutex
	answer string // to DATA; empty takes it
	mails  []*mail.Message
	bodies []string
}

func newMailbox(t *testing.T, implicit bool) *mailbox {
	t.Helper()
	// A certificate for 127.0.0.1, and who signed it.
	server := httptest.NewTLSServer(nil)
	defer server.Close()
	b := &mailbox{t: t, implicit: implicit, tls: &tls.Config{Certificates: server.TLS.Certificates, MinVersion: tls.VersionTLS12}}
	b.ca = filepath.Join(t.TempDir(), "ca.pem")
	if err := os.WriteFile(b.ca, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: server.Certificate().Raw}), 0o600); err != nil {
		t.Fatal(err)
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	b.port = l.Addr().(*net.TCPAddr).Port
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

func (b *mailbox) serve(conn net.Conn) {
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
			if in = mech == "PLAIN" && err == nil && string(text) == "\x00fire\x00s3cret"; in {
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

func (b *mailbox) data(r *bufio.Reader, say func(string)) {
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
	}
	b.mails, b.bodies = append(b.mails, m), append(b.bodies, text.String())
	say("250 taken")
}

func (b *mailbox) config(t *testing.T) *EmailConfig {
	mode := "starttls"
	if b.implicit {
		mode = "implicit"
	}
	return &EmailConfig{
		Host: "127.0.0.1", Port: b.port, TLS: mode, CA: b.ca, User: "fire", Password: secretFile(t, "s3cret"),
		From: "Firebreak <fire@example.com>", To: []string{"soc@example.com", "lead@example.com"}, AllowPrivate: true,
	}
}

func dialing() Deps {
	return Deps{Dial: func(string, bool) func(context.Context, string, string) (net.Conn, error) {
		return new(net.Dialer).DialContext
	}}
}

func TestEmail(t *testing.T) {
	for _, implicit := range []bool{false, true} {
		t.Run("implicit "+strconv.FormatBool(implicit), func(t *testing.T) {
			b := newMailbox(t, implicit)
			n := build(t, emailKind, dialing(), b.config(t))
			m := Message{Receiver: "soc", Key: "run1/tell", Incident: "i1", Op: Trigger, Created: noon, Notice: Notice{
				Title: "Shell in a pod\r\nBcc: evil@example.com", Severity: event.SeverityHigh, Target: event.PodRef("shop", "web-1"),
				Text: "first\r\n.\r\nMAIL FROM:<evil@example.com>",
			}}
			for _, op := range []Op{Trigger, Trigger, Resolve} {
				if m.Op = op; op == Resolve {
					m.Key = "i1/resolve"
				}
				if err := n.Send(t.Context(), m); err != nil {
					t.Fatal(err)
				}
			}
			if len(b.mails) != 3 {
				t.Fatalf("%d mails", len(b.mails))
			}
			h := b.mails[0].Header
			if h.Get("Subject") != "[firebreak high] Shell in a pod Bcc: evil@example.com" || h.Get("Bcc") != "" || h.Get("To") != "<soc@example.com>, <lead@example.com>" {
				t.Errorf("%v", h)
			}
			if h.Get("Message-ID") == "" || h.Get("Message-ID") != b.mails[1].Header.Get("Message-ID") || h.Get("Message-ID") == b.mails[2].Header.Get("Message-ID") {
				t.Error("the same message has one id, another another", h.Get("Message-ID"))
			}
			if h.Get("References") == "" || h.Get("References") != b.mails[2].Header.Get("References") {
				t.Error("an incident is one thread")
			}
			if !strings.Contains(b.bodies[0], "target    pods/shop/web-1") || strings.Contains(b.bodies[0], "\nMAIL FROM") {
				t.Error(b.bodies[0])
			}
			if err := n.Send(t.Context(), hostile()); err != nil {
				t.Error(err)
			}
			var refused *Refused
			for answer, final := range map[string]bool{"451 later": false, "552 too large": true, "554 spam": true} {
				b.mu.Lock()
				b.answer = answer
				b.mu.Unlock()
				if err := n.Send(t.Context(), m); err == nil || errors.As(err, &refused) != final || !strings.Contains(err.Error(), answer[:3]) {
					t.Errorf("%s: %v", answer, err)
				}
			}
			wrong := b.config(t)
			wrong.Password = secretFile(t, "other")
			if err := build(t, emailKind, dialing(), wrong).Send(t.Context(), m); err == nil || errors.As(err, &refused) {
				t.Errorf("a wrong password: %v", err)
			}
			unknown := b.config(t)
			unknown.CA = ""
			if err := build(t, emailKind, dialing(), unknown).Send(t.Context(), m); err == nil || errors.As(err, &refused) {
				t.Errorf("a server that nobody vouches for: %v", err)
			}
		})
	}
}

// A server that offers no TLS gets nothing.
func TestEmailNeedsTLS(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = l.Close() }()
	heard := make(chan string, 1)
	go func() {
		conn, err := l.Accept()
		if err != nil {
			return
		}
		defer func() { _ = conn.Close() }()
		var all strings.Builder
		fmt.Fprint(conn, "220 mail.example\r\n")
		r := bufio.NewScanner(conn)
		for r.Scan() {
			all.WriteString(r.Text() + "\n")
			fmt.Fprint(conn, "250 mail.example\r\n")
		}
		heard <- all.String()
	}()
	c := &EmailConfig{
		Host: "127.0.0.1", Port: l.Addr().(*net.TCPAddr).Port, TLS: "starttls", User: "fire", Password: secretFile(t, "s3cret"),
		From: "fire@example.com", To: []string{"soc@example.com"}, AllowPrivate: true,
	}
	if err := build(t, emailKind, dialing(), c).Send(t.Context(), hostile()); err == nil {
		t.Error("it was sent")
	}
	if text := <-heard; strings.Contains(text, "AUTH") || strings.Contains(text, "MAIL") {
		t.Error(text)
	}
}

func TestEmailConfig(t *testing.T) {
	k, _ := Lookup(emailKind)
	for _, bad := range []EmailConfig{
		{}, {Host: "h", Port: 587, TLS: "none", From: "a@b.c", To: []string{"a@b.c"}}, {Host: "h", Port: 0, TLS: "starttls", From: "a@b.c", To: []string{"a@b.c"}},
		{Host: "h", Port: 587, TLS: "starttls", From: "a@b.c"}, {Host: "h", Port: 587, TLS: "starttls", From: "a@b.c\r\nBcc: x@y.z", To: []string{"a@b.c"}},
		{Host: "h", Port: 587, TLS: "starttls", From: "a@b.c", To: []string{"a@b.c"}, User: "u"},
	} {
		if k.Check(&bad) == nil {
			t.Errorf("accepts %+v", bad)
		}
	}
}
