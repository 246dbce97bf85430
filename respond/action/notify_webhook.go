package action

import (
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"

	"github.com/firebreak-io/firebreak/internal/event"
)

const notifyWebhook = "notify.webhook"

// The headers of a webhook request. The signature is
// t=UNIX,v1=HEX, where HEX is HMAC-SHA256 under the webhook's secret of
// "UNIX.BODY"; the key is the same each time the same message is sent.
const (
	SignatureHeader = "Firebreak-Signature"
	KeyHeader       = "Idempotency-Key"
)

func init() {
	register(Kind{
		Name: notifyWebhook,
		Doc: "Posts the run as JSON to a webhook of the operator's config, signed with its secret. " +
			"It is sent at least once, with the same Idempotency-Key each time.",
		Class:   Notify,
		Config:  func() any { return new(WebhookConfig) },
		Example: func() any { return &WebhookConfig{Webhook: "ops"} },
		Check: func(config any) error {
			return checked(notifyWebhook, config, func(c WebhookConfig) error {
				if c.Webhook == "" {
					return fmt.Errorf("%s: no webhook is named", notifyWebhook)
				}
				return nil
			})
		},
		New: func(d Deps, config any) (Action, error) {
			c, err := params[WebhookConfig](notifyWebhook, config)
			if err != nil {
				return nil, err
			}
			return newWebhook(d, c.Webhook)
		},
	})
}

// WebhookConfig are the parameters of notify.webhook.
type WebhookConfig struct {
	// Webhook is a name of the operator's config. A playbook can't name a URL.
	Webhook string `yaml:"webhook" json:"webhook"`
}

type webhook struct {
	Deps
	name string
	to   Webhook
}

func newWebhook(d Deps, name string) (Action, error) {
	to, ok := d.Webhooks[name]
	if name == "" || !ok && !d.Offline {
		return nil, fmt.Errorf("%s: webhook %q is not in the config", notifyWebhook, name)
	}
	if u, err := url.Parse(to.URL); ok && (err != nil || u.Host == "" || u.Scheme != "https" && u.Scheme != "http") {
		return nil, fmt.Errorf("%s: webhook %q: its URL is not one of http or https", notifyWebhook, name)
	}
	return webhook{d, name, to}, nil
}

// Plan lists the one request, with the body to the byte.
func (h webhook) Plan(_ context.Context, r Request) (event.Plan, error) {
	body, err := payload(r)
	return event.Plan{
		Action: notifyWebhook, Target: r.Target,
		Summary: fmt.Sprintf("post the run to webhook %s", h.name),
		Writes:  []event.Write{{Verb: "post", Name: h.name, Body: body}},
	}, err
}

// Do posts the body of the plan. An answer other than 2xx is an error.
func (h webhook) Do(ctx context.Context, r Request, p event.Plan) (event.Receipt, error) {
	if err := checkPlan(notifyWebhook, r, p); err != nil {
		return event.Receipt{}, err
	}
	if h.to.URL == "" {
		return event.Receipt{}, ErrOffline
	}
	if len(p.Writes) != 1 || p.Writes[0].Verb != "post" || p.Writes[0].Name != h.name {
		return event.Receipt{}, refuse(r.Target, "plan is not one post to webhook %s", h.name)
	}
	if err := h.post(ctx, r, p.Writes[0].Body); err != nil {
		return event.Receipt{}, fmt.Errorf("post to webhook %s: %w", h.name, err)
	}
	return receipt(r, event.ResultSent), nil
}

func (h webhook) post(ctx context.Context, r Request, body []byte) error {
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, h.to.URL, bytes.NewReader(body))
	if err != nil {
		return hideURL(err)
	}
	request.Header.Set("Content-Type", "application/json")
	request.Header.Set(KeyHeader, r.Key)
	if len(h.to.Secret) > 0 {
		request.Header.Set(SignatureHeader, sign(h.to.Secret, r.Now.Unix(), body))
	}
	client := h.HTTP
	if h.to.AllowPrivate {
		client = h.PrivateHTTP
	}
	if client == nil {
		return errors.New("no HTTP client for it")
	}
	response, err := client.Do(request)
	if err != nil {
		return hideURL(err)
	}
	defer response.Body.Close()
	// Read a little, so that the connection can be used again. What the
	// receiver says goes nowhere.
	_, _ = io.Copy(io.Discard, io.LimitReader(response.Body, 64<<10))
	if response.StatusCode < 200 || response.StatusCode > 299 {
		return fmt.Errorf("answered %d", response.StatusCode)
	}
	return nil
}

func sign(secret []byte, unix int64, body []byte) string {
	t := strconv.FormatInt(unix, 10)
	mac := hmac.New(sha256.New, secret)
	mac.Write([]byte(t + "."))
	mac.Write(body)
	return "t=" + t + ",v1=" + hex.EncodeToString(mac.Sum(nil))
}

// hideURL takes the URL out of an error: its path is often a secret.
func hideURL(err error) error {
	var u *url.Error
	if errors.As(err, &u) {
		return u.Err
	}
	return err
}

// Undo gives [ErrIrreversible]: what was read can't be unread.
func (webhook) Undo(context.Context, Request, event.Receipt, event.AtEnd) (event.Receipt, error) {
	return event.Receipt{}, ErrIrreversible
}
