package notify

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"net/mail"
	"net/textproto"
	"os"
	"path/filepath"
	"strings"

	gomail "github.com/wneessen/go-mail"

	"github.com/firebreak-io/firebreak/internal/conf"
	"github.com/firebreak-io/firebreak/internal/event"
)

const emailKind = "email"

func init() {
	register(Kind{
		Name: emailKind,
		Doc: "Sends mail by SMTP, over TLS only. A message has one Message-ID however often it is sent, and those about one " +
			"incident are one thread.",
		Pages: true, Follows: true,
		Config: func() any { return &EmailConfig{Port: 587, TLS: "starttls"} },
		Check:  checked(emailKind, EmailConfig.check),
		New:    made(emailKind, newEmail),
	})
}

// EmailConfig are the parameters of the kind email.
type EmailConfig struct {
	// Host and Port are the mail server's.
	Host string `yaml:"host,required"`
	Port int    `yaml:"port"`
	// TLS is starttls (usually port 587) or implicit (465).
	TLS string `yaml:"tls"`
	// CA is a PEM file of who signed the server's certificate; empty is what the
	// system trusts.
	CA string `yaml:"ca"`
	// User and Password log in, with implicit TLS by PLAIN; without a user nobody
	// does.
	User     string          `yaml:"user"`
	Password conf.SecretFile `yaml:"password"`
	// From and To are addresses.
	From string   `yaml:"from,required"`
	To   []string `yaml:"to,required"`
	// AllowPrivate lets the server be in a private network.
	AllowPrivate bool `yaml:"allow_private"`
}

// maxTo bounds who gets one mail.
const maxTo = 50

func (c EmailConfig) check() error {
	var errs []error
	if c.Host == "" || strings.ContainsAny(c.Host, "/ \r\n") {
		errs = append(errs, errors.New("host: want the name of the mail server"))
	}
	if c.Port < 1 || c.Port > 65535 {
		errs = append(errs, fmt.Errorf("port: %d is none", c.Port))
	}
	if c.TLS != "starttls" && c.TLS != "implicit" {
		errs = append(errs, errors.New("tls: want starttls or implicit"))
	}
	if (c.User == "") != c.Password.IsZero() {
		errs = append(errs, errors.New("user: it needs a password, and a password a user"))
	}
	if len(c.To) == 0 || len(c.To) > maxTo {
		errs = append(errs, fmt.Errorf("to: want 1 to %d addresses", maxTo))
	}
	for _, a := range append([]string{c.From}, c.To...) {
		if _, err := mail.ParseAddress(a); err != nil {
			errs = append(errs, fmt.Errorf("%q is no mail address", a))
		}
	}
	return errors.Join(errs...)
}

type email struct {
	Deps
	config   EmailConfig
	password string
	domain   string
	tls      *tls.Config
}

func newEmail(d Deps, c EmailConfig) (Notifier, error) {
	if d.Dial == nil {
		return nil, errors.New("no way to reach a mail server")
	}
	from, err := mail.ParseAddress(c.From)
	if err != nil {
		return nil, fmt.Errorf("from: %w", err)
	}
	_, domain, _ := strings.Cut(from.Address, "@")
	e := email{Deps: d, config: c, domain: domain, tls: &tls.Config{ServerName: c.Host, MinVersion: tls.VersionTLS12}}
	if c.CA != "" {
		path := c.CA
		if !filepath.IsAbs(path) {
			path = filepath.Join(d.Dir, path)
		}
		pem, err := os.ReadFile(path)
		if err != nil {
			return nil, fmt.Errorf("read certificate authority: %w", err)
		}
		if e.tls.RootCAs = x509.NewCertPool(); !e.tls.RootCAs.AppendCertsFromPEM(pem) {
			return nil, fmt.Errorf("read certificate authority: %s holds no PEM certificate", c.CA)
		}
	}
	e.password, err = d.secret(c.Password)
	return e, err
}

