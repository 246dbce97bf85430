package notify

import (
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"

	"github.com/firebreak-io/firebreak/internal/conf"
)

// The headers of a webhook request. The signature is
// t=UNIX,v1=HEX, where HEX is HMAC-SHA256 under the webhook's secret of
// "UNIX.BODY", and UNIX is when it was sent; the key is the same each time the
// same message is sent.
const (
	SignatureHeader = "Firebreak-Signature"
	KeyHeader       = "Idempotency-Key"
)

// WebhookKind is the name of the kind, for configs that write webhooks their
// own way.
const WebhookKind = "webhook"

func init() {
	register(Kind{
		Name: WebhookKind,
		Doc: "Posts JSON to a URL, signed with a secret: the run, for steps of notify.webhook, else the message. " +
			"The header Idempotency-Key is the same each time the same message is sent.",
		Pages: true, Follows: true,
		Config: func() any { return new(WebhookConfig) },
		Check:  checked(WebhookKind, WebhookConfig.check),
		New:    made(WebhookKind, newWebhook),
	})
}

// WebhookConfig are the parameters of the kind webhook.
type WebhookConfig struct {
	// URL is an https URL; http only with allow_private.
	URL string `yaml:"url,required"`
	// Secret signs each request; without it there is no signature.
	Secret conf.SecretFile `yaml:"secret"`
	// AllowPrivate lets it be in a private network.
	AllowPrivate bool `yaml:"allow_private"`
}

func (c WebhookConfig) check() error { return checkURL(c.URL, c.AllowPrivate) }

// checkURL looks at a URL of the config. It is not repeated: its path is often
// a secret.
func checkURL(text string, private bool) error {
	u, err := url.Parse(text)
	if err != nil || u.Host == "" || u.User != nil || u.Scheme != "https" && !(u.Scheme == "http" && private) {
		return errors.New("url: want an https URL (http only with allow_private)")
	}
	return nil
}

// client is for a URL of the config.
func (d Deps) client(text string, private bool) (*http.Client, error) {
	client := d.HTTP
	if u, err := url.Parse(text); err == nil && private && d.Inside != nil {
		client = d.Inside(u.Hostname())
	}
	if client == nil {
		return nil, errors.New("no HTTP client for it")
	}
	return client, nil
}

// secret reads a secret of the config; none is empty.
func (d Deps) secret(s conf.SecretFile) (string, error) {
	if s.IsZero() {
		return "", nil
	}
	return s.Read(d.Dir)
}

type webhook struct {
	Deps
	url    string
	secret []byte
	client *http.Client
}

func newWebhook(d Deps, c WebhookConfig) (Notifier, error) {
	if err := c.check(); err != nil {
		return nil, err
	}
	client, err := d.client(c.URL, c.AllowPrivate)
	if err != nil {
		return nil, err
	}
	secret, err := d.secret(c.Secret)
	return webhook{Deps: d, url: c.URL, secret: []byte(secret), client: client}, err
}

// WebhookMessage is what a webhook gets of a message that brings no body of its
// own.
type WebhookMessage struct {
	// Version is 1; a field may be added without a new one.
	Version  int    `json:"version"`
	Key      string `json:"key"`
	Incident string `json:"incident,omitempty"`
	Run      string `json:"run,omitempty"`
	Step     string `json:"step,omitempty"`
	Op       Op     `json:"op"`
	Notice   Notice `json:"notice"`
}

// Send posts the message.
func (w webhook) Send(ctx context.Context, m Message) error {
	body := []byte(m.Body)
	if len(body) == 0 {
		var err error
		body, err = json.Marshal(WebhookMessage{1, m.Key, m.Incident, m.Run, m.Step, m.Op, m.Notice})
		if err != nil {
			return &Refused{err}
		}
	}
	header := http.Header{KeyHeader: {m.idempotency()}}
	if len(w.secret) > 0 {
		header.Set(SignatureHeader, Sign(w.secret, w.now().Unix(), body))
	}
	return post(ctx, w.client, w.Deps, w.url, header, body)
}

// idempotency is the message's key as a header takes it.
func (m Message) idempotency() string {
	if strings.ContainsFunc(m.Key, func(r rune) bool { return r <= ' ' || r > '~' }) {
		return m.hash()
	}
	return m.Key
}

// post posts JSON, and says what the answer means. What the receiver says goes
// nowhere.
func post(ctx context.Context, client *http.Client, d Deps, to string, header http.Header, body []byte) error {
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, to, bytes.NewReader(body))
	if err != nil {
		return hideURL(err)
	}
	request.Header = header
	request.Header.Set("Content-Type", "application/json")
	response, err := client.Do(request)
	if err != nil {
		return hideURL(err)
	}
	defer response.Body.Close()
	// Read a little, so that the connection can be used again.
	_, _ = io.Copy(io.Discard, io.LimitReader(response.Body, 64<<10))
	return answered(response.StatusCode, response.Header, d.now())
}

// Sign makes the value of [SignatureHeader].
func Sign(secret []byte, unix int64, body []byte) string {
	t := strconv.FormatInt(unix, 10)
	mac := hmac.New(sha256.New, secret)
	mac.Write([]byte(t + "."))
	mac.Write(body)
	return "t=" + t + ",v1=" + hex.EncodeToString(mac.Sum(nil))
}
