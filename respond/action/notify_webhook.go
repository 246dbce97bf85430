package action

import (
	"context"
	"fmt"

	"github.com/firebreak-io/firebreak/internal/event"
	"github.com/firebreak-io/firebreak/respond/notify"
)

const notifyWebhook = "notify.webhook"

func init() {
	register(Kind{
		Name: notifyWebhook,
		Doc: "Posts the run as JSON to a webhook of the operator's config, signed with its secret. " +
			"The step is done when that is stored; it is sent at least once, for as long as it matters, with the same Idempotency-Key each time.",
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
}

func newWebhook(d Deps, name string) (Action, error) {
	to, ok := d.Receivers[name]
	if name == "" || !ok && !d.Offline && !d.Unconfigured {
		return nil, fmt.Errorf("%s: webhook %q is not in the config", notifyWebhook, name)
	}
	if ok && to.Kind != notify.WebhookKind {
		return nil, fmt.Errorf("%s: receiver %q is no webhook but of kind %s", notifyWebhook, name, to.Kind)
	}
	return webhook{d, name}, nil
}

// Plan lists the one request, with the body to the byte.
func (h webhook) Plan(_ context.Context, r Request) (event.Plan, error) {
	body, err := payload(r)
	var notes []string
	if h.Unconfigured {
		notes = []string{noteUnconfigured}
	}
	return event.Plan{
		Action: notifyWebhook, Target: r.Target, Notes: notes,
		Summary: fmt.Sprintf("post the run to webhook %s", h.name),
		Writes:  []event.Write{{Verb: "post", Name: h.name, Body: body}},
	}, err
}

// Do has the body of the plan posted.
func (h webhook) Do(ctx context.Context, r Request, p event.Plan) (event.Receipt, error) {
	if err := checkPlan(notifyWebhook, r, p); err != nil {
		return event.Receipt{}, err
	}
	if len(p.Writes) != 1 || p.Writes[0].Verb != "post" || p.Writes[0].Name != h.name {
		return event.Receipt{}, refuse(r.Target, "plan is not one post to webhook %s", h.name)
	}
	return tell(ctx, h.Deps, r, h.name, p.Writes[0].Body)
}

// Undo gives [ErrIrreversible]: what was read can't be unread.
func (webhook) Undo(context.Context, Request, event.Receipt, event.AtEnd) (event.Receipt, error) {
	return event.Receipt{}, ErrIrreversible
}
