package notify

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"net"
	"strconv"
	"strings"
	"testing"

	"github.com/firebreak-io/firebreak/internal/event"
	"github.com/firebreak-io/firebreak/test/mailbox"
)

func emailTo(t *testing.T, b *mailbox.Box, implicit bool) *EmailConfig {
	t.Helper()
	mode := "starttls"
	if implicit {
		mode = "implicit"
	}
	return &EmailConfig{
		Host: "127.0.0.1", Port: b.Port, TLS: mode, CA: b.CA, User: mailbox.User, Password: secretFile(t, mailbox.Password),
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
			b := mailbox.Start(t, implicit)
			n := build(t, emailKind, dialing(), emailTo(t, b, implicit))
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
			mails := b.Mails()
			if len(mails) != 3 {
				t.Fatalf("%d mails", len(mails))
			}
			h := mails[0].Header
			if h.Get("Subject") != "[firebreak high] Shell in a pod Bcc: evil@example.com" || h.Get("Bcc") != "" || h.Get("To") != "<soc@example.com>, <lead@example.com>" {
				t.Errorf("%v", h)
			}
			if h.Get("Message-ID") == "" || h.Get("Message-ID") != mails[1].Header.Get("Message-ID") || h.Get("Message-ID") == mails[2].Header.Get("Message-ID") {
				t.Error("the same message has one id, another another", h.Get("Message-ID"))
			}
			if h.Get("References") == "" || h.Get("References") != mails[2].Header.Get("References") {
				t.Error("an incident is one thread")
			}
			if !strings.Contains(mails[0].Text, "target    pods/shop/web-1") || strings.Contains(mails[0].Text, "\nMAIL FROM") {
				t.Error(mails[0].Text)
			}
			if err := n.Send(t.Context(), hostile()); err != nil {
				t.Error(err)
			}
			var refused *Refused
			for answer, final := range map[string]bool{"451 later": false, "552 too large": true, "554 spam": true} {
				b.Answer(answer)
				if err := n.Send(t.Context(), m); err == nil || errors.As(err, &refused) != final || !strings.Contains(err.Error(), answer[:3]) {
					t.Errorf("%s: %v", answer, err)
				}
			}
			wrong := emailTo(t, b, implicit)
			wrong.Password = secretFile(t, "other")
			if err := build(t, emailKind, dialing(), wrong).Send(t.Context(), m); err == nil || errors.As(err, &refused) {
				t.Errorf("a wrong password: %v", err)
			}
			unknown := emailTo(t, b, implicit)
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