// Send sends one mail over a connection of its own.
func (e email) Send(ctx context.Context, m Message) error {
	msg, err := e.message(m)
	if err != nil {
		return &Refused{err}
	}
	var conn net.Conn
	client, err := e.client(func(made net.Conn) { conn = made })
	if err != nil {
		return err
	}
	// The library leaves the connection open when it gives up before the mail.
	defer func() {
		if conn != nil {
			_ = conn.Close()
		}
	}()
	return smtpError(client.DialAndSendWithContext(ctx, msg))
}

// client makes a client for one mail; made is told of its connection.
func (e email) client(made func(net.Conn)) (*gomail.Client, error) {
	reach := e.Dial(e.config.Host, e.config.AllowPrivate)
	dial := func(ctx context.Context, network, address string) (net.Conn, error) {
		conn, err := reach(ctx, network, address)
		if err == nil {
			made(conn)
		}
		return conn, err
	}
	options := []gomail.Option{
		gomail.WithPort(e.config.Port), gomail.WithTLSConfig(e.tls), gomail.WithTimeout(maxTimeout), gomail.WithHELO(e.domain),
	}
	if e.config.TLS == "implicit" {
		options = append(options, gomail.WithDialContextFunc(func(ctx context.Context, network, address string) (net.Conn, error) {
			conn, err := dial(ctx, network, address)
			if err != nil {
				return nil, err
			}
			secure := tls.Client(conn, e.tls)
			if err := secure.HandshakeContext(ctx); err != nil {
				return nil, errors.Join(err, conn.Close())
			}
			return secure, nil
		}), gomail.WithTLSPolicy(gomail.NoTLS))
	} else {
		options = append(options, gomail.WithDialContextFunc(dial), gomail.WithTLSPolicy(gomail.TLSMandatory))
	}
	if e.config.User != "" {
		auth := gomail.SMTPAuthAutoDiscover
		if e.config.TLS == "implicit" {
			auth = gomail.SMTPAuthPlain // it does not see that the connection is secure, and finds none
		}
		options = append(options, gomail.WithSMTPAuth(auth), gomail.WithUsername(e.config.User), gomail.WithPassword(e.password))
	}
	return gomail.NewClient(e.config.Host, options...)
}

// message is the mail: plain text, whose headers others can't write into.
func (e email) message(m Message) (*gomail.Msg, error) {
	msg := gomail.NewMsg(gomail.WithCharset(gomail.CharsetUTF8))
	if err := msg.From(e.config.From); err != nil {
		return nil, err
	}
	if err := msg.To(e.config.To...); err != nil {
		return nil, err
	}
	subject := fmt.Sprintf("[firebreak] %s", title(m, 150))
	if s := m.Notice.Severity; s != "" {
		subject = fmt.Sprintf("[firebreak %s] %s", line(string(s), 20), title(m, 150))
	}
	if m.Op != Trigger {
		subject = "Re: " + subject
	}
	msg.Subject(subject)
	msg.SetDateWithValue(m.Created)
	msg.SetMessageIDWithValue(m.hash() + "@" + e.domain)
	if m.Incident != "" {
		thread := "<" + event.HashID("thread", m.Incident) + "@" + e.domain + ">"
		msg.SetGenHeader(gomail.HeaderInReplyTo, thread)
		msg.SetGenHeader(gomail.HeaderReferences, thread)
	}
	msg.SetGenHeader("Auto-Submitted", "auto-generated")
	msg.SetBodyString(gomail.TypeTextPlain, words(m))
	return msg, nil
}

// smtpError says what the server's answer means: 5xx about the mail is final,
// the rest, and what is about the connection or the login, may go better later.
func smtpError(err error) error {
	if err == nil {
		return nil
	}
	var sent *gomail.SendError
	if errors.As(err, &sent) {
		if code := sent.ErrorCode(); code >= 500 && code <= 599 && code != 530 && code != 535 {
			return &Refused{fmt.Errorf("answered %d", code)}
		}
		return fmt.Errorf("answered %d", sent.ErrorCode())
	}
	var proto *textproto.Error
	if errors.As(err, &proto) {
		return fmt.Errorf("answered %d", proto.Code)
	}
	return err
}
